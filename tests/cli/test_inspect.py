"""What inspect says of everything there is."""

import re
import shutil
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.cells import cell_len

from tests.checkpoints import reference
from tests.checkpoints.builders import make_generator
from tests.cli.conftest import Place
from tests.cli.kit import A2B, ganprune, write_checkpoint


def _networks(words: object) -> dict[str, dict[str, Any]]:
    found = ganprune("inspect", words, "--json")
    assert found.code == 0, found.err
    return {network["name"]: network for network in found.json["networks"]}


def test_folder_and_each_of_its_files_tell_the_same(place: Place) -> None:
    whole = _networks(place.checkpoint)
    assert whole.keys() == {"G_A", "G_B", "D_A", "D_B"}
    assert whole["G_A"]["architecture"] == "resnet_2blocks, ngf 4"
    for file in place.checkpoint.iterdir():
        assert _networks(file) == whole


def test_netd_b_judges_domain_b(here: Path) -> None:
    networks = _networks(write_checkpoint(here / "net", A2B))
    assert Path(networks["D_A"]["file"]).name == "netD_B.pth"
    assert networks["D_A"]["task"] == "judges B"


def test_macs_are_counted_at_the_size_asked_for(place: Place) -> None:
    small, large = (
        ganprune("inspect", place.checkpoint, "--size", size, "--json").json for size in (64, 128)
    )
    assert (small["size"], large["size"]) == (64, 128)
    for one, four in zip(small["networks"][:2], large["networks"][:2], strict=True):
        assert all(four[count] == 4 * one[count] for count in ("macs_true", "macs_paper"))


def test_complete_checkpoint_is_to_be_compressed(place: Place) -> None:
    found = ganprune("inspect", place.checkpoint)
    assert found.code == 0
    assert found.err == f"next: ganprune compress {place.checkpoint} --data DIR\n"


def test_missing_networks_are_told_and_no_error(place: Place, here: Path) -> None:
    net = Path(shutil.copytree(place.checkpoint, here / "net"))
    (net / "latest_net_D_A.pth").unlink()
    found = ganprune("inspect", net)
    assert found.code == 0
    assert "problem: D_A missing: `ganprune compress` does without, `ganprune train" in found.out
    assert found.err == f"next: ganprune compress {net} --data DIR\n"


def test_file_of_an_unknown_name_is_told_by_its_content(place: Place, here: Path) -> None:
    shutil.copy(place.checkpoint / "latest_net_D_B.pth", here / "what.bin")
    assert _networks("what.bin").keys() == {"D"}
    shutil.copy(place.checkpoint / "latest_net_G_B.pth", here / "what.bin")
    found = ganprune("inspect", "what.bin")
    assert "one generator alone, taken as G_A" in found.out


def test_run_shows_its_slim_generators(run: Path) -> None:
    networks = _networks(run)
    assert networks.keys() == {"G_A", "G_B"}
    assert all(network["params"] < 13_379 for network in networks.values())


def test_a_run_is_counted_at_its_size_and_says_how_good_its_pictures_are(run: Path) -> None:
    found = ganprune("inspect", run, "--json").json
    assert found["size"] == 32
    assert found["quality"]["networks"].keys() == {"G_A", "G_B"}
    told = ganprune("inspect", run)
    assert "counted at 32×32" in told.out
    assert "input, untouched" in told.out
    assert told.err == f"next: ganprune report {run}\n"
    (run / "quality.json").unlink()
    assert "how good the pictures are is not known" in ganprune("inspect", run).out


def test_last_run_is_the_default(place: Place, run: Path) -> None:
    place.compress("-o", run)
    assert ganprune("inspect", "--json").json == ganprune("inspect", run, "--json").json
    assert ganprune("inspect", "runs/latest", "--json").json == ganprune("inspect", run, "--json").json


def test_onnx_file_costs_what_its_generator_costs(run: Path) -> None:
    generator = ganprune("inspect", run, "--size", "32", "--json").json["networks"][0]
    found = ganprune("inspect", run / "G_A.onnx", "--json").json
    assert found["kind"] == "ONNX"
    assert found["input"] == {"name": "input", "type": "float32", "shape": [1, 3, 32, 32]}
    assert all(found[count] == generator[count] for count in ("macs_true", "macs_paper"))
    assert found["params"] == generator["params"]
    assert found["opset"] == 18
    assert f"{generator['params']:,}" in ganprune("inspect", run / "G_A.onnx").out


# How it looks


