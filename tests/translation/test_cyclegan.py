"""Results are, byte by byte, the files that CycleGAN's test.py writes."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ganprune.translation import TranslateSettings, open_source, translate_pictures
from ganprune.translation.preparation import Preparation
from tests.images.pictures import write
from tests.translation.kit import result_file, seen, write_kinds, write_run


@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
@torch.inference_mode()
def test_every_kind_of_picture_becomes_cyclegans_file(tmp_path: Path, direction: str) -> None:
    networks, names = write_run(tmp_path), write_kinds(tmp_path / "in")
    there, back = ("G_A", "G_B") if direction == "AtoB" else ("G_B", "G_A")
    source = open_source(tmp_path, direction, both=True)
    settings = TranslateSettings(("fake", "real", "rec"), Preparation(height=32, width=32), upright=False)
    done = translate_pictures(source, tmp_path / "in", tmp_path / "out", settings)
    mine, other = direction[0], direction[-1]
    for name in names:
        real = seen(tmp_path / "in" / name, 32, 32)
        fake = networks[there](real)
        wanted = {f"real_{mine}": real, f"fake_{other}": fake, f"rec_{mine}": networks[back](fake)}
        for label, picture in wanted.items():
            written = tmp_path / "out" / f"{Path(name).stem}_{label}.png"
            assert written.read_bytes() == result_file(picture), written.name
    assert len(list((tmp_path / "out").iterdir())) == done.files == 3 * len(names)
    assert (done.pictures, done.translated, done.skipped, done.unreadable) == (len(names), len(names), 0, ())


@pytest.mark.parametrize(
    ("mode", "given", "wanted"),
    [
        ("none", (44, 20), (44, 20)),
        ("none", (64, 100), (64, 100)),
        ("scale_width", (72, 60), (24, 20)),
        ("scale_width", (24, 40), (24, 40)),
        ("scale_width", (50, 100), (24, 48)),
    ],
)
@torch.inference_mode()
def test_other_modes_are_cyclegans_where_sizes_are_multiples_of_4(
    tmp_path: Path, mode, given, wanted
) -> None:
    net = write_run(tmp_path, ("G_A",))["G_A"]
    path = write(tmp_path / "in/a.png", 1, *given)
    settings = TranslateSettings(prepare=Preparation(mode, 24, 24))
    translate_pictures(open_source(tmp_path / "G_A.safetensors"), path, tmp_path / "out", settings)
    assert (tmp_path / "out/a_fake_B.png").read_bytes() == result_file(net(seen(path, *wanted)))


@pytest.mark.parametrize(
    ("mode", "given", "wanted"),
    [
        ("none", (362, 529), (362, 529)),
        ("none", (255, 257), (255, 257)),
        ("none", (101, 100), (101, 100)),
        ("none", (5, 3), (5, 3)),
        ("none", (1, 1), (1, 1)),
        ("scale_width", (362, 529), (24, 35)),
        ("scale_width", (50, 30), (24, 14)),
        ("scale_width", (400, 1), (24, 1)),
    ],
)
@torch.inference_mode()
def test_pictures_keep_their_own_size_or_shape_padded_by_their_mirror_image(
    tmp_path: Path, mode, given, wanted
) -> None:
    networks = write_run(tmp_path)
    path = write(tmp_path / "in/a.png", 1, *given)
    settings = TranslateSettings(("fake", "real", "rec"), Preparation(mode, 24, 24))
    translate_pictures(open_source(tmp_path, "AtoB", both=True), path, tmp_path / "out", settings)
    (width, height), real = wanted, seen(path, *wanted)
    more = [max(side + -side % 4, 16) - side for side in (height, width)]
    padded = torch.from_numpy(np.pad(real, [(0, 0), (0, 0), (0, more[0]), (0, more[1])], mode="reflect"))
    fake = networks["G_A"](padded)
    for label, picture in (("real_A", real), ("fake_B", fake), ("rec_A", networks["G_B"](fake))):
        written = (tmp_path / f"out/a_{label}.png").read_bytes()
        assert written == result_file(picture[..., :height, :width]), label


@torch.inference_mode()
def test_height_and_width_of_the_preparation_are_not_swapped(tmp_path: Path) -> None:
    net = write_run(tmp_path, ("G_A",))["G_A"]
    path = write(tmp_path / "in/a.png", 1, 50, 30)
    settings = TranslateSettings(prepare=Preparation(height=16, width=40))
    translate_pictures(open_source(tmp_path), path, tmp_path / "out", settings)
    assert (tmp_path / "out/a_fake_B.png").read_bytes() == result_file(net(seen(path, 40, 16)))
