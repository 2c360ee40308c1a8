"""What is timed is what is exported, over grids that tell the rest; it is timed once."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import ModelProto, helper, numpy_helper

from ganprune.models.cyclegan import NORMS, Generator, GeneratorWidths, Norm, resnet_widths
from ganprune.pruning.latency import KINDS, Kind, LatencyTable, kind_of, predicted
from ganprune.reporting import SILENT, Reporter
from ganprune_exporters import ExportSettings, export_onnx, latency
from ganprune_exporters.latency import (
    WIDE,
    WINOGRAD,
    Blocking,
    Case,
    blocking,
    exported_layer,
    grids_of,
    known_table,
    latency_table,
    measured,
)
from ganprune_exporters.layer_graphs import ConvLayer, generator_graph, layer_graph, layers_of
from ganprune_exporters.passes.names import DEFAULT
from tests.checkpoints.builders import make_generator
from tests.strategies import generator_widths

UNEVEN = GeneratorWidths(3, 5, 4, (2, 6), 7, 2)
SMALL = resnet_widths(8, 2)
AVX512, AVX2, NONE = Blocking(16, 4), Blocking(8, 4), Blocking(1, 1)


def anatomy(model: ModelProto) -> list[tuple[object, ...]]:
    """Operators in order: attributes, and where each input comes from, whatever things are called.

    An input is told by the node that makes it, weights by their shape, whole numbers by their values.
    """
    known: dict[str, object] = {value.name: value.name for value in model.graph.input}
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        known[tensor.name] = array.tolist() if array.dtype == np.int64 else array.shape
    found: list[tuple[object, ...]] = []
    for i, node in enumerate(model.graph.node):
        told = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        attributes = {name: value for name, value in told.items() if value != b"NOTSET"}  # the default
        found.append((node.op_type, attributes, [known[name] for name in node.input]))
        known |= dict.fromkeys(node.output, i)
    return found


@pytest.mark.parametrize("norm", NORMS)
def test_layers_put_together_are_the_exported_generator(tmp_path: Path, norm: Norm) -> None:
    export_onnx(make_generator(1, UNEVEN, norm), tmp_path / "G.onnx", ExportSettings(size=32, passes=()))
    exported = onnx.load(tmp_path / "G.onnx")
    assert anatomy(generator_graph(UNEVEN, 32, norm)) == anatomy(exported)
    assert generator_graph(UNEVEN, 32, norm).opset_import == exported.opset_import
    alone = [node.op_type for layer in layers_of(UNEVEN, norm) for node in layer_graph(layer, 32).graph.node]
    assert alone == [node.op_type for node in exported.graph.node]


def test_a_layer_alone_runs_on_maps_of_the_size_that_it_has_in_the_generator() -> None:
    for layer in layers_of(UNEVEN):
        model = layer_graph(layer, 32)
        onnx.checker.check_model(model, full_check=True)
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        shapes = {end.name: end.shape for end in session.get_inputs()}
        assert shapes["input"] == [1, layer.inputs, *[32 // layer.conv.input_stride] * 2]
        output = np.asarray(session.run(None, {n: np.ones(s, np.float32) for n, s in shapes.items()})[0])
        assert list(output.shape) == session.get_outputs()[0].shape
        assert output.shape == (1, layer.filters, *[32 // layer.conv.output_stride] * 2)


def test_convolutions_are_grouped_where_it_is_said() -> None:
    found = blocking()
    assert found.block in (1, 4, 8, 16, 32)
    for inputs in range(1, 3 * found.block + 1):
        grouped = inputs <= found.block or inputs % found.granule == 0
        assert latency._block_of(inputs) == (found.block if grouped else 1), inputs


def stairs(kind: Kind, inputs: int, filters: int, grouped: Blocking, winograd: bool = True) -> float:
    """Milliseconds of a machine that pays for whole blocks, and more for what it cannot group."""
    if winograd and kind in ("inner", "residual") and min(inputs, filters) >= WIDE:
        return 0.1 + 1e-3 * inputs * filters
    if not (inputs <= grouped.block or inputs % grouped.granule == 0):
        return 1.5 * (1 + inputs / grouped.block) * (0.2 + filters / grouped.block)
    return (1 + -(-inputs // grouped.block)) * (1 - -filters // grouped.block)


class Machine:
    """Stands in for `time_layers`: a machine of `stairs`, which counts how often it is measured."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, grouped: Blocking) -> None:
        self.grouped, self.measured = grouped, 0
        monkeypatch.setattr(latency, "time_layers", self.time_layers)
        monkeypatch.setattr(latency, "blocking", lambda: grouped)

    def time_layers(self, cases: Sequence[Case], size: int, reporter: Reporter = SILENT) -> list[float]:
        self.measured += 1
        return [
            stairs(kind_of(y.conv), y.inputs, y.filters, self.grouped, WINOGRAD in passes)
            for y, passes in cases
        ]


