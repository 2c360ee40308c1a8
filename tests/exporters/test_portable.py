"""Files for runtimes that lack operators: the same pictures in few, plain ones."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, NodeProto, TensorProto, helper
from torch import nn

from ganprune import models
from ganprune.checkpoints import Own, load_generator
from ganprune.images import find_domains, load_pictures, to_float
from ganprune_exporters import ExportSettings, export_onnx
from ganprune_exporters.chain import plain, rewritten
from ganprune_exporters.opsets import lowered
from ganprune_exporters.passes import PORTABLE, apply, rewrite, with_shapes
from ganprune_exporters.variants import COMMON, export_variant
from ganprune_exporters.verify import reference
from tests import onnx_graphs
from tests.models import schools
from tests.tiny import random_pictures

few = settings(max_examples=15, deadline=None)


def output(model: ModelProto, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["output"], {"input": x})[0])


def check_alone(spec: str, node: NodeProto, tensors: list[TensorProto], shape: tuple[int, ...]) -> None:
    """One node through one pass: it is gone, and what comes out is the same, with free sizes too."""
    x = random_pictures(*shape, dtype=torch.float32).numpy()
    for dims in (shape, ("batch", shape[1], "height", "width")):
        model = with_shapes(onnx_graphs.model([node], tensors, [("input", TensorProto.FLOAT, dims)]))
        after, report = apply(rewrite(spec), model)
        assert report.applied
        assert node.op_type not in {n.op_type for n in after.graph.node}
        wanted = output(model, x)
        np.testing.assert_allclose(output(after, x), wanted, atol=1e-5 * max(1, np.abs(wanted).max()), rtol=0)


# Each pass alone


@few
@given(st.sampled_from(["reflect", "edge"]), st.lists(st.integers(0, 4), min_size=4, max_size=4).filter(any))
def test_any_pad_is_slices_and_concatenations(mode: str, sides: list[int]) -> None:
    pads = np.array([0, 0, *sides[:2], 0, 0, *sides[2:]])
    node = helper.make_node("Pad", ["input", "pads"], ["output"], "pad", mode=mode)
    check_alone("plain-pads", node, [onnx.numpy_helper.from_array(pads, "pads")], (2, 3, 5, 7))


@few
@given(
    st.integers(1, 5), st.integers(1, 3), st.integers(0, 2), st.integers(0, 2), st.sampled_from([1, 2]),
    st.integers(1, 2),
)  # fmt: skip
def test_any_transposed_convolution_is_ordinary_ones(
    kernel: int, stride: int, before: int, behind: int, groups: int, filters: int
) -> None:
    more = filters % stride  # multiples of the stride, and not
    node = helper.make_node(
        "ConvTranspose", ["input", "w", "b"], ["output"], "up", kernel_shape=[kernel] * 2,
        strides=[stride] * 2, pads=[before] * 2 + [behind] * 2, output_padding=[more] * 2, group=groups,
    )  # fmt: skip
    weights = onnx_graphs.weights("w", 2 * groups, filters, kernel, kernel)
    tensors = [weights, onnx_graphs.weights("b", filters * groups)]
    check_alone("plain-transposed-convolutions", node, tensors, (1, 2 * groups, 6, 7))


@few
@given(st.integers(1, 5), st.sampled_from([1e-5, 1e-3]))
def test_an_instance_norm_is_means_and_quotients(channels: int, epsilon: float) -> None:
    node = helper.make_node("InstanceNormalization", ["input", "w", "b"], ["output"], "norm", epsilon=epsilon)
    tensors = [onnx_graphs.weights(name, channels) for name in ("w", "b")]
    check_alone("plain-norms", node, tensors, (2, channels, 8, 6))


def test_no_sum_of_a_norm_runs_over_a_whole_map_and_old_opsets_can_say_it() -> None:
    node = helper.make_node("InstanceNormalization", ["input", "w", "b"], ["output"], "norm")
    tensors = [onnx_graphs.weights(name, 3) for name in ("w", "b")]
    model = onnx_graphs.model([node], tensors, [("input", TensorProto.FLOAT, (1, 3, 8, 6))])
    after, _ = apply(rewrite("plain-norms"), with_shapes(model))
    old = lowered(after, 11)
    means = [n for n in old.graph.node if n.op_type == "ReduceMean"]
    assert [list(n.attribute[1].ints or n.attribute[0].ints) for n in means] == [[3], [2], [3], [2]]
    x = random_pictures(1, 3, 8, 6, dtype=torch.float32).numpy()
    np.testing.assert_array_equal(output(old, x), output(after, x))


# Whole networks

FAMILIES: dict[str, Callable[[], nn.Module]] = {
    "CycleGAN": schools.resnet,
    "affine": lambda: schools.resnet("affine"),
    "U-Net": schools.unet,
    "PyTorch-GAN's U-Net": schools.LevelsUNet,
    "CUT": lambda: schools.resnet(up="blurred", down="blurred"),
    "fast style transfer": schools.UnitJohnson,
}
NEAREST = ("PyTorch-GAN's U-Net", "fast style transfer")
"""Those with a Resize, which opset 11 does not know without a region."""


@pytest.mark.parametrize("family", FAMILIES)
def test_a_portable_file_computes_the_same_with_common_operators_alone(tmp_path: Path, family: str) -> None:
    G = models.read_generator(schools.trained(FAMILIES[family]).state_dict())
    how, path = ExportSettings(size=64), tmp_path / "G.onnx"
    export_onnx(G, path, how)
    report = export_variant("portable", G, path, how, None)
    assert report.path == tmp_path / "G.portable.onnx"
    assert report.max_abs <= 2e-4
    assert report.to_pytorch <= 1e-5
    model = onnx.load(report.path)
    assert {node.op_type for node in model.graph.node} <= COMMON
    assert model.opset_import[0].version == (13 if family in NEAREST else 11)
    assert report.verdict == "only operators that most runtimes have; for those alone, as it is not faster"


def test_what_a_portable_file_needs_beside_common_operators_is_said(tmp_path: Path) -> None:
    G = models.read_generator(schools.trained(schools.resnet).state_dict())
    how, path = ExportSettings(size=32, dynamic=True), tmp_path / "G.onnx"
    export_onnx(G, path, how)
    assert "but for Shape;" in export_variant("portable", G, path, how, None).verdict


def test_udnie_is_portable_on_real_pictures(tmp_path: Path, real_data: Path) -> None:
    own = Own.of(f"{Path(__file__).parents[2] / 'benchmarks/own/udnie.py'}:Style")
    G = load_generator(real_data / "others/fast_style_udnie/weights.pth", own)
    pictures = to_float(load_pictures(find_domains(real_data / "horse2zebra").train_A[:2], 64))
    how, path = ExportSettings(size=64), tmp_path / "G.onnx"
    export_onnx(G, path, how, pictures=pictures)
    report = export_variant("portable", G, path, how, pictures)
    assert report.to_pytorch <= 1e-4
    assert "only operators that most runtimes have;" in report.verdict


# Half precision


def test_norms_left_in_float32_keep_a_float16_network_near() -> None:
    from onnxruntime.transformers.float16 import convert_float_to_float16

    G = models.read_generator(schools.trained(lambda: schools.resnet("affine")).state_dict())
    how = ExportSettings(size=64, passes=PORTABLE)
    model, _ = rewritten(plain(reference(G, how), how)[0], how)
    norms = [node.name for node in model.graph.node if "_norm_" in node.name]
    assert len(norms) >= 9 * 10
    x = random_pictures(1, 3, 64, 64, dtype=torch.float32).numpy()
    half = convert_float_to_float16(model, keep_io_types=True, node_block_list=norms)
    kinds = {
        t.data_type
        for t in half.graph.initializer
        if "weight" in t.name and len(t.dims) == 4 and t.dims[2] > 1
    }
    assert kinds == {TensorProto.FLOAT16}
    assert 0 < np.abs(output(half, x) - output(model, x)).mean() < 0.01
