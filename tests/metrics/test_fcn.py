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
from ganprune.images import reading
from ganprune.metrics import Segmenter, fcn_score
from ganprune.metrics.fcn import measures
from ganprune.metrics.labels import CITYSCAPES, IGNORED, VOID, decode_labels, read_labels
from tests.metrics.kit import drawn, ends, random_uint8
from tests.onnx_graphs import model
from tests.tiny import seeded

# Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene Understanding", CVPR 2016
COLOURS = {
    "road": (128, 64, 128), "sidewalk": (244, 35, 232), "building": (70, 70, 70), "wall": (102, 102, 156),
    "fence": (190, 153, 153), "pole": (153, 153, 153), "traffic light": (250, 170, 30),
    "traffic sign": (220, 220, 0), "vegetation": (107, 142, 35), "terrain": (152, 251, 152),
    "sky": (70, 130, 180), "person": (220, 20, 60), "rider": (255, 0, 0), "car": (0, 0, 142),
    "truck": (0, 0, 70), "bus": (0, 60, 100), "train": (0, 80, 100), "motorcycle": (0, 0, 230),
    "bicycle": (119, 11, 32),
}  # fmt: skip
PALETTE = torch.tensor(list(COLOURS.values()), dtype=torch.uint8)


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


def save(folder: Path, name: str, picture: Tensor, quality: int = 90) -> Path:
    folder.mkdir(exist_ok=True)
    array = picture.permute(1, 2, 0).numpy() if picture.ndim == 3 else picture.numpy()
    Image.fromarray(np.ascontiguousarray(array)).save(folder / name, quality=quality)
    return folder / name


def test_every_colour_is_decoded_and_ignored_ones_become_void() -> None:
    assert list(CITYSCAPES.items()) == list(COLOURS.items())
    assert decode_labels(PALETTE.T[:, None]).tolist() == [list(range(19))]
    ignored = torch.tensor(IGNORED, dtype=torch.uint8).T[:, None]
    assert decode_labels(ignored).tolist() == [[VOID] * len(IGNORED)]


@pytest.mark.parametrize("quality", [75, 90])
def test_labels_survive_jpeg_but_for_edges(tmp_path: Path, quality: int) -> None:
    ids = blocks(0)
    found = read_labels(save(tmp_path, "a.jpg", coloured(ids), quality))
    assert found.shape == ids.shape
    centres = (slice(3, None, 8), slice(3, None, 8))
    assert torch.equal(found[centres], ids[centres])


@pytest.mark.parametrize("scale", [0.5, 2])
def test_labels_survive_bilinear_resizing_but_for_edges(tmp_path: Path, scale: float) -> None:
    ids, block = blocks(0), int(8 * scale)
    with Image.open(save(tmp_path, "a.png", coloured(ids))) as picture:
        size = int(48 * scale), int(32 * scale)
        picture.resize(size, Image.Resampling.BILINEAR).save(tmp_path / "b.png")
    found = read_labels(tmp_path / "b.png")
    assert torch.equal(found[block // 2 :: block, block // 2 :: block], ids[4::8, 4::8])


def test_grey_labels_are_ids(tmp_path: Path) -> None:
    ids = blocks(1)
    ids[0, 0] = VOID
    assert torch.equal(read_labels(save(tmp_path, "a.png", ids)), ids)
    Image.fromarray(ids.numpy().astype(np.uint16)).save(tmp_path / "wide.png")
    assert torch.equal(read_labels(tmp_path / "wide.png"), ids)
    grey = Image.fromarray(ids.numpy())
    Image.merge("LA", (grey, Image.new("L", grey.size))).save(tmp_path / "clear.png")
    assert torch.equal(read_labels(tmp_path / "clear.png"), ids)


def test_pictures_that_are_no_label_maps_are_refused(tmp_path: Path) -> None:
    advice = "give label pictures in cityscapes' colours, or train ids as grey pictures of one channel"
    photo = save(tmp_path, "photo.jpg", random_uint8(1)[0])
    with pytest.raises(DataError, match=rf"photo.jpg: needed a label map, found that \d\d% of .*; {advice}"):
        read_labels(photo)
    void = "needed pixels of scored classes, found only void"
    for name, ids in (("void", torch.full_like(blocks(0), VOID)), ("rgb", blocks(0, 11).expand(3, -1, -1))):
        with pytest.raises(DataError, match=f"{name}.png: {void}; {advice}"):
            read_labels(save(tmp_path, f"{name}.png", ids))
    Image.new("I;16", (4, 4), 4096).save(tmp_path / "deep.png")
    with pytest.raises(DataError, match=f"deep.png: needed train ids from 0 to 255, found 4096; {advice}"):
        read_labels(tmp_path / "deep.png")


def test_grey_labels_that_are_far_too_large_are_refused(tmp_path: Path, monkeypatch) -> None:
    path = save(tmp_path, "a.png", blocks(0))
    monkeypatch.setattr(reading, "MAX_PIXELS", 32 * 48 - 1)
    with pytest.raises(DataError, match=r"a.png cannot be read as a picture \(far too large: over"):
        read_labels(path)


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


def test_intervals_are_of_all_pixels_of_redrawn_pictures(tmp_path: Path) -> None:
    n, resamples, generator = 5, 30, seeded(7)
    truths, seen = ([blocks(i + j) for i in range(n)] for j in (0, 40))
    for i in range(n):  # the more rows are right, the later
        seen[i][: 6 * i + 4] = truths[i][: 6 * i + 4]
    fakes = [save(tmp_path / "f", f"{i}.png", coloured(seen[i])) for i in range(n)]
    labels = [save(tmp_path / "l", f"{i}.png", coloured(truths[i])) for i in range(n)]
    segment = Segmenter(nearest_colour(tmp_path / "s.onnx"), "raw")
    found = fcn_score(fakes, labels, segment, resamples, seed=7)

    def once(chosen: np.ndarray) -> tuple[float, float, float]:
        t, s = (np.concatenate([maps[i].numpy() for i in chosen]) for maps in (truths, seen))
        classes = np.unique(t)
        accuracy = [(s[t == k] == k).mean() for k in classes]
        iou = [((s == k) & (t == k)).sum() / ((s == k) | (t == k)).sum() for k in classes]
        return float((s == t).mean()), float(np.mean(accuracy)), float(np.mean(iou))

    again = np.array([once(drawn(n, generator)) for _ in range(resamples)])
    figures = found.pixel_accuracy, found.class_accuracy, found.class_iou
    for figure, value, column in zip(figures, once(np.arange(n)), again.T, strict=True):
        assert figure.value == pytest.approx(value)
        assert figure.interval is not None
        assert (figure.interval.low, figure.interval.high) == pytest.approx(ends(column), rel=1e-6)


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
    with pytest.raises(UsageError, match=r"--set fcn-input must be one of torchvision, .* found 'rgb'"):
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
