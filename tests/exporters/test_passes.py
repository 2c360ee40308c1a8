"""Every rewrite, alone and with the others: the file computes what PyTorch computes."""

import copy
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper

from ganprune.checkpoints import load_generator
from ganprune.errors import UsageError, VerificationError
from ganprune.images import find_domains, load_pictures, to_float
from ganprune.models.cyclegan import NORMS, GeneratorWidths, Norm, has_biases, resnet_widths
from ganprune_exporters import ExportSettings, chain, export_onnx
from ganprune_exporters.passes import CHOICES, DEFAULT, Pass, apply, rewrite, with_shapes, without
from ganprune_exporters.passes.winograd import Winograd
from tests import onnx_graphs
from tests.checkpoints.builders import make_generator
from tests.strategies import generator_widths
from tests.tiny import random_generator, random_pictures

UNEVEN = GeneratorWidths(3, 5, 4, (2, 6), 7, 2)
EVERY = [f"{name}={c}" for name, choices in CHOICES.items() for c in choices] + [
    name for name, choices in CHOICES.items() if not choices
]


@cache
def plain(widths: GeneratorWidths, how: ExportSettings, norm: Norm = "instance") -> ModelProto:
    return chain.plain(make_generator(1, widths, norm), how)[0]


def output(model: ModelProto, picture: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["output"], {"input": picture})[0])


def picture(size: int = 32, channels: int = 3) -> np.ndarray:
    return random_pictures(1, channels, size, size, dtype=torch.float32).numpy()


