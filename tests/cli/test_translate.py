"""``ganprune translate`` on every kind of source, and what it says when it stops."""

import shutil
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from ganprune.checkpoints import load_generator
from ganprune.images import load_pictures, save_picture
from ganprune.storage.files import Over
from ganprune.translation import run as translation
from ganprune_exporters import ExportSettings, export_onnx
from tests.cli.conftest import Mission, Place
from tests.cli.kit import Outcome, ganprune, listing
from tests.cli.test_bad_input import refusal
from tests.images.pictures import draw, write
from tests.translation.kit import pixels, result_file, seen
from tests.videos import write_video

SUFFIX = {"AtoB": "fake_B", "BtoA": "fake_A"}


def translate(*words: object) -> Outcome:
    """With as many threads as the expected files are made with: sums are then rounded alike."""
    return ganprune("translate", *words, "--threads", 1)


@torch.inference_mode()
def expected(network: Path, picture: Path, size: int) -> bytes:
    """The file that CycleGAN's test.py would write."""
    return result_file(load_generator(network)(seen(picture, size, size)))


@pytest.mark.parametrize(("direction", "name"), [("AtoB", "G_A"), ("BtoA", "G_B")])
def test_run_translates_at_its_own_size(mission: Mission, place: Place, here: Path, direction, name) -> None:
    found = translate(mission.run, place.data / "testA", "-o", "out", "--direction", direction)
    assert found.code == 0, found.err
    pictures = sorted((place.data / "testA").iterdir())
    for picture in pictures:
        written = here / "out" / f"{picture.stem}_{SUFFIX[direction]}.png"
        assert written.read_bytes() == expected(mission.run / f"{name}.safetensors", picture, 32)
    assert len(list((here / "out").iterdir())) == len(pictures)
    assert found.out.startswith(f"8 files for 8 pictures in out; {direction} by {mission.run / name}.safet")
    assert len(found.out.splitlines()) == 1
    assert found.err.splitlines()[-1] == f"next: ganprune evaluate {mission.run} --features FILE"


def test_a_video_is_translated_in_its_own_size(mission: Mission, here: Path) -> None:
    frames = [np.full((40, 60, 3), grey, np.uint8) for grey in (0, 100, 200)]
    write_video(here / "clip.mov", frames)
    found = translate(mission.run, "clip.mov", "-o", "out", "--set", "batch=2")
    assert found.code == 0, found.err
    assert found.out.startswith("1 file for 3 frames in out; AtoB by ")
    assert "frames a second" in found.out
    assert "translate frames 3/3" in found.err
    with av.open(str(here / "out/clip_fake_B.mp4")) as made:
        assert [frame.to_ndarray(format="rgb24").shape for frame in made.decode(video=0)] == [(40, 60, 3)] * 3
    again = refusal(translate(mission.run, "clip.mov", "-o", "out"), 2)
    assert again.startswith("error: 1 of 1 files to be written are already there")


def test_latest_run_is_found(mission: Mission, place: Place, here: Path, monkeypatch) -> None:
    monkeypatch.chdir(mission.folder)
    picture = place.data / "testA/00.png"
    found = translate("runs/latest", picture, "-o", here / "out", "--json", "--size", "48")
    assert found.code == 0, found.err
    assert found.json["source"] == f"runs/{mission.run.name}"
    written = (here / "out/00_fake_B.png").read_bytes()
    assert written == expected(mission.run / "G_A.safetensors", picture, 48)


def test_json_tells_what_was_done(place: Place, here: Path) -> None:
    words = (place.checkpoint, place.data / "testB", "-o", "out", "--size", "32", "--json")
    found = translate(*words, "--direction", "BtoA", "--save", "fake,rec", "--set", "batch=3").json
    assert found.pop("seconds") > 0
    assert found.pop("pictures_per_second") > 0
    assert found == {
        "schema": 1, "source": str(place.checkpoint), "direction": "BtoA", "folder": "out",
        "network": str(place.checkpoint / "latest_net_G_B.pth"),
        "pictures": 8, "translated": 8, "files": 16, "skipped": 0, "unreadable": [],
        "next_command": f"ganprune compress {place.checkpoint} --data DIR",
    }  # fmt: skip
    again = translate(*words, "--direction", "BtoA", "--resume").json
    assert (again["translated"], again["files"], again["skipped"]) == (0, 0, 8)


