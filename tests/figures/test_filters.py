"""First-layer filters: pictures of them, their norms, what others keep, what fine-tuning changed."""

from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from onnx import numpy_helper
from safetensors.torch import save_file

from ganprune.figures import filter_panels
from ganprune.figures.filters import FirstLayer, filter_parts, filter_pictures
from ganprune.figures.of_run import first_layer_of
from ganprune.figures.style import LIGHT
from ganprune.runs import Run
from tests.onnx_graphs import conv, weights

GENERATOR = np.random.default_rng(3)
WEIGHTS = (GENERATOR.normal(size=(12, 3, 7, 7)) * GENERATOR.uniform(0.1, 2, (12, 1, 1, 1))).astype(np.float32)
KEPT = (0, 3, 4, 11)
TUNED = (WEIGHTS[list(KEPT)] + GENERATOR.normal(size=(4, 3, 7, 7)) / 10).astype(np.float32)
LAYER = FirstLayer("G_A", WEIGHTS, KEPT, TUNED)


def test_filters_that_go_together_are_kept_together(tmp_path: Path) -> None:
    """Behind group norm of two groups: what a file says is kept is the second group, filters 2 and 3."""
    conv(tmp_path / "original_G_A.onnx")
    whole = torch.tensor(numpy_helper.to_array(weights("w0", 4, 3, 3, 3)))
    told = {"whole": '{"stem": 2}', "kept": '{"stem": [1]}'}
    for file in ("G_A", "pruned_G_A"):
        save_file({"w0": whole[2:].clone()}, tmp_path / f"{file}.safetensors", told)
    assert first_layer_of(Run(tmp_path), "A").kept == (2, 3)


def test_cosines_are_torchs() -> None:
    wanted = torch.cosine_similarity(
        torch.from_numpy(WEIGHTS[list(KEPT)]).flatten(1), torch.from_numpy(TUNED).flatten(1)
    )
    assert LAYER.cosines == pytest.approx(wanted.numpy(), abs=1e-6)


def test_magnitude_rule_keeps_the_largest_sums_of_absolute_weights() -> None:
    sizes = [float(np.abs(filter).sum()) for filter in WEIGHTS]
    kept = sorted(sorted(range(12), key=lambda i: -sizes[i])[:4])
    assert list(LAYER.by_magnitude) == kept


def test_norms_are_of_each_filter() -> None:
    assert LAYER.norms == pytest.approx([float((filter**2).sum() ** 0.5) for filter in WEIGHTS], rel=1e-5)
    assert LAYER.dropped == (1, 2, 5, 6, 7, 8, 9, 10)


def test_sentences_count_as_a_plain_loop_does() -> None:
    kept = sorted(float(LAYER.norms[i]) for i in KEPT)
    middle = (kept[1] + kept[2]) / 2
    larger = sum(float(LAYER.norms[i]) > middle for i in LAYER.dropped)
    assert f"{larger} of the dropped are larger than half of the kept." in LAYER.sentences()[0]
    shared = len(set(KEPT) & set(LAYER.by_magnitude))
    assert LAYER.sentences()[1] == f"A magnitude rule would keep {shared} of the same 4."


def test_zero_is_grey_and_the_largest_weight_full() -> None:
    weights = np.zeros((1, 3, 7, 7), np.float32)
    weights[0, 0, 2, 5], weights[0, 1, 1, 1] = -4, 2
    (picture,) = filter_pictures(weights)
    assert picture[2, 5].tolist() == [0, 127, 127]
    assert picture[1, 1].tolist() == [127, 191, 127]


def test_tuned_filters_are_drawn_in_the_range_of_before() -> None:
    doubled = filter_pictures((WEIGHTS / 2).astype(np.float32), WEIGHTS)
    assert all(np.abs(picture.astype(int) - 127).max() <= 64 for picture in doubled)


def test_each_part_frames_what_it_says_is_kept() -> None:
    before, after, thinet, magnitude = filter_parts(LAYER, {"ThiNet": (1, 2, 3, 4)})
    assert before.framed == KEPT
    assert thinet.framed == (1, 2, 3, 4)
    assert magnitude.framed == LAYER.by_magnitude
    assert tuple(after.pictures) == KEPT
    assert after.framed == ()
    assert thinet.note == "2 of 4 as in the slim network"


def test_frames_stand_around_kept_filters_and_dropped_ones_are_empty_after_tuning() -> None:
    before, after, *_ = filter_panels(LAYER, {})
    ink = [frame for frame in before.axes[0].patches if to_hex(frame.get_edgecolor()) == LIGHT["ink"]]
    assert [_place(frame) for frame in ink] == list(KEPT)
    empty = after.axes[0].patches
    assert [_place(frame) for frame in empty] == list(LAYER.dropped)
    mosaic = np.asarray(after.axes[0].images[0].get_array())
    side = mosaic.shape[1] // 8
    shown = [bool(mosaic[i // 8 * side + side // 2, i % 8 * side + side // 2, 3]) for i in range(12)]
    assert shown == [i in KEPT for i in range(12)]


def _place(frame: object) -> int:
    """Number of the filter that a frame stands around; a filter is 9 units wide with its gaps."""
    assert isinstance(frame, Rectangle)
    return round(frame.get_y() // 9) * 8 + round(frame.get_x() // 9)
