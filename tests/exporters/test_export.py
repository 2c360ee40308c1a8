"""What is exported computes what PyTorch computes, and says what it is."""

import json
import logging
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import onnxsim
import pytest
import torch
from hypothesis import given, settings
from onnx import ModelProto, numpy_helper
from onnxsim.model_info import ModelInfo
from torch import Tensor

from ganprune.errors import UsageError, VerificationError
from ganprune.models.cyclegan import NORMS, Generator, GeneratorWidths, Norm, resnet_widths
from ganprune.onnx_files.cost import OnnxCost, count, onnx_cost, picture_input, read_onnx
from ganprune.pruning import cost
from ganprune.pruning.genome import Layout
from ganprune.pruning.rebuild import masked, rebuilt
from ganprune.storage.files import sha256
from ganprune_exporters import ExportReport, ExportSettings, chain, export_onnx, verify
from ganprune_exporters.opsets import lowered
from tests import fast_exports
from tests.checkpoints.builders import make_generator
from tests.strategies import generator_widths
from tests.tiny import random_generator, random_pictures

SMALL = ExportSettings(size=32)
PLAIN = ExportSettings(size=32, passes=())
UNEVEN = GeneratorWidths(3, 5, 4, (2, 6), 7, 2)
MACS = cost.macs(Generator(UNEVEN), 32, 32, "true"), cost.macs(Generator(UNEVEN), 32, 32, "paper")
ONE_FILTER_A_LAYER = GeneratorWidths(1, 1, 1, (1, 1), 1, 1)