def _shown(path: Path, columns: int, monkeypatch: pytest.MonkeyPatch, *words: str) -> list[str]:
    """The lines on a terminal of so many columns."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(columns))
    found = ganprune("inspect", path, *words)
    assert found.code == 0
    return [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in found.out.splitlines()]


def _bundled(folder: Path) -> Path:
    """The networks of a folder in one file of a long name."""
    names = {"G_A": "netG_A2B", "G_B": "netG_B2A", "D_A": "netD_B", "D_B": "netD_A"}
    held = {theirs: torch.load(folder / f"latest_net_{ours}.pth") for ours, theirs in names.items()}
    torch.save(held | {"epoch": 3}, folder / "epoch=199-step=266800.ckpt")
    return folder / "epoch=199-step=266800.ckpt"


def _slim(place: Place, folder: Path) -> Path:
    """Networks of every kind at once: slim, half precision, dropout, batch norm."""
    slim = make_generator(1).half().state_dict()
    torch.save(slim, folder / "latest_net_G_A.pth")
    dropout = reference.resnet(8, 9, "batch", dropout=True)
    torch.save(dropout.state_dict(), folder / "latest_net_G_B.pth")
    for name in ("latest_net_D_A.pth", "latest_net_D_B.pth"):
        shutil.copy(place.checkpoint / name, folder)
    return folder


@pytest.mark.parametrize("columns", [80, 100, 120])
@pytest.mark.parametrize("bundled", [False, True])
def test_a_narrow_terminal_is_enough_for_all_there_is_to_say(
    place: Place, here: Path, monkeypatch: pytest.MonkeyPatch, columns: int, bundled: bool
) -> None:
    source = _bundled(_slim(place, here)) if bundled else _slim(place, here)
    networks = ganprune("inspect", source, "--json").json["networks"]
    lines = _shown(source, columns, monkeypatch)
    table = list(takewhile(lambda line: not line.startswith(("groups", "problem", "note")), lines))
    assert len(table) > 2 * len(networks) == 8
    assert max(cell_len(line) for line in table) <= columns
    shown = " ".join(" ".join(lines).split())
    words = set(re.findall(r"[\w/–]+", shown))  # text may be folded, so it is looked for word by word
    for network in networks:
        assert f"{network['params']:,}" in shown
        assert (network["entry"] or Path(network["file"]).name) in shown
        assert {network["name"], network["precision"]} <= words
        for kind in ("true", "paper"):
            assert f"{network[f'macs_{kind}'] / 1e9:.2f} {kind}" in shown
        for text in (network["architecture"], network["task"], f"{network['norm']} norm"):
            assert set(re.findall(r"[\w/–]+", text)) <= words, text
    assert "dropout" in words


def test_markdown_has_a_row_a_network_and_a_column_a_fact(place: Place, here: Path) -> None:
    lines = ganprune("inspect", _slim(place, here), "--markdown").out.splitlines()
    heading, _, *rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("|")]
    assert heading == [
        "network", "task", "architecture", "norm", "params", "MiB (float32)", "GMACs (true)",
        "GMACs (paper)", "on disk", "file",
    ]  # fmt: skip
    assert [row[0] for row in rows] == ["G_A", "G_B", "D_A", "D_B"]
    assert [row[3] for row in rows] == ["instance", "batch", "instance", "instance"]
    assert rows[0][8:] == ["float16", "latest_net_G_A.pth"]


def test_a_bundle_tells_which_entry_is_which_and_what_it_left_aside(place: Place, here: Path) -> None:
    _bundled(Path(shutil.copytree(place.checkpoint, here / "net"))).rename(here / "all.ckpt")
    found = ganprune("inspect", "all.ckpt", "--markdown")
    assert found.out.count("all.ckpt: net") == 4
    assert "| D_A | judges B |" in found.out
    assert "all.ckpt: netD_B |" in found.out
    assert "note: all.ckpt: left aside what is no network of a CycleGAN: 'epoch'" in found.out
    assert found.err == "next: ganprune compress all.ckpt --data DIR\n"
    whole = _networks(place.checkpoint)
    for name, network in _networks("all.ckpt").items():
        assert network["widths"] == whole[name]["widths"]


def test_of_many_options_those_that_say_most_are_shown(place: Place, here: Path) -> None:
    net = Path(shutil.copytree(place.checkpoint, here / "net"))
    lines = ["ngf: 4", "norm: instance", "which_direction: AtoB", *(f"option_{i}: {i}" for i in range(40))]
    (net / "opt.txt").write_text("\n".join(lines))
    found = ganprune("inspect", net)
    expected = "options: direction AtoB, ngf 4, norm instance, 40 others (--json shows them)"
    assert expected in found.out.splitlines()
    assert len(ganprune("inspect", net, "--json").json["options"]) == 43
