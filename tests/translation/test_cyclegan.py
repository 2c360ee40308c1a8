"""Results are, byte by byte, the files that CycleGAN's test.py writes."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from ganprune.translation import Preparation, TranslateSettings, open_source, translate_pictures
from tests.images.pictures import write
from tests.translation.kit import result_file, seen, write_kinds, write_run


@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
@torch.inference_mode()
def test_every_kind_of_picture_becomes_cyclegans_file(tmp_path: Path, direction: str) -> None:
    networks, names = write_run(tmp_path), write_kinds(tmp_path / "in")
    there, back = ("G_A", "G_B") if direction == "AtoB" else ("G_B", "G_A")
    source = open_source(tmp_path, direction, both=True)
    settings = TranslateSettings(("fake", "real", "rec"), Preparation(height=32, width=32))
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
        ("none", (37, 50), (36, 48)),  # 9.25 and 12.5 fours, rounded as Python does
        ("none", (44, 20), (44, 20)),
        ("none", (63, 65), (64, 64)),
        ("scale_width", (50, 100), (24, 48)),
        ("scale_width", (72, 60), (24, 20)),
        ("scale_width", (24, 40), (24, 40)),
        ("scale_width", (50, 30), (24, 16)),  # 14.4: CycleGAN with a crop_size of 16
        ("scale_width", (48, 43), (24, 20)),  # 21.5: the nearest multiple of 4
    ],
)
@torch.inference_mode()
def test_other_modes_keep_the_shape_of_pictures(tmp_path: Path, mode, given, wanted) -> None:
    net = write_run(tmp_path, ("G_A",))["G_A"]
    path = write(tmp_path / "in/a.png", 1, *given)
    settings = TranslateSettings(prepare=Preparation(mode, 24, 24))
    translate_pictures(open_source(tmp_path / "G_A.safetensors"), path, tmp_path / "out", settings)
    expected = result_file(net(seen(path, *wanted)))
    assert (tmp_path / "out/a_fake_B.png").read_bytes() == expected
    with Image.open(tmp_path / "out/a_fake_B.png") as picture:
        assert picture.size == wanted


@torch.inference_mode()
def test_height_and_width_of_the_preparation_are_not_swapped(tmp_path: Path) -> None:
    net = write_run(tmp_path, ("G_A",))["G_A"]
    path = write(tmp_path / "in/a.png", 1, 50, 30)
    settings = TranslateSettings(prepare=Preparation(height=16, width=40))
    translate_pictures(open_source(tmp_path), path, tmp_path / "out", settings)
    assert (tmp_path / "out/a_fake_B.png").read_bytes() == result_file(net(seen(path, 40, 16)))