def run(path: Path, pictures: Tensor) -> Tensor:
    """What any other program gets from the file: [n, c, h, w] → [n, c, h, w]."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return torch.from_numpy(np.asarray(session.run(["output"], {"input": pictures.numpy()})[0]))


def difference(path: Path, G: Generator, pictures: Tensor) -> float:
    """Largest absolute difference between the file and PyTorch in float64."""
    return (run(path, pictures) - G.double()(pictures.double())).abs().max().item()


def sizes(value: onnx.ValueInfoProto) -> list[int | str]:
    return [dim.dim_value or dim.dim_param for dim in value.type.tensor_type.shape.dim]


def exported(
    folder: Path, widths: GeneratorWidths, how: ExportSettings = SMALL, pictures: Tensor | None = None
) -> tuple[Path, Generator, ExportReport]:
    G, path = random_generator(widths, dtype=torch.float32), folder / "G.onnx"
    return path, G, export_onnx(G, path, how, pictures=pictures, metadata={"source_sha256": "abc"})


@pytest.mark.parametrize("norm", NORMS)
def test_a_block_that_is_taken_out_leaves_no_node_but_the_addition_of_its_constant(
    norm: Norm, tmp_path: Path
) -> None:
    G = make_generator(3, GeneratorWidths(3, 5, 4, (2, 3, 6), 7, 2), norm)
    layout = Layout.of(G)
    genome = layout.full()
    genome[layout.genes["inner1"]] = False
    nodes, x = list[Counter[str]](), random_pictures(1, 3, 32, 32, dtype=torch.float32)
    for network in (rebuilt(G, layout, genome), make_generator(3, UNEVEN, norm)):
        export_onnx(network, tmp_path / "G.onnx", SMALL)
        if not nodes:
            dense = masked(G, layout, genome)(x)
            torch.testing.assert_close(run(tmp_path / "G.onnx", x), dense, atol=1e-4, rtol=0)
        nodes.append(Counter(node.op_type for node in onnx.load(tmp_path / "G.onnx").graph.node))
    assert nodes[0] - nodes[1] == ({"Add": 1} if norm in ("affine-instance", "batch") else {})
    assert not nodes[1] - nodes[0]


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Generator, ExportReport]:
    """A fixed file of odd widths, verified on three pictures."""
    pictures = random_pictures(3, 3, 32, 32, dtype=torch.float32)
    return exported(tmp_path_factory.mktemp("uneven"), UNEVEN, pictures=pictures)


@pytest.fixture(autouse=True)
def every_export_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "trace", fast_exports.trace)


# The file computes what the generator computes


@settings(max_examples=5)
@given(widths=generator_widths())
def test_exported_file_equals_pytorch_at_any_widths(
    tmp_path_factory: pytest.TempPathFactory, widths: GeneratorWidths
) -> None:
    path, G, report = exported(tmp_path_factory.mktemp("any"), widths)
    assert difference(path, G, random_pictures(1, widths.in_channels, 32, 32, dtype=torch.float32)) <= 1e-4
    assert report.max_abs <= 1e-4


def test_one_filter_a_layer_is_enough_for_an_export(tmp_path: Path) -> None:
    path, G, _ = exported(tmp_path, ONE_FILTER_A_LAYER)
    assert difference(path, G, random_pictures(1, 3, 32, 32, dtype=torch.float32)) <= 1e-4


def test_dynamic_file_runs_at_any_batch_height_and_width(tmp_path: Path) -> None:
    path, G, report = exported(tmp_path, UNEVEN, ExportSettings(size=32, dynamic=True))
    for n, h, w in ((1, 8, 8), (3, 32, 64), (2, 100, 20), (1, 32, 32)):
        assert difference(path, G, random_pictures(n, 3, h, w, dtype=torch.float32)) <= 1e-4
    model = onnx.load(path)
    assert sizes(model.graph.input[0]) == sizes(model.graph.output[0]) == ["batch", 3, "height", "width"]
    assert report.pictures == 5  # two of the size asked for, two larger ones at once, a smaller one


def test_dynamic_graph_without_rewrites_costs_what_the_network_costs(tmp_path: Path) -> None:
    path, G, _ = exported(tmp_path, UNEVEN, ExportSettings(size=32, dynamic=True, passes=()))
    model = onnx.load(path)
    assert count(model, "input", (1, 3, 32, 32)) == OnnxCost(cost.params(G), *MACS, "graph")


@pytest.mark.parametrize("how", [ExportSettings(size=16, opset=23), ExportSettings(size=16, simplify=False)])
def test_newest_opset_and_the_graph_as_traced_compute_the_same(tmp_path: Path, how: ExportSettings) -> None:
    path, G, _ = exported(tmp_path, resnet_widths(3, 1), how)
    assert difference(path, G, random_pictures(1, 3, 16, 16, dtype=torch.float32)) <= 1e-4
    assert {opset.domain: opset.version for opset in onnx.load(path).opset_import}[""] == how.opset


@pytest.mark.parametrize(
    ("opset", "how"),
    [
        (17, {}),
        (13, {"dynamic": True}),
        (11, {}),
        (11, {"dynamic": True, "uint8": True}),
        (11, {"passes": (), "simplify": False}),
    ],
)
def test_older_opsets_compute_the_same(tmp_path: Path, opset: int, how: dict[str, Any]) -> None:
    settings = ExportSettings(size=32, opset=opset, **how)
    path, G, report = exported(tmp_path, UNEVEN, settings)
    assert report.max_abs <= report.tolerance
    if not settings.uint8:
        assert difference(path, G, random_pictures(1, 3, 32, 32, dtype=torch.float32)) <= 1e-4
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", opset)]
    assert model.ir_version == {17: 8, 13: 7, 11: 6}[opset]  # older programs refuse newer ones


def test_node_that_stands_in_the_way_of_an_opset_is_named_with_the_one_that_works(tmp_path: Path) -> None:
    wanted = r"--set opset=10 cannot express Pad \(node_pad\) with 2 inputs; use --set opset=11"
    with pytest.raises(UsageError, match=wanted):
        exported(tmp_path, UNEVEN, ExportSettings(size=32, opset=10))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("graph", "opset", "words"),
    [
        ("(float[2] x) => (float[2] y) {y = Gelu(x)}", 19, "Gelu (y), which it lacks; use --set opset=20"),
        (
            "(float[2, 3] x) => (int64[1] y) {y = Shape<start = 1>(x)}",
            14,
            "Shape (y) with attribute start; use --set opset=15",
        ),
        (
            "(float[2, 3] x, int64[1] axes) => (float[2, 1, 3] y) {y = Unsqueeze(x, axes)}",
            12,
            "Unsqueeze (y) with 2 inputs; use --set opset=13",
        ),
        ("(bfloat16[2] x) => (bfloat16[2] y) {y = Relu(x)}", 12, "Relu"),
    ],
)
def test_whatever_an_operator_gained_later_is_told(graph: str, opset: int, words: str) -> None:
    model = onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["": 20]> graph {graph}')
    assert lowered(model, 20) is model
    with pytest.raises(
        UsageError, match=re.escape(f"--set opset={opset} cannot express ") + f".*{re.escape(words)}"
    ):
        lowered(model, opset)


# The file is complete, and says what it is


def test_fixed_file_is_float32_whole_and_without_unknown_sizes(
    uneven: tuple[Path, Generator, ExportReport],
) -> None:
    path, _, report = uneven
    model = onnx.load(path, load_external_data=False)
    onnx.checker.check_model(model, full_check=True)
    assert [value.name for value in model.graph.input] == ["input"]
    assert [value.name for value in model.graph.output] == ["output"]
    tensors = [*model.graph.input, *model.graph.value_info, *model.graph.output]
    assert sizes(tensors[0]) == sizes(tensors[-1]) == [1, 3, 32, 32]
    assert all(isinstance(d, int) and d > 0 for tensor in tensors for d in sizes(tensor))
    assert {tensor.type.tensor_type.elem_type for tensor in tensors} == {onnx.TensorProto.FLOAT}
    assert {name for node in model.graph.node for name in node.output} <= {tensor.name for tensor in tensors}
    assert all(t.data_location == onnx.TensorProto.DEFAULT for t in model.graph.initializer)
    assert [file.name for file in path.parent.glob("[!.]*")] == ["G.onnx"]
    assert report.nodes_after == len(model.graph.node)
    assert report.file_bytes == path.stat().st_size
    assert report.sha256 == sha256(path)


def test_metadata_tell_a_later_reader_everything(uneven: tuple[Path, Generator, ExportReport]) -> None:
    path, G, _ = uneven
    metadata = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert metadata["source_sha256"] == "abc"
    assert metadata["ganprune.version"]
    assert metadata["ganprune.passes"] == "dead-biases last-convolution=4 transposed-convolutions"
    assert len(metadata["ganprune.weights_sha256"]) == 64
    told = json.loads(metadata["ganprune.widths"])
    assert told == {**UNEVEN.groups(), "in_channels": UNEVEN.in_channels, "out_channels": UNEVEN.out_channels}
    model = read_onnx(path)
    takes = picture_input(model, path)
    assert onnx_cost(model, takes, takes.shape()) == OnnxCost(cost.params(G), *MACS, "metadata")


def test_graph_counter_agrees_with_the_networks_own_costs_and_with_onnxsim(tmp_path: Path) -> None:
    path, G, _ = exported(tmp_path, UNEVEN, PLAIN)
    model = read_onnx(path)
    assert count(model, "input", (1, 3, 32, 32)) == OnnxCost(cost.params(G), *MACS, "graph")
    assert ModelInfo(model).macs == MACS[0]


def test_report_states_the_worst_of_the_pictures_it_was_given(
    uneven: tuple[Path, Generator, ExportReport],
) -> None:
    path, G, report = uneven
    pictures = random_pictures(3, 3, 32, 32, dtype=torch.float32)
    worst = max((run(path, x) - G.float()(x)).abs().max().item() for x in pictures.split(1))
    assert report.pictures == 3
    assert report.max_abs == pytest.approx(worst, abs=1e-6)
    assert json.loads(json.dumps(report.to_json()))["max_abs"] == report.max_abs


def test_file_holds_no_paths_of_the_machine_and_comes_out_the_same_again(tmp_path: Path) -> None:
    how = ExportSettings(size=16, simplify=False)
    path, _, first = exported(tmp_path, resnet_widths(2, 1), how)
    data = path.read_bytes()
    assert b"site-packages" not in data
    assert b"networks.py" not in data
    assert exported(tmp_path / "again", resnet_widths(2, 1), how)[2].sha256 == first.sha256


def test_original_full_size_generator_costs_what_the_field_says(tmp_path: Path) -> None:
    with torch.device("meta"):
        original = Generator(resnet_widths(64, 9)).state_dict()
    path, _, _ = exported(tmp_path, resnet_widths(2, 9), ExportSettings(size=16, passes=()))
    model = read_onnx(path)
    for tensor in model.graph.initializer:
        if tensor.name in original:  # the original's shape, without its numbers
            shape, kind = original[tensor.name].shape, onnx.TensorProto.FLOAT
            tensor.CopyFrom(onnx.TensorProto(name=tensor.name, dims=shape, data_type=kind))
    counted = count(model, "input", (1, 3, 256, 256))
    assert counted == OnnxCost(11_378_179, 49_551_507_456, 56_799_264_768, "graph")


# Verification


def spoiled(model: ModelProto) -> tuple[ModelProto, bool]:
    """What a simplifier with a bug might return: the last layer's weights are off by one per cent."""
    last = next(t for t in model.graph.initializer if t.name == "model.18.weight")
    last.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(last) * np.float32(0.99), last.name))
    return model, True