@pytest.mark.parametrize("grouped", [AVX512, AVX2, NONE])
def test_a_machine_of_stairs_is_predicted_at_any_widths(
    monkeypatch: pytest.MonkeyPatch, grouped: Blocking
) -> None:
    Machine(monkeypatch, grouped)
    whole = GeneratorWidths(32, 64, WIDE + 32, (WIDE + 64,), 64, 32)
    table = measured(whole, "instance", 64)
    for layer in layers_of(whole):
        kind = kind_of(layer.conv)
        rows = [layer.inputs] if kind == "stem" else [*range(1, layer.inputs + 1)]
        columns = [layer.filters] if kind == "picture" else [*range(1, layer.filters + 1)]
        dense = table.dense(kind, layer.inputs, layer.filters)[np.ix_(rows, columns)]
        exact = [[stairs(kind, i, f, grouped) for f in columns] for i in rows]
        np.testing.assert_allclose(dense, exact, rtol=1e-9, err_msg=kind)


def test_what_is_timed_went_through_the_rewrites_of_an_export() -> None:
    def operators(layer: ConvLayer) -> list[str]:
        return [node.op_type for node in exported_layer((layer, DEFAULT), 32).graph.node]

    *_, up2, picture = layers_of(UNEVEN)
    assert "ConvTranspose" not in operators(up2)
    assert "DepthToSpace" in operators(picture)
    inner = next(layer for layer in layers_of(resnet_widths(64, 1)) if kind_of(layer.conv) == "inner")
    assert "MatMul" in operators(inner)
    assert "MatMul" not in operators(replace(inner, inputs=WIDE - 1))


@given(widths=generator_widths(most=70, blocks=2), grouped=st.sampled_from([AVX512, AVX2, NONE]))
def test_grids_reach_every_width_and_hold_nothing_twice(widths: GeneratorWidths, grouped: Blocking) -> None:
    for layer in layers_of(widths):
        counts = np.arange(1, layer.inputs + 1)
        served = np.zeros(layer.inputs, bool)
        for inputs, filters in grids_of(layer, grouped):
            served |= inputs.serves(counts)
            assert filters.points[-1] == layer.filters
            assert inputs.points[-1] <= layer.inputs
            for axis in (inputs, filters):
                assert list(axis.points) == sorted(set(axis.points))
                assert axis.serves(np.array(axis.points)).all()
                np.testing.assert_allclose(axis.weights(counts).sum(1), 1)
        assert served.all()


def test_a_real_measurement_gives_a_table_that_predicts(tmp_path: Path) -> None:
    table = measured(resnet_widths(4, 1), "instance", 16)
    assert table.made_for["widths"]["trunk"] == 16
    assert 0 < predicted(table, Generator(GeneratorWidths(1, 1, 1, (1,), 1, 1))) < 1000
    assert (
        0
        < predicted(table, Generator(resnet_widths(4, 0)))
        < predicted(table, Generator(resnet_widths(4, 3)))
        < 1000
    )
    assert LatencyTable.from_json(table.to_json()).to_json() == table.to_json()


# Once


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    return tmp_path / "ganprune"


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch, AVX512)


def test_a_machine_is_measured_once(cache: Path, machine: Machine) -> None:
    assert known_table(SMALL, "instance", 32) is None
    first = latency_table(SMALL, "instance", 32)
    again, known = latency_table(SMALL, "instance", 32), known_table(SMALL, "instance", 32)
    assert machine.measured == 1
    assert known is not None
    assert first.to_json() == again.to_json() == known.to_json()
    (file,) = cache.iterdir()
    assert file.name.startswith("latency-")
    assert json.loads(file.read_text())["made_for"]["size"] == 32
    more_blocks = resnet_widths(8, 5)
    assert latency_table(more_blocks, "instance", 32).to_json() == first.to_json()
    assert machine.measured == 1


def test_another_size_norm_width_or_machine_is_measured_anew(
    cache: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    latency_table(SMALL, "instance", 32)
    latency_table(SMALL, "instance", 64)
    latency_table(SMALL, "batch", 32)
    latency_table(resnet_widths(4, 2), "instance", 32)
    Machine(monkeypatch, AVX2)
    assert known_table(SMALL, "instance", 32) is None
    latency_table(SMALL, "instance", 32)
    monkeypatch.setattr(onnxruntime, "__version__", "0.0")
    assert known_table(SMALL, "instance", 32) is None
    assert machine.measured == 4
    assert len(list(cache.iterdir())) == 5


@pytest.mark.parametrize("damage", ["", "{", "[]", "truncated", "swapped"])
def test_a_damaged_cache_is_measured_again(cache: Path, machine: Machine, damage: str) -> None:
    good = latency_table(SMALL, "instance", 32).to_json()
    (file,) = cache.iterdir()
    text = file.read_text()
    other = json.dumps(good | {"made_for": {**good["made_for"], "size": 64}})
    file.write_text({"truncated": text[: len(text) // 2], "swapped": other}.get(damage, damage))
    assert known_table(SMALL, "instance", 32) is None
    assert latency_table(SMALL, "instance", 32).to_json() == good
    assert machine.measured == 2
    assert file.read_text() == text


def test_a_cache_that_cannot_be_written_costs_a_warning(
    tmp_path: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "file"))
    warnings: list[str] = []
    reporter = type("Told", (type(SILENT),), {"warn": lambda self, message: warnings.append(message)})()
    table = latency_table(SMALL, "instance", 32, reporter)
    assert set(table.pieces) == set(KINDS)
    assert machine.measured == len(warnings) == 1
    assert "cannot be written" in warnings[0]
