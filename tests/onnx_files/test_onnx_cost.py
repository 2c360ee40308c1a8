from pathlib import Path

import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnxsim.model_info import ModelInfo

from ganprune.errors import InputError, UsageError
from ganprune.models.cyclegan import Generator, resnet_widths
from ganprune.onnx_files.cost import OnnxCost, cost_metadata, count, onnx_cost, picture_input, read_onnx
from ganprune.pruning.cost import macs
from tests import onnx_graphs


def cost_of(path: Path, size: int | None = None) -> OnnxCost:
    model = read_onnx(path)
    picture = picture_input(model, path)
    return onnx_cost(model, picture, picture.shape(size))


def transposed(groups: int, c: int, filters: int, k: int) -> onnx.ModelProto:
    """A stride-2 transposed convolution after a stride-2 one, both grouped, k×k, with biases."""
    nodes = [
        helper.make_node(
            "Conv", ["input", "w0", "b0"], ["small"], strides=[2, 2], group=groups, pads=[k // 2] * 4
        ),
        helper.make_node(
            "ConvTranspose", ["small", "w1", "b1"], ["output"],
            strides=[2, 2], group=groups, pads=[k // 2] * 4, output_padding=[1, 1],
        ),
    ]  # fmt: skip
    tensors = [
        onnx_graphs.weights("w0", filters * groups, c, k, k),
        onnx_graphs.weights("b0", filters * groups),
        onnx_graphs.weights("w1", filters * groups, c, k, k),
        onnx_graphs.weights("b1", c * groups),
    ]
    return onnx_graphs.model(nodes, tensors, [("input", TensorProto.FLOAT, ("n", c * groups, "h", "w"))])


@given(
    groups=st.integers(1, 3),
    c=st.integers(1, 4),
    filters=st.integers(1, 4),
    k=st.sampled_from((1, 3, 5)),
    h=st.integers(2, 12),
    w=st.integers(2, 12),
)
def test_grouped_and_transposed_convolutions_are_counted_as_their_formula_says(
    groups: int, c: int, filters: int, k: int, h: int, w: int
) -> None:
    counted = count(transposed(groups, c, filters, k), "input", (1, c * groups, 2 * h, 2 * w))
    each = groups * c * filters * k * k  # weights of either layer
    assert counted.macs_true == 2 * each * h * w
    assert counted.macs_paper == each * h * w + each * 4 * h * w
    assert counted.params == 2 * each + groups * (filters + c)
    fixed = transposed(groups, c, filters, k)
    for axis, size in ((0, 1), (2, 2 * h), (3, 2 * w)):
        fixed.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = size
    assert counted.macs_true == ModelInfo(fixed).macs


def test_figures_are_for_one_picture_whatever_the_batch() -> None:
    model = transposed(1, 3, 4, 3)
    assert count(model, "input", (1, 3, 8, 8)) == count(model, "input", (5, 3, 8, 8))


def test_metadata_of_ours_outlive_a_graph_rewrite_and_scale_with_the_picture(tmp_path: Path) -> None:
    widths = resnet_widths(4, 2)
    path = onnx_graphs.conv(tmp_path / "ours.onnx", dims=("n", 3, "h", "w"))
    model = onnx.load(path)
    true, paper = macs(Generator(widths), 32, 48, "true"), macs(Generator(widths), 32, 48, "paper")
    helper.set_model_props(model, cost_metadata(123, true, paper, 32, 48))
    onnx.save(model, path)
    at_64 = (macs(Generator(widths), 64, 64, "true"), macs(Generator(widths), 64, 64, "paper"))
    assert cost_of(path, 64) == OnnxCost(123, *at_64, "metadata")


def test_damaged_metadata_are_not_believed(tmp_path: Path) -> None:
    path = onnx_graphs.conv(tmp_path / "ours.onnx")
    model = onnx.load(path)
    helper.set_model_props(model, cost_metadata(123, 1, 2, 32, 32) | {"ganprune.macs_true": "many"})
    onnx.save(model, path)
    assert cost_of(path) == OnnxCost(4 * 3 * 9, 4 * 3 * 9 * 256, 4 * 3 * 9 * 256, "graph")


def test_unknown_sizes_leave_macs_open_but_not_parameters() -> None:
    model = transposed(1, 3, 4, 3)
    reshape = helper.make_node("Reshape", ["input", "sizes"], ["small"])
    del model.graph.node[0]
    model.graph.node.insert(0, reshape)
    model.graph.input.append(helper.make_tensor_value_info("sizes", TensorProto.INT64, [4]))
    assert count(model, "input", (1, 3, 8, 8)) == OnnxCost(2 * 4 * 3 * 9 + 4 + 3, None, None, "graph")


def test_ones_and_zeros_of_a_norm_without_parameters_are_none() -> None:
    norm = helper.make_node("InstanceNormalization", ["input", "scale", "shift"], ["output"])
    scale = helper.make_tensor("scale", TensorProto.FLOAT, [3], [1.0] * 3)
    inputs = [("input", TensorProto.FLOAT, (1, 3, 8, 8))]
    for values, parameters in (([0.0] * 3, 0), ([0.0, 0.5, 0.0], 3)):
        shift = helper.make_tensor("shift", TensorProto.FLOAT, [3], values)
        assert (
            count(onnx_graphs.model([norm], [scale, shift], inputs), "input", (1, 3, 8, 8)).params
            == parameters
        )


def test_free_sizes_are_filled_in_and_fixed_ones_kept(tmp_path: Path) -> None:
    def shape(path: Path, size: int | None = None) -> tuple[int, ...]:
        return picture_input(read_onnx(path), path).shape(size)

    free = onnx_graphs.conv(tmp_path / "free.onnx", dims=("n", 3, None, "w"))
    fixed = onnx_graphs.conv(tmp_path / "fixed.onnx", dims=(2, 1, 24, 40))
    last = onnx_graphs.uint8_last(tmp_path / "last.onnx")
    assert shape(free) == (1, 3, 256, 256)
    assert shape(free, 64) == (1, 3, 64, 64)
    assert shape(fixed) == (2, 1, 24, 40)
    assert shape(last, 64) == (1, 64, 64, 3)
    with pytest.raises(
        UsageError, match=r"fixed\.onnx: needed an input of 64×64 pixels, found a fixed 24×40"
    ):
        shape(fixed, 64)


def test_other_files_are_told_apart_from_networks_that_take_a_picture(tmp_path: Path) -> None:
    def refuse(path: Path, match: str) -> None:
        with pytest.raises(InputError, match=match):
            cost_of(path)

    (tmp_path / "empty.onnx").write_bytes(b"")
    (tmp_path / "text.onnx").write_text("not a network at all, but forty bytes of prose")
    torch.save({"model.1.weight": torch.zeros(3)}, tmp_path / "torch.onnx")
    whole = onnx_graphs.conv(tmp_path / "whole.onnx").read_bytes()
    (tmp_path / "half.onnx").write_bytes(whole[: len(whole) // 2])
    for name in ("empty", "text", "torch", "half"):
        refuse(tmp_path / f"{name}.onnx", f"{name}.onnx: needed an ONNX file, found none inside")
    refuse(onnx_graphs.two_inputs(tmp_path / "two.onnx"), "one input, the picture, found left, right")
    refuse(
        onnx_graphs.of_kind(tmp_path / "ids.onnx", TensorProto.INT64, (1, 3, 8, 8)),
        "needed float32 or uint8 pictures of 4 dimensions, found that tokens is int64 of 4",
    )
    refuse(onnx_graphs.of_kind(tmp_path / "flat.onnx", TensorProto.FLOAT, (1, 8)), "tokens is float of 2")
    with pytest.raises(UsageError, match=r"found no file .*nowhere\.onnx; run ganprune export --onnx first"):
        cost_of(tmp_path / "nowhere.onnx")