def test_wrong_graph_is_told_and_still_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxsim, "simplify", spoiled)
    G, path = random_generator(resnet_widths(4, 1), dtype=torch.float32), tmp_path / "G.onnx"
    pictures = random_pictures(3, 3, 16, 16, dtype=torch.float32)
    with pytest.raises(VerificationError) as told:
        export_onnx(G, path, ExportSettings(size=16), pictures=pictures)
    assert path.is_file()
    found = re.search(r"within 0\.0001, found a difference of (\S+) on picture 1 of 3", str(told.value))
    assert str(told.value).startswith(f"{path}: needed PyTorch's output")
    assert found is not None
    assert float(found[1]) == pytest.approx(difference(path, G, pictures[:1]), rel=0.01)


def test_looser_tolerance_lets_the_same_graph_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxsim, "simplify", spoiled)
    G = random_generator(resnet_widths(4, 1), dtype=torch.float32)
    report = export_onnx(G, tmp_path / "G.onnx", ExportSettings(size=16, tolerance=0.5))
    assert 1e-4 < report.max_abs <= report.tolerance == 0.5


def test_nan_is_never_within_tolerance(tmp_path: Path) -> None:
    G = random_generator(resnet_widths(2, 1), dtype=torch.float32)
    pictures = random_pictures(1, 3, 16, 16, dtype=torch.float32)
    pictures[0, 0, 0, 0] = torch.nan
    with pytest.raises(VerificationError, match="found a difference of nan on picture 1 of 1"):
        export_onnx(G, tmp_path / "G.onnx", ExportSettings(size=16, tolerance=2), pictures=pictures)


