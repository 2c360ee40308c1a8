"""``ganprune front``: one search, pairs of several sizes."""

import json
import math
from pathlib import Path

import pytest

from ganprune.checkpoints import load_generator
from ganprune.pruning.cost import macs
from tests.cli.conftest import Place
from tests.cli.kit import ganprune, listing
from tests.cli.test_bad_input import refusal

WORDS = ("--set", "population=6", "--set", "generations=2", "--set", "pictures=2", "--size", "32",
         "--device", "cpu", "--set", "precision=float32", "--set", "align=1", "--threads", "1")  # fmt: skip


def test_pairs_of_the_sizes_asked_for_are_runs(place: Place, here: Path) -> None:
    command = ("front", place.checkpoint, "--data", place.data, *WORDS, "-o", "out", "--points", "0.6,0.4")
    found = ganprune(*command, "--json")
    assert found.code == 0, found.err
    front = json.loads((here / "out" / "front.json").read_text())
    assert found.json["front"] == front["sides"]
    whole = macs(load_generator(place.checkpoint / "latest_net_G_A.pth"), 32, 32, "true")
    for point in found.json["points"]:
        for side in "AB":
            slim = load_generator(here / point["folder"] / f"G_{side}.safetensors")
            share = macs(slim, 32, 32, "true") / whole
            assert share <= point["macs_share"]
            assert point["networks"][f"G_{side}"]["macs_share"] == share
            assert "verdict" in point["quality"]["networks"][f"G_{side}"]
            on_front = [member["macs_share"] for member in front["sides"][side]]
            assert min(abs(share - each) for each in on_front) < 1e-9
    for members in front["sides"].values():
        assert all(member["speedup_by_work"] >= 1 for member in members)
        for member in members:  # a range of 2, so a peak of 4
            assert member["psnr"] == pytest.approx(10 * math.log10(4 / member["L_GenA"]))
    before = listing(here / "out")
    again = ganprune(*command, "--markdown")
    assert again.code == 0, again.err
    assert found.json["scored_on"] == "2 pictures of 32×32, geometric mean"
    assert f"; dB: on {found.json['scored_on']}" in again.out
    for point in found.json["points"]:
        advice = point["quality"]["advice"]
        assert not advice or f"{point['folder']}: {advice}\n" in again.out
        for name, net in point["networks"].items():
            asked, came = point["macs_share"], net["macs_share"]
            told = f"{name} of points/{asked:g} has {came:.1%} of the MACs, the best of up to"
            assert (told in found.err) == (came < 0.75 * asked)
    assert "out: at most as large as was asked for" in again.out
    assert "| points/0.4 | G_B |" in again.out
    assert again.err.splitlines()[-1] == "next: ganprune export --onnx out/points/0.4"
    after = listing(here / "out")
    assert {name for name in after if before.get(name) != after[name] and not name.endswith(".lock")} == set()


def test_wrong_points_are_named(place: Place, here: Path) -> None:
    found = ganprune("front", place.checkpoint, "--data", place.data, "--points", "2")
    assert "--points must be shares above 0 and at most 1, found 2" in refusal(found, 2)
    assert not list(here.iterdir())


def test_compress_leaves_families_to_front(place: Place, here: Path) -> None:
    found = ganprune(
        "compress", place.checkpoint, "--data", place.data, "--set", "searcher=front", "--dry-run"
    )
    assert "--set searcher=front finds networks of all sizes; run `ganprune front` instead" in refusal(
        found, 2
    )
    assert not list(here.iterdir())