def test_file_of_a_checkpoint_translates_its_own_way(place: Place, here: Path) -> None:
    picture, network = place.data / "testB/03.png", place.checkpoint / "latest_net_G_B.pth"
    found = translate(network, picture, "-o", "out")
    assert found.code == 0, found.err
    assert (here / "out/03_fake_A.png").read_bytes() == expected(network, picture, 256)
    assert found.err.splitlines()[-1] == f"next: ganprune compress {network} --data DIR"


@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_lone_generator_gets_its_names_from_direction(place: Place, here: Path, direction: str) -> None:
    shutil.copy(place.checkpoint / "latest_net_G_B.pth", "zebra.pth")
    picture = place.data / "testA/00.png"
    found = translate("zebra.pth", picture, "-o", "out", "--size", "16", "--direction", direction)
    assert "zebra.pth is one generator alone" in found.err
    assert [path.name for path in Path("out").iterdir()] == [f"00_{SUFFIX[direction]}.png"]
    assert Path(f"out/00_{SUFFIX[direction]}.png").read_bytes() == expected(Path("zebra.pth"), picture, 16)


@pytest.mark.parametrize("dynamic", [False, True])
def test_onnx_and_pytorch_agree_to_a_grey_level(place: Place, here: Path, dynamic: bool) -> None:
    network = place.checkpoint / "latest_net_G_A.pth"
    export_onnx(load_generator(network), here / "G.onnx", ExportSettings(32, dynamic=dynamic))
    size = ("--size", "48") if dynamic else ()
    found = translate("G.onnx", place.data / "testA", "-o", "onnx", "--set", "batch=3", *size)
    assert found.code == 0, found.err
    assert found.err.splitlines()[-1] == "next: ganprune bench --cpu G.onnx"
    pixel = "48" if dynamic else "32"
    assert translate(network, place.data / "testA", "-o", "torch", "--size", pixel).code == 0
    for path in Path("torch").iterdir():
        assert pixels(path).shape == (int(pixel), int(pixel), 3)
        assert np.abs(pixels(path) - pixels(here / "onnx" / path.name)).max() <= 1


def test_onnx_of_any_size_keeps_the_shape_of_pictures(place: Place, here: Path) -> None:
    network = place.checkpoint / "latest_net_G_A.pth"
    export_onnx(load_generator(network), here / "G.onnx", ExportSettings(32, dynamic=True))
    for i, size in enumerate([(33, 50), (64, 20), (33, 50)]):
        write(here / f"in/{i}.png", i, *size)
    for source in ("G.onnx", network):
        words = (source, "in", "-o", f"by {Path(source).suffix}", "--preprocess", "none", "--set", "batch=2")
        assert translate(*words).code == 0
    for i, shape in enumerate([(50, 33, 3), (20, 64, 3), (50, 33, 3)]):
        both = [pixels(here / folder / f"{i}_fake_B.png") for folder in ("by .onnx", "by .pth")]
        assert both[0].shape == shape
        assert np.abs(both[0] - both[1]).max() <= 1