def operators(model: ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


# The same pictures


@pytest.mark.parametrize("simplify", [True, False])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("spec", EVERY)
def test_each_pass_alone_keeps_what_the_graph_computes(spec: str, norm: Norm, simplify: bool) -> None:
    model = plain(UNEVEN, ExportSettings(size=32, simplify=simplify), norm)
    after, report = apply(rewrite(spec), model)
    np.testing.assert_allclose(output(after, picture()), output(model, picture()), atol=2e-6, rtol=0)
    assert report.applied == (spec != "dead-biases" or has_biases(norm)) & (not spec.startswith("winograd"))
    onnx.checker.check_model(after, full_check=True)


@settings(max_examples=12, deadline=None)
@given(generator_widths(), st.sets(st.sampled_from(sorted(CHOICES))), st.sampled_from(NORMS))
def test_any_passes_together_are_within_tolerance_for_any_widths(
    widths: GeneratorWidths, left_out: set[str], norm: Norm
) -> None:
    how = ExportSettings(size=16, passes=without(tuple(left_out)))
    with TemporaryDirectory() as folder:
        report = export_onnx(make_generator(2, widths, norm), Path(folder) / "G.onnx", how)
    assert report.max_abs <= 1e-4
    assert not left_out & {name.partition("=")[0] for name in report.rewrites}


@pytest.mark.parametrize("bias", [[], ["b"]])
@pytest.mark.parametrize("channels", [(1, 1), (5, 3), (8, 8)])
def test_winograd_computes_the_convolution(channels: tuple[int, int], bias: list[str]) -> None:
    tensors = [onnx_graphs.weights("w", *channels[::-1], 3, 3), onnx_graphs.weights("b", channels[1])]
    node = helper.make_node("Conv", ["input", "w", *bias], ["output"], "c", kernel_shape=[3, 3])
    model = onnx_graphs.model([node], tensors, [("input", TensorProto.FLOAT, (1, channels[0], 18, 10))])
    model = with_shapes(model)
    after, report = apply(Winograd(1), model)
    x = random_pictures(1, channels[0], 18, 10, dtype=torch.float32).numpy()
    wanted = output(model, x)
    assert report.applied
    np.testing.assert_allclose(output(after, x), wanted, atol=1e-6 * np.abs(wanted).max() * 10, rtol=0)
    assert "MatMul" in operators(after)


def test_all_passes_at_once_on_a_network_wide_enough_for_winograd(tmp_path: Path) -> None:
    how = ExportSettings(size=32, passes=(*DEFAULT[:-1], "winograd=96"))
    widths = GeneratorWidths(2, 2, 96, (96, 96), 2, 2)
    report = export_onnx(random_generator(widths, dtype=torch.float32), tmp_path / "G.onnx", how)
    assert report.rewrites == ("dead-biases", "last-convolution=4", "transposed-convolutions", "winograd=96")
    assert report.max_abs <= 1e-4
    assert operators(onnx.load(report.path)).count("MatMul") == 2 * 4
    assert report.file_bytes < 1.1 * 4 * 96 * 96 * 9 * 4  # weights are transformed when the file is loaded


# What is changed, and what is left alone


def test_dead_biases_are_those_that_only_norms_read() -> None:
    conv = helper.make_node("Conv", ["input", "w", "b"], ["map"])
    norm = helper.make_node("InstanceNormalization", ["map", "one", "one"], ["normed"])
    alive = helper.make_node("Add", ["normed", "map"], ["output"])
    dead = helper.make_node("Identity", ["normed"], ["output"])
    tensors = [onnx_graphs.weights("w", 2, 3, 1, 1), *(onnx_graphs.weights(name, 2) for name in ("b", "one"))]
    ends = [("input", TensorProto.FLOAT, (1, 3, 8, 8))]
    for last, inputs in ((alive, 3), (dead, 2)):
        after, report = apply(rewrite("dead-biases"), onnx_graphs.model([conv, norm, last], tensors, ends))
        assert len(after.graph.node[0].input) == inputs
        assert report.applied == (inputs == 2)
        assert ("b" in {tensor.name for tensor in after.graph.initializer}) == (inputs == 3)


def test_last_convolution_becomes_one_of_stride_4_with_48_filters_and_tanh_right_behind() -> None:
    after, _ = apply(rewrite("last-convolution"), plain(UNEVEN, ExportSettings(size=32)))
    conv, tanh, spread = list(after.graph.node)[-3:]
    assert [conv.op_type, tanh.op_type, spread.op_type] == ["Conv", "Tanh", "DepthToSpace"]
    shapes = {tensor.name: tuple(tensor.dims) for tensor in after.graph.initializer}
    assert shapes[conv.input[1]] == (48, 2, 10, 10)
    assert shapes[conv.input[2]] == (48,)


def test_blocks_that_do_not_fit_the_picture_are_left_alone() -> None:
    model = plain(UNEVEN, ExportSettings(size=36))
    after, report = apply(rewrite("last-convolution=8"), model)
    assert not report.applied
    assert "multiples of the block's size" in report.note
    assert after == model


def test_transposed_convolutions_are_gone_and_their_products_as_many() -> None:
    how = ExportSettings(size=32)
    before = plain(UNEVEN, how)
    after, _ = apply(rewrite("transposed-convolutions"), before)
    assert operators(before).count("ConvTranspose") == 2
    assert "ConvTranspose" not in operators(after)
    for maps in ((7, 4), (2, 7)):
        kernels = [t.dims[2:] for t in after.graph.initializer if tuple(t.dims[:2]) == maps]
        assert sorted(tuple(kernel) for kernel in kernels) == [(1, 1), (1, 2), (2, 1), (2, 2)]  # 9 taps


def test_a_pass_leaves_the_graph_it_was_given_alone() -> None:
    model = plain(UNEVEN, ExportSettings(size=32))
    before = model.SerializeToString()
    for spec in EVERY:
        apply(rewrite(spec), model)
    assert model.SerializeToString() == before


def test_names_of_nodes_do_not_matter() -> None:
    model = copy.deepcopy(plain(UNEVEN, ExportSettings(size=32)))
    for i, node in enumerate(model.graph.node):
        node.name = "" if i % 2 else f"{i}"
    wanted = output(model, picture())
    for spec in DEFAULT:
        model, _ = apply(rewrite(spec), model)
    np.testing.assert_allclose(output(model, picture()), wanted, atol=2e-6, rtol=0)


class Spoils(Pass):
    """A pass whose postcondition finds that it went wrong."""

    name = summary = "spoils"

    def change(self, model: ModelProto) -> ModelProto:
        return model

    def broken(self, before: ModelProto, after: ModelProto) -> str | None:
        return "a picture upside down"


def test_a_broken_postcondition_is_told() -> None:
    with pytest.raises(
        VerificationError, match=r"pass spoils: .* found a picture upside down; .*no-pass=spoils"
    ):
        apply(Spoils(), plain(resnet_widths(2, 1), ExportSettings(size=16)))


# Choosing


def test_tuning_takes_the_fastest_choice_and_leaves_out_what_is_slower() -> None:
    asked: list[int] = []

    def measure(models: list[ModelProto], size: int) -> list[float]:
        asked.append(len(models))
        if len(models) == 2:  # dead-biases gains nothing, transposed-convolutions loses
            return [1.0, 0.7 if "ConvTranspose" not in operators(models[1]) else 1.0]
        return [1.0, 1.1, 1.3, 1.2]  # 4, 2, 8

    model = plain(resnet_widths(2, 1), ExportSettings(size=32))
    after, reports = chain.rewritten(model, ExportSettings(size=32, tune=True), measure)  # type: ignore[arg-type]
    assert asked == [2, 4, 2]
    found = {report.name: (report.applied, report.speedup) for report in reports}
    assert found == {
        "dead-biases": (True, 1.0), "last-convolution=2": (True, 1.3),
        "transposed-convolutions": (False, 0.7), "winograd=192": (False, None),
    }  # fmt: skip
    assert operators(after).count("ConvTranspose") == 2
    assert "0.70 times as fast" in reports[2].note


def test_tuned_choice_given_as_passes_makes_the_same_file(tmp_path: Path) -> None:
    G = random_generator(resnet_widths(2, 1), dtype=torch.float32)
    measure = lambda models, size: [1.0] + [0.5 + 0.3 * i for i in range(1, len(models))]  # noqa: E731
    tuned = export_onnx(G, tmp_path / "a.onnx", ExportSettings(size=32, tune=True), measure=measure)
    again = export_onnx(G, tmp_path / "b.onnx", ExportSettings(size=32, passes=tuned.rewrites))
    assert tuned.rewrites == ("last-convolution=8",)
    assert tuned.sha256 == again.sha256


def test_real_timing_gives_a_ratio_a_graph() -> None:
    model = plain(resnet_widths(2, 1), ExportSettings(size=16, dynamic=True))
    found = chain.speedups([model, model], 16, rounds=5)
    assert [ratio.value > 0 for ratio in found] == [True, True]
    assert found[0].value == 1


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("speed", "there is no pass speed, only dead-biases, last-convolution, "),
        ("last-convolution=3", "pass last-convolution takes one of 4, 2, 8, found '3'"),
        ("dead-biases=1", "pass dead-biases takes no number, found '1'"),
    ],
)
def test_passes_that_do_not_exist_are_refused(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ExportSettings(passes=(spec,))


def test_no_pass_takes_names_and_all() -> None:
    assert without(("all",)) == ()
    assert without(("winograd", "dead-biases")) == ("last-convolution=4", "transposed-convolutions")
    with pytest.raises(UsageError, match=r"--set no-pass takes dead-biases, .* or all, found speed"):
        without(("speed",))


# Real pictures


@pytest.mark.parametrize("file", ["modern2vintage/G_A2B_epoch33.pth", "horse2zebra/latest_net_G_A.pth"])
def test_real_generator_is_the_same_on_real_pictures_of_several_sizes(
    tmp_path: Path, real_data: Path, file: str
) -> None:
    G = load_generator(real_data / "teachers" / file)
    paths = find_domains(real_data / "horse2zebra").train_A[:2]
    pictures = to_float(load_pictures(paths, 64))
    report = export_onnx(G, tmp_path / "fixed.onnx", ExportSettings(size=64), pictures=pictures)
    assert report.rewrites == DEFAULT
    assert report.max_abs <= 1e-4
    free = ExportSettings(size=64, dynamic=True)
    report = export_onnx(G, tmp_path / "free.onnx", free, pictures=pictures)
    assert report.max_abs <= 1e-4
    assert report.pictures == 5
