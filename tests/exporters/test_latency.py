"""What is timed is what is exported, over grids that tell the rest; it is timed once."""

import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto
from torch import nn

from ganprune.channels import graph_of
from ganprune.models.cyclegan import Generator, GeneratorWidths, resnet_widths
from ganprune.pruning.latency import LatencyTable, predicted
from ganprune.reporting import SILENT, Reporter
from ganprune_exporters import ExportSettings, latency
from ganprune_exporters.elastic import Elastic, Part
from ganprune_exporters.latency import WIDE, block, known_table, latency_table
from tests.exporters.test_elastic import Branching, Mixed

SIZE = 16
WIDTHS = GeneratorWidths(32, 64, WIDE + 32, (WIDE + 64,), 64, 32)


class Whole(Generator):
    """CycleGAN's ResNet, wide enough for every rewrite."""

    def __init__(self) -> None:
        super().__init__(WIDTHS)


@cache
def exported(network: type[nn.Module]) -> Elastic:
    return Elastic(network().eval(), ExportSettings(SIZE))


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks of a class are exported once for all tests."""
    monkeypatch.setattr(
        "ganprune_exporters.elastic.Elastic", lambda network, settings: exported(type(network))
    )


def operators(part: Part, inputs: int, filters: int, *, wide: bool) -> list[str]:
    model = latency._part(exported(Whole), part, inputs, filters, wide=wide)
    return [node.op_type for node in model.graph.node]


def test_what_is_timed_went_through_the_rewrites_of_an_export() -> None:
    parts = exported(Whole).parts
    assert "ConvTranspose" not in operators(parts[-2], 8, 8, wide=False)
    assert "DepthToSpace" in operators(parts[-1], 8, 3, wide=False)
    assert "DepthToSpace" not in operators(parts[3], 8, 3, wide=False)  # its output is no picture
    assert "MatMul" in operators(parts[3], WIDE, WIDE, wide=True)
    assert "MatMul" not in operators(parts[3], WIDE, WIDE - 1, wide=True)


class Depthwise(nn.Sequential):
    def __init__(self) -> None:
        deep = nn.Conv2d(48, 48, 3, padding=1, groups=48)
        super().__init__(nn.Conv2d(3, 48, 3, padding=1), deep, nn.Conv2d(48, 3, 3, padding=1))


@pytest.mark.parametrize(("network", "place"), [(Whole, 1), (Whole, 3), (Depthwise, 1), (Depthwise, 2)])
def test_convolutions_are_computed_in_blocks_where_it_is_said(network: type[nn.Module], place: int) -> None:
    elastic, size = exported(network), block()
    part = elastic.parts[place]
    assert size in (1, 4, 8, 16, 32)
    axes = [pair[0 if part.reads.any() else 1] for pair in latency.grids_of(elastic, part)]
    axis = next(axis for axis in axes if axis.block > 1)
    for n in (1, 8, size, size + 1, size + 2, size + 4, 2 * size):
        both = (n, size) if part.reads.any() else (1, n)
        served = bool(axis.serves(np.array([n]))[0])
        assert latency._blocked(latency._part(elastic, part, *both)) == served, (n, axis)


def stairs(inputs: int, filters: int, *, wide: bool) -> float:
    """Milliseconds of a machine that pays for whole blocks, and more for what it cannot group."""
    if wide and min(inputs, filters) >= WIDE:
        return 0.1 + 1e-3 * inputs * filters
    if inputs > 16 and inputs % 4:
        return 1.5 * (1 + inputs / 16) * (0.2 + filters / 16)
    return (1 + -(-inputs // 16)) * (1 - -filters // 16)


def test_a_machine_of_stairs_is_predicted_at_any_widths(once: None, monkeypatch: pytest.MonkeyPatch) -> None:
    elastic = exported(Whole)
    wide = {elastic.parts[3].kind, elastic.parts[4].kind}

    def time_models(models: Sequence[Any], reporter: Reporter = SILENT) -> Iterator[float]:
        for made in models:
            if made.func is latency._part:
                yield stairs(*made.args[2:], **made.keywords)
            else:
                yield whole(made.args[1])

    def whole(counts: np.ndarray) -> float:
        """In the whole, everything takes a tenth longer."""
        total = 0.0
        for part in elastic.parts:
            inputs, filters = (round(float(a @ [*counts, 1])) for a in (part.inputs, part.filters))
            total += 1.1 * stairs(inputs, filters, wide=part.kind in wide)
        return total

    def blocked(model: ModelProto) -> bool:
        conv = next(node for node in model.graph.node if node.op_type == "Conv")
        inputs = next(t.dims[1] for t in model.graph.initializer if t.name == conv.input[1])
        return inputs <= 16 or inputs % 4 == 0

    monkeypatch.setattr(latency, "time_models", time_models)
    monkeypatch.setattr(latency, "block", lambda: 16)
    monkeypatch.setattr(latency, "_blocked", blocked)
    table = latency.measured(Whole(), SIZE, {})
    for kind in {part.kind for part in elastic.parts}:
        most, high = elastic.reach(kind)
        rows, columns = ([n] if n == 3 else [*range(1, n + 1)] for n in (most, high))
        exact = [[stairs(i, f, wide=kind in wide) for f in columns] for i in rows]
        np.testing.assert_allclose(table.dense(kind)[np.ix_(rows, columns)], exact, rtol=1e-9)
    for over in (1, 2, 4):
        counts = elastic.sizes // over
        widths = dict(zip(graph_of(Whole()).sizes, counts.tolist(), strict=True))
        assert predicted(table, widths) == pytest.approx(whole(counts))


def test_a_real_measurement_gives_a_table_that_predicts(once: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PASSES", "RUNS"):
        monkeypatch.setattr(latency, name, 2)
    table = latency.measured(Mixed(), SIZE, {"cpu": "this"})
    groups = {group for part in table.parts for group in (*part.inputs, *part.filters) if group}
    slim, most = (predicted(table, dict.fromkeys(groups, n)) for n in (1, 4))
    assert 0 < slim < 100
    assert 0 < most < 100
    assert LatencyTable.from_json(table.to_json()).to_json() == table.to_json()


# Once


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    return tmp_path / "ganprune"


@pytest.fixture
def measurements(monkeypatch: pytest.MonkeyPatch) -> list[nn.Module]:
    """Networks that were measured, on a machine that times nothing."""
    found = list[nn.Module]()

    def measured(network: nn.Module, size: int, made_for: Any, reporter: Reporter = SILENT) -> LatencyTable:
        found.append(network)
        return LatencyTable.by_work(latency.graph_of(network), 100, made_for)

    monkeypatch.setattr(latency, "measured", measured)
    return found


SMALL = resnet_widths(8, 2)


def test_a_machine_is_measured_once(folder: Path, measurements: list[nn.Module]) -> None:
    assert known_table(Generator(SMALL), 32) is None
    first = latency_table(Generator(SMALL), 32)
    again, known = latency_table(Generator(SMALL), 32), known_table(Generator(SMALL), 32)  # of other weights
    assert len(measurements) == 1
    assert known is not None
    assert first.to_json() == again.to_json() == known.to_json()
    (file,) = folder.iterdir()
    assert file.name.startswith("latency-")
    assert json.loads(file.read_text())["made_for"]["size"] == 32


def test_another_size_network_or_machine_is_measured_anew(
    folder: Path, measurements: list[nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    latency_table(Generator(SMALL), 32)
    latency_table(Generator(SMALL), 64)
    latency_table(Generator(SMALL, "batch"), 32)
    latency_table(Generator(resnet_widths(4, 2)), 32)
    monkeypatch.setattr(latency, "block", lambda: 7)
    assert known_table(Generator(SMALL), 32) is None
    latency_table(Generator(SMALL), 32)
    monkeypatch.setattr(onnxruntime, "__version__", "0.0")
    assert known_table(Generator(SMALL), 32) is None
    assert len(measurements) == len(list(folder.iterdir())) == 5


@pytest.mark.parametrize("damage", ["", "{", "[]", "truncated", "swapped"])
def test_a_damaged_cache_is_measured_again(folder: Path, measurements: list[nn.Module], damage: str) -> None:
    good = latency_table(Generator(SMALL), 32).to_json()
    (file,) = folder.iterdir()
    text = file.read_text()
    other = json.dumps(good | {"made_for": {**good["made_for"], "size": 64}})
    file.write_text({"truncated": text[: len(text) // 2], "swapped": other}.get(damage, damage))
    assert known_table(Generator(SMALL), 32) is None
    assert latency_table(Generator(SMALL), 32).to_json() == good
    assert len(measurements) == 2
    assert file.read_text() == text


class Told(type(SILENT)):
    def __init__(self) -> None:
        self.warnings = list[str]()

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def test_a_cache_that_cannot_be_written_costs_a_warning(
    tmp_path: Path, measurements: list[nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "file"))
    told = Told()
    assert latency_table(Generator(SMALL), 32, told).parts
    assert len(measurements) == len(told.warnings) == 1
    assert "cannot be written" in told.warnings[0]


def test_a_network_that_cannot_be_measured_in_parts_is_predicted_by_its_work(folder: Path) -> None:
    told = Told()
    table = latency_table(Branching(), SIZE, told)
    assert told.warnings == [
        "milliseconds are predicted by counting: this network cannot be measured in parts "
        "(slim networks are exported with other operators)"
    ]
    full = predicted(table, {"trunk": 8})
    assert 0 < full / 2 < predicted(table, {"trunk": 4}) < full
    assert not folder.exists()
