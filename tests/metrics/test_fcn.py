"""The FCN score on labels with a known answer."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from torch import Tensor

from ganprune.errors import DataError, InputError, UsageError
from ganprune.metrics import Segmenter, decode_labels, fcn_score, read_labels
from ganprune.metrics.fcn import measures
from ganprune.metrics.labels import CITYSCAPES, IGNORED, VOID
from tests.onnx_graphs import model
from tests.tiny import seeded

PALETTE = torch.tensor(list(CITYSCAPES.values()), dtype=torch.uint8)


def nearest_colour(path: Path, dims: tuple[int | str, ...] = (1, 3, "h", "w"), classes: int = 19) -> Path:
    """A network of one 1×1 convolution whose largest logit is the class of the nearest colour."""
    colours = PALETTE[:classes].numpy().astype(np.float32)
    weight = numpy_helper.from_array(2 * colours.reshape(classes, 3, 1, 1), "w")
    bias = numpy_helper.from_array(-np.square(colours).sum(1), "b")
    node = helper.make_node("Conv", ["picture", "w", "b"], ["logits"])
    onnx.save(model([node], [weight, bias], [("picture", TensorProto.FLOAT, dims)], "logits"), path)
    return path


def coloured(ids: Tensor) -> Tensor:
    """uint8 [h, w] of classes → uint8 [3, h, w]; void is black."""
    colours = torch.cat([PALETTE, torch.zeros(256 - 19, 3, dtype=torch.uint8)])
    return colours[ids.long()].permute(2, 0, 1)


def blocks(seed: int, classes: int = 19) -> Tensor:
    """A map of 8×8 blocks of one class each: uint8 [32, 48]."""
    ids = torch.randint(classes, (4, 6), generator=seeded(seed)).to(torch.uint8)
    return ids.repeat_interleave(8, 0).repeat_interleave(8, 1)


def save(folder: Path, name: str, picture: Tensor) -> Path:
    folder.mkdir(exist_ok=True)
    array = picture.permute(1, 2, 0).numpy() if picture.ndim == 3 else picture.numpy()
    Image.fromarray(np.ascontiguousarray(array)).save(folder / name, quality=90)
    return folder / name


def test_every_colour_is_decoded_and_ignored_ones_become_void() -> None:
    assert decode_labels(PALETTE.T[:, None]).tolist() == [list(range(19))]
    ignored = torch.tensor(IGNORED, dtype=torch.uint8).T[:, None]
    assert decode_labels(ignored).tolist() == [[VOID] * len(IGNORED)]


def test_labels_survive_jpeg_but_for_edges(tmp_path: Path) -> None:
    ids = blocks(0)
    found = read_labels(save(tmp_path, "a.jpg", coloured(ids)))
    assert found.shape == ids.shape
    centres = (slice(3, None, 8), slice(3, None, 8))
    assert torch.equal(found[centres], ids[centres])


def test_grey_labels_are_ids(tmp_path: Path) -> None:
    ids = blocks(1)
    ids[0, 0] = VOID
    assert torch.equal(read_labels(save(tmp_path, "a.png", ids)), ids)


def test_pictures_that_show_their_labels_score_1(tmp_path: Path) -> None:
    fakes = [save(tmp_path / "f", f"{i}.png", coloured(blocks(i))) for i in range(3)]
    labels = [save(tmp_path / "l", f"{i}.png", coloured(blocks(i))) for i in range(3)]
    found = fcn_score(fakes, labels, Segmenter(nearest_colour(tmp_path / "s.onnx"), "raw"), 10)
    for figure in (found.pixel_accuracy, found.class_accuracy, found.class_iou):
        assert figure.value == pytest.approx(1)
        assert figure.interval is not None
        assert (figure.interval.low, figure.interval.high) == pytest.approx((1, 1))


def test_known_errors_give_the_known_score(tmp_path: Path) -> None:
    truth, seen = torch.zeros(8, 8, dtype=torch.uint8), torch.zeros(8, 8, dtype=torch.uint8)
    truth[:, 4:] = 13  # cars on the right
    truth[7] = VOID
    seen[:, 6:] = 13  # half of them are seen as road
    fake, label = (
        save(tmp_path / "f", "a.png", coloured(seen)),
        save(tmp_path / "l", "a.png", coloured(truth)),
    )
    found = fcn_score([fake], [label], Segmenter(nearest_colour(tmp_path / "s.onnx"), "raw"), 0)
    assert found.pixel_accuracy.value == 0.75  # 28 + 14 of 56
    assert found.class_accuracy.value == 0.75  # (1 + 1/2) / 2
    assert found.class_iou.value == pytest.approx((28 / 42 + 14 / 28) / 2)
    assert found.pixel_accuracy.interval is None
    assert found.to_json()["n_classes"] == 19


def test_measures_of_a_confusion_matrix_leave_out_classes_without_labels() -> None:
    table = torch.tensor([[6, 2, 0, 0], [1, 3, 0, 0], [0, 0, 0, 0], [0, 0, 4, 4]])
    pixel, accuracy, iou = measures(table)
    assert pixel == pytest.approx(13 / 20)
    assert accuracy == pytest.approx((6 / 8 + 3 / 4 + 4 / 8) / 3)
    assert iou == pytest.approx((6 / 9 + 3 / 6 + 4 / 8) / 3)


def test_network_of_a_fixed_size_sees_pictures_of_that_size(tmp_path: Path) -> None:
    fake, label = (save(tmp_path / part, "a.png", coloured(blocks(2))) for part in "fl")
    network = Segmenter(nearest_colour(tmp_path / "s.onnx", (2, 3, 64, 96)), "raw")
    found = fcn_score([fake], [label], network, 0)
    assert network(coloured(blocks(2)), 32, 48).shape == (19, 32, 48)
    assert found.pixel_accuracy.value > 0.8  # edges are blurred


@pytest.mark.parametrize(
    ("takes", "scale"), [("unit", 1 / 255), ("keras", 1 / 127.5), ("raw", 1.0)]
)  # fmt: skip
def test_network_is_fed_as_asked(tmp_path: Path, takes: str, scale: float) -> None:
    raw, other = (Segmenter(nearest_colour(tmp_path / "s.onnx"), kind) for kind in ("raw", takes))
    low, high = (torch.full((3, 4, 4), grey, dtype=torch.uint8) for grey in (10, 200))
    change, expected = (net(high, 4, 4) - net(low, 4, 4) for net in (other, raw))
    torch.testing.assert_close(change, expected * scale, rtol=1e-3, atol=1e-2)


def test_networks_and_labels_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    file = nearest_colour(tmp_path / "s.onnx", classes=3)
    fake, label = (save(tmp_path / part, "a.png", coloured(blocks(2))) for part in "fl")
    with pytest.raises(DataError, match=r"needed labels below 3, the classes of s.onnx, found 1\d"):
        fcn_score([fake], [label], Segmenter(file))
    void = save(tmp_path / "v", "a.png", torch.full((32, 48), VOID, dtype=torch.uint8))
    with pytest.raises(DataError, match="needed pixels of scored classes, found only void"):
        fcn_score([fake], [void], Segmenter(file))
    with pytest.raises(UsageError, match=r"--fcn-input must be one of torchvision, .* found 'rgb'"):
        Segmenter(file, "rgb")
    with pytest.raises(UsageError, match=r"found no file .*gone.onnx"):
        Segmenter(tmp_path / "gone.onnx")
    with pytest.raises(InputError, match=r"needed a network of float32 RGB pictures, .* float32 1×1×any"):
        Segmenter(nearest_colour_of_grey(tmp_path / "grey.onnx"))
    with pytest.raises(InputError, match="needed logits, n×classes×height×width, found float32 1×1×8×8"):
        Segmenter(argmaxed(tmp_path / "ids.onnx"))(torch.zeros(3, 8, 8, dtype=torch.uint8), 8, 8)


def nearest_colour_of_grey(path: Path) -> Path:
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    weight = numpy_helper.from_array(np.ones((2, 1, 1, 1), np.float32), "w")
    onnx.save(model([node], [weight], [("x", TensorProto.FLOAT, (1, 1, "h", "w"))], "y"), path)
    return path


def argmaxed(path: Path) -> Path:
    """A network that gives one map, of numbers that are classes already."""
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    weight = numpy_helper.from_array(np.ones((1, 3, 1, 1), np.float32), "w")
    onnx.save(model([node], [weight], [("x", TensorProto.FLOAT, (1, 3, "h", "w"))], "y"), path)
    return path