def test_interrupted_translation_keeps_whole_files_and_goes_on(
    place: Place, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (place.checkpoint, place.data / "testA", "--size", "16")

    def stopping(path: Path, picture: torch.Tensor, over: Over) -> None:
        if path.name == "03_fake_B.png":
            raise KeyboardInterrupt
        save_picture(path, picture, over)

    with monkeypatch.context() as patch:
        patch.setattr(translation, "save_picture", stopping)
        stopped = translate(*words, "-o", "out")
    assert stopped.code == 130
    again = f"ganprune translate {' '.join(map(str, words))} -o out --threads 1 --resume"
    assert stopped.err.splitlines()[-1] == f"interrupted; to go on, run: {again}"
    before = listing(here / "out")
    assert [Path(name).name for name in sorted(before)] == [f"0{i}_fake_B.png" for i in range(3)]

    assert "3 of 8 files" in refusal(translate(*words, "-o", "out", "-q"), 2)
    assert translate(*words, "-o", "out", "--resume").code == 0
    assert translate(*words, "-o", "calm").code == 0
    after = listing(here / "out")
    assert {name: after[name] for name in before} == before
    for path in (here / "calm").iterdir():
        assert (here / "out" / path.name).read_bytes() == path.read_bytes()


def test_few_unreadable_pictures_are_named_and_many_end_with_3(place: Place, here: Path) -> None:
    for i in range(11):
        write(here / f"in/{i:02}.png", i, 16, 16)
    (here / "in/05.png").write_bytes(b"no picture")
    words = (place.checkpoint, "in", "--size", "16", "-q")
    found = translate(*words, "-o", "few", "--json")
    assert found.json["unreadable"] == ["in/05.png"]
    assert found.err == "warning: skipped 1 of 11 pictures in in that cannot be read: 05.png (no picture)\n"
    (here / "in/06.png").write_bytes(b"")
    assert "2 of 11 pictures in in cannot be read" in refusal(translate(*words, "-o", "many"), 3)
    assert len(list(Path("many").iterdir())) == 9
    told = "in/06.png cannot be read as a picture (no picture); remove or replace it"
    assert refusal(translate(place.checkpoint, "in/06.png", "-o", "one", "-q"), 3) == f"error: {told}"


def test_only_the_generator_that_is_asked_for_is_read(place: Place, here: Path) -> None:
    shutil.copytree(place.checkpoint, here / "own")
    for name in ("G_B", "D_A", "D_B"):
        (here / "own" / f"latest_net_{name}.pth").write_bytes(b"cut short")
    done = translate("own", place.data / "testA", "-o", "out", "--json")
    assert done.json["network"].endswith("latest_net_G_A.pth")
    other = translate("own", place.data / "testB", "-o", "back", "--direction", "BtoA")
    assert "latest_net_G_B.pth" in refusal(other, 3)
    both = translate("own", place.data / "testA", "-o", "both", "--save", "fake,rec")
    assert "latest_net_G_B.pth" in refusal(both, 3)


def unfinished(run: Path) -> None:
    (run / "G_B.safetensors").unlink()


def damaged(run: Path) -> None:
    (run / "config.toml").write_text("[settings")


@pytest.mark.parametrize(
    ("damage", "told"),
    [(unfinished, "has no slim generators yet; finish it first: ganprune compress"), (damaged, "is damaged")],
)
def test_run_that_cannot_be_used_is_refused(run: Path, place: Place, damage, told: str) -> None:
    damage(run)
    assert told in refusal(translate(run, place.data / "testA", "-o", "out"), 3)


REFUSED = {
    "no -o": (("CKPT", "A"), 2, "give -o DIR"),
    "no source": (("gone", "A", "-o", "out"), 2, "gone does not exist; give a run, a CycleGAN folder"),
    "no ONNX": (("gone.onnx", "A", "-o", "out"), 2, "gone.onnx does not exist"),
    "no pictures": (("CKPT", "gone", "-o", "out"), 2, "gone does not exist; give a folder of pictures"),
    "data folder": (("CKPT", "DATA", "-o", "out", "--direction", "BtoA"), 3, "give one of them: DATA/testB"),
    "no run": (("runs/latest", "A", "-o", "out"), 2, "runs/latest does not exist"),
    "both": (("CKPT", "A", "-o", "out", "--resume", "--overwrite"), 2, "--overwrite and --resume contradict"),
    "save": (("CKPT", "A", "-o", "out", "--save", "fake,all"), 2, "some of fake,real,rec, each once, found"),
    "mode": (
        ("CKPT", "A", "-o", "out", "--preprocess", "crop"),
        2,
        "--preprocess must be one of auto, resize",
    ),
    "size": (("CKPT", "A", "-o", "out", "--size", "30"), 2, "--size must be a multiple of 4"),
    "tile": (("CKPT", "A", "-o", "out", "--tile", "0"), 2, "--tile must be a multiple of 4 from 32, f"),
    "batch": (("CKPT", "A", "-o", "out", "--set", "batch=0"), 2, "--set batch must be 1 or more"),
    "direction": (
        ("CKPT", "A", "-o", "out", "--direction", "AB"),
        2,
        "--direction must be one of AtoB, BtoA",
    ),
    "device": (("CKPT", "A", "-o", "out", "--device", "tpu"), 2, "--device must be cpu"),
    "precision": (
        ("CKPT", "A", "-o", "out", "--set", "precision=f16"),
        2,
        "--set precision must be one of float32",
    ),
    "threads": (("CKPT", "A", "-o", "out", "--threads", "0"), 2, "--threads must be 1 to"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_done_is_refused_with_one_line(place: Place, here: Path, kind: str) -> None:
    words, code, told = REFUSED[kind]
    places = {"CKPT": place.checkpoint, "DATA": place.data, "A": place.data / "testA"}
    outcome = ganprune("translate", *(places.get(word, word) for word in words))
    assert told.replace("DATA", str(place.data)) in refusal(outcome, code)
    assert not list(here.iterdir())


@pytest.mark.parametrize(
    "wish", [("--set", "precision=bfloat16"), ("--save", "fake,rec"), ("--preprocess", "none")]
)
def test_onnx_file_says_what_it_cannot_do(place: Place, here: Path, wish: tuple[str, str]) -> None:
    export_onnx(load_generator(place.checkpoint / "latest_net_G_A.pth"), here / "G.onnx", ExportSettings(32))
    outcome = translate("G.onnx", place.data / "testA", "-o", "out", *wish)
    assert wish[1].removeprefix("fake,") in refusal(outcome, 2)
    free = ("--set", "precision=auto", "--device", "auto", "-q")
    assert translate("G.onnx", place.data / "testA", "-o", "out", *free).err == ""


def test_finished_pictures_are_those_that_the_search_saw(mission: Mission, place: Place, here: Path) -> None:
    """The ``real`` picture is the one that the library's own reading gives, up to truncation."""
    picture = place.data / "testA/00.png"
    assert translate(mission.run, picture, "-o", "out", "--save", "real").code == 0
    read = load_pictures([picture], 32)[0].permute(1, 2, 0).numpy().astype(int)
    assert (read - pixels(here / "out/00_real_A.png")).min() >= 0
    assert (read - pixels(here / "out/00_real_A.png")).max() <= 1


def test_pictures_are_told_about_and_taken_otherwise_on_request(place: Place, here: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = draw(1, 33, 50).convert("RGBA")
    picture.putalpha(100)
    Path("in").mkdir()
    picture.save("in/a.png", exif=exif)
    words = (place.checkpoint, "in", "--preprocess", "none")
    found = translate(*words, "-o", "rgb")
    assert found.code == 0, found.err
    assert "orientation says; --as-stored takes them as they lie: a.png" in found.err
    assert "without their alpha channel; --keep-alpha keeps it: a.png" in found.err
    assert pixels(here / "rgb/a_fake_B.png").shape == (33, 50, 3)
    found = translate(*words, "-o", "rgba", "--as-stored", "--keep-alpha", "--tile", "32")
    assert found.code == 0, found.err
    assert (
        "in tiles of 32×32 pixels that overlap by a quarter: instance norm takes its statistics" in found.err
    )
    with Image.open(here / "rgba/a_fake_B.png") as written:
        assert (written.mode, written.size) == ("RGBA", (33, 50))
        assert written.getchannel("A").getextrema() == (100, 100)


def test_picture_statistics_are_an_option(place: Place, here: Path) -> None:
    found = translate(
        place.checkpoint, place.data / "testA", "-o", "out", "--size", 16, "--set", "picture-statistics=true"
    )
    assert found.code == 0, found.err
    assert (
        "--set picture-statistics=true: each picture's own statistics for the batch norm in none of"
        in found.err
    )