def test_pictures_of_another_size_are_refused_before_any_work(tmp_path: Path) -> None:
    G = random_generator(resnet_widths(2, 1))
    with pytest.raises(UsageError, match="needed pictures of n×3×16×16 to verify it with, found 1×3×32×32"):
        export_onnx(G, tmp_path / "G.onnx", ExportSettings(size=16), pictures=random_pictures(1, 3, 32, 32))
    assert not list(tmp_path.iterdir())


# Manners


def test_export_leaves_the_generator_alone_and_says_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    G = random_generator(resnet_widths(2, 1)).train()
    with caplog.at_level(logging.WARNING):
        export_onnx(G, tmp_path / "G.onnx", ExportSettings(size=16))
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []
    assert G.training
    assert next(G.parameters()).dtype == torch.float64


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 30}, "--size must be a multiple of 4 from 16 to 8192, found 30"),
        ({"size": 8}, "--size must be a multiple of 4 from 16 to 8192, found 8"),
        ({"size": 40_000}, "--size must be a multiple of 4 from 16 to 8192, found 40000"),
        ({"opset": 6}, "--set opset must be 7 to 23, found 6"),
        ({"tolerance": 0.0}, "--set atol must be finite and above 0, found 0.0"),
    ],
)
def test_settings_out_of_range_are_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ExportSettings(**change)  # type: ignore[arg-type]


# Pictures that tell nothing


def blank(level: float, size: int = 32) -> Tensor:
    return torch.full((1, 3, size, size), level)


@pytest.mark.parametrize(("uint8", "dynamic"), [(False, False), (False, True), (True, True)])
def test_blank_picture_has_no_say(tmp_path: Path, uint8: bool, dynamic: bool) -> None:
    G = random_generator(resnet_widths(8, 3), dtype=torch.float32)
    pictures = torch.cat([random_pictures(1, 3, 32, 32, dtype=torch.float32), blank(0.3)])
    how = ExportSettings(size=32, uint8=uint8, dynamic=dynamic)
    report = export_onnx(G, tmp_path / "G.onnx", how, pictures=pictures)
    assert report.mute == 1 + 2 * dynamic  # with free sizes it is compared in a batch of two, as well
    assert report.max_abs <= report.tolerance
    assert report.pictures >= 3  # the other picture, and two of noise


def test_float32_itself_loses_blank_pictures_and_no_others() -> None:
    G = random_generator(resnet_widths(8, 3), dtype=torch.float32)
    exact = random_generator(resnet_widths(8, 3))
    for level in (-1.0, 0.0, 0.3, 1.0):
        assert verify.is_mute(G, blank(level))
        assert (G(blank(level)) - exact(blank(level).double())).abs().max() > 0.1
    assert not verify.is_mute(G, random_pictures(1, 3, 32, 32, dtype=torch.float32))
    assert verify.lost_by_float32(G, random_pictures(1, 3, 32, 32, dtype=torch.float32)) < 1e-5


def test_blank_pictures_do_not_hide_a_wrong_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxsim, "simplify", spoiled)
    G = random_generator(resnet_widths(4, 1), dtype=torch.float32)
    with pytest.raises(VerificationError, match=r"found a difference of \S+ on picture 1 of 2"):
        export_onnx(G, tmp_path / "G.onnx", ExportSettings(size=32), pictures=blank(0.3))
