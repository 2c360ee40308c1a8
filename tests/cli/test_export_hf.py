"""``ganprune export --hf``: a folder ready for Hugging Face, whose card's figures and lines are right."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from ganprune.images import open_picture
from tests.cli.conftest import Mission, Place
from tests.cli.kit import ganprune, listing
from tests.cli.test_bad_input import refusal


@pytest.fixture(scope="module")
def folder(mission: Mission, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Never written to by a test."""
    folder = tmp_path_factory.mktemp("hf") / "slim-horses"
    done = ganprune("export", "--hf", folder, mission.run)
    assert done.code == 0, done.err
    assert done.out.startswith(
        f"6 files in {folder}; its README.md lacks a licence, which is yours to fill in"
    )
    assert done.err.splitlines()[-1] == f"next: hf upload OWNER/NAME {folder} --exclude '.*'"
    return folder


def front(card: str) -> dict[str, Any]:
    return yaml.safe_load(card.split("---")[1])


def test_it_holds_networks_pictures_and_a_card(folder: Path, mission: Mission) -> None:
    names = {"G_A.onnx", "G_B.onnx", "G_A.safetensors", "G_B.safetensors", "pictures.png", "README.md"}
    assert {path.name for path in folder.iterdir() if not path.name.startswith(".")} == names
    for name in names - {"README.md"}:
        assert (folder / name).read_bytes() == (mission.run / name).read_bytes()
    assert ganprune("inspect", folder).code == 0


def test_the_card_says_what_it_is_and_invents_no_licence(folder: Path) -> None:
    card = (folder / "README.md").read_text()
    assert front(card) == {
        "library_name": "onnx", "pipeline_tag": "image-to-image",
        "tags": ["cyclegan", "image-to-image", "onnx", "pruning", "ganprune"],
    }  # fmt: skip
    assert "# slim-horses\nSlim image-to-image generators: " in card
    assert "stay was found by co-evolution." in card
    assert "](pictures.png)" in card
    assert str(folder.parents[1]) not in card  # no path of this machine


def test_figures_are_those_of_the_run(folder: Path, mission: Mission) -> None:
    card = (folder / "README.md").read_text()
    timed, quality = (json.loads((mission.run / name).read_text()) for name in ("bench.json", "quality.json"))
    rows = [line.strip("| ").split(" | ") for line in card.splitlines() if re.match(r"\| [AB] → ", line)]
    assert [row[0] for row in rows] == [
        "A → B, original", "A → B, slim: G_A.onnx", "B → A, original", "B → A, slim: G_B.onnx",
    ]  # fmt: skip
    for row, name in zip(rows, ("original_G_A", "G_A", "original_G_B", "G_B"), strict=True):
        (network,) = (net for net in timed["networks"] if net["name"] == name)
        ms = {time["threads"]: time["median_ms"] for time in timed["timings"] if time["network"] == name}
        assert row[1:5] == [
            f"{network['params']:,}", f"{network['file_bytes'] / 2**20:.2f}",
            f"{network['macs_true'] / 1e9:.2f}", f"{ms[min(ms)]:.1f}",
        ]  # fmt: skip
    told = quality["networks"]["G_A"]
    assert f"| untouched input, A → B | – | – | – | – | {told['inputs']['psnr']:.1f} |" in card
    assert rows[1][5] == f"{told['slim']['psnr']:.1f}"
    assert f"A → B: {told['verdict']}, measured on {told['number']} test pictures." in card


def test_lines_of_the_card_translate_as_ganprune_does(folder: Path, place: Place, tmp_path: Path) -> None:
    (lines,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    (tmp_path / "run.py").write_text(lines)
    picture = place.data / "testA/01.png"
    words = [sys.executable, "-I", tmp_path / "run.py", folder / "G_A.onnx", picture, tmp_path / "made.png"]
    subprocess.run(words, check=True, cwd=tmp_path)
    assert ganprune("translate", folder / "G_A.onnx", picture, "-o", tmp_path).code == 0
    made, known = (open_picture(tmp_path / name).int() for name in ("made.png", "01_fake_B.png"))
    assert (made - known).abs().max() <= 1


def test_lines_for_bytes_run_too(run: Path, place: Place, tmp_path: Path) -> None:
    done = ganprune("export", "--onnx", "--uint8", "--hf", tmp_path / "hf", run)
    assert done.code == 0, done.err
    (lines,) = re.findall(r"```python\n(.*?)```", (tmp_path / "hf/README.md").read_text(), re.DOTALL)
    (tmp_path / "run.py").write_text(lines)
    words = [tmp_path / "hf/G_B.onnx", place.data / "testB/01.png", tmp_path / "made.png"]
    subprocess.run([sys.executable, "-I", tmp_path / "run.py", *words], check=True, cwd=tmp_path)
    with Image.open(tmp_path / "made.png") as made:
        assert made.size == (32, 32)


def test_a_run_of_a_repository_names_it(run: Path, tmp_path: Path) -> None:
    config = (run / "config.toml").read_text()
    address = f"hf://someone/horse2zebra/latest_net_G_A.pth@{'a' * 40}"
    (run / "config.toml").write_text(re.sub("(?m)^checkpoint = .*$", f'checkpoint = "{address}"', config))
    assert ganprune("export", "--hf", tmp_path / "hf", run).code == 0
    assert front((tmp_path / "hf/README.md").read_text())["base_model"] == "someone/horse2zebra"


def test_what_is_not_known_is_left_out(run: Path, tmp_path: Path) -> None:
    for name in ("bench.json", "quality.json", "pictures.png"):
        (run / name).unlink()
    done = ganprune("export", "--hf", tmp_path / "hf", run, "--json")
    assert [Path(path).name for path in done.json["hub_folder"]] == [
        "G_A.onnx", "G_B.onnx", "G_A.safetensors", "G_B.safetensors", "README.md",
    ]  # fmt: skip
    card = (tmp_path / "hf/README.md").read_text()
    assert "pictures.png" not in card
    assert "Milliseconds" not in card
    assert "| network | parameters | MiB | GMACs |\n" in card


def test_a_card_that_was_edited_is_not_replaced(run: Path, tmp_path: Path) -> None:
    assert ganprune("export", "--hf", tmp_path / "hf", run).code == 0
    assert ganprune("export", "--hf", tmp_path / "hf", run).code == 0
    (tmp_path / "hf/README.md").write_text("mine")
    before = listing(tmp_path)
    told = refusal(ganprune("export", "--hf", tmp_path / "hf", run), 2)
    assert "README.md has changed since ganprune made it; nothing is overwritten" in told
    assert listing(tmp_path) == before


def test_what_it_cannot_be_made_of_is_refused(place: Place, run: Path, tmp_path: Path) -> None:
    out = tmp_path / "hf"
    told = refusal(ganprune("export", "--hf", out, place.checkpoint), 2)
    assert f"--hf tells a run's figures and pictures, found {place.checkpoint}; compress it first" in told
    assert "leave -o out" in refusal(ganprune("export", "--onnx", "--hf", out, run, "-o", tmp_path / "x"), 2)
    (run / "G_B.onnx").unlink()
    told = refusal(ganprune("export", "--hf", out, run), 3)
    assert f"needs G_B.onnx; run `ganprune export --onnx {run}` first" in told
    assert not out.exists()
