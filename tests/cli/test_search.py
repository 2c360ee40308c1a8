"""What the search makes of the same networks under other names, and of its settings."""

import json
from pathlib import Path

import pytest

from ganprune.checkpoints import load_generator
from tests.cli.conftest import Mission, Place
from tests.cli.kit import A2B, LEAN, ganprune, stopped_before_export, write_checkpoint
from tests.tiny import resnet


def test_both_namings_of_one_cyclegan_give_the_same_genomes(
    mission: Mission, place: Place, here: Path
) -> None:
    net = write_checkpoint(here / "net", A2B)
    with stopped_before_export():
        ganprune("compress", *LEAN, net, "--data", place.data, "--config", place.config, "-o", "run")
    assert (here / "run" / "state.safetensors").read_bytes() == (
        mission.run / "state.safetensors"
    ).read_bytes()
    for name in ("G_A.safetensors", "G_B.safetensors"):
        slim, expected = (load_generator(run / name) for run in (here / "run", mission.run))
        assert slim.widths == expected.widths


def test_any_file_of_a_checkpoint_stands_for_all(mission: Mission, place: Place, here: Path) -> None:
    with stopped_before_export():
        file = place.checkpoint / "latest_net_D_B.pth"
        ganprune("compress", *LEAN, file, "--data", place.data, "--config", place.config, "-o", "run")
    assert (here / "run" / "state.safetensors").read_bytes() == (
        mission.run / "state.safetensors"
    ).read_bytes()


@pytest.mark.parametrize(
    "options",
    [
        ("--seed", "1"),
        ("--set", "gamma=0"),
        ("--set", "layout=shared"),
        ("--set", "loss=gena"),
        ("--set", "reduction=sum"),
    ],
)
def test_settings_reach_the_search(
    mission: Mission, place: Place, here: Path, options: tuple[str, str]
) -> None:
    with stopped_before_export():
        assert place.compress("-o", "run", *options).code == 130
    assert (here / "run" / "state.safetensors").read_bytes() != (
        mission.run / "state.safetensors"
    ).read_bytes()


def test_target_and_alignment_hold(place: Place, here: Path) -> None:
    with stopped_before_export():
        assert place.compress("-o", "run", "--target-macs", "0.4,0.6", "--set", "align=2").code == 130
    found = ganprune("inspect", "run", "--size", "32", "--json").json["networks"]
    whole = ganprune("inspect", place.checkpoint, "--size", "32", "--json").json["networks"]
    for slim, original, share in zip(found, whole[:2], (0.4, 0.6), strict=True):
        assert slim["macs_true"] <= share * original["macs_true"]
        groups = resnet(load_generator(Path(slim["file"]))).widths.groups()
        assert all(width % 2 == 0 for width in groups.values())


def test_individuals_that_are_fine_tuned_first_have_other_scores(place: Place, here: Path) -> None:
    with stopped_before_export():
        tuned = place.compress("--set", "tune-steps=1", "--set", "generations=1", "-o", "tuned")
        assert tuned.code == 130, tuned.err
        assert place.compress("--set", "generations=1", "-o", "plain").code == 130
    first = [
        json.loads((here / run / "search.jsonl").read_text().splitlines()[0]) for run in ("tuned", "plain")
    ]
    assert first[0]["A"]["mean_fitness"] != first[1]["A"]["mean_fitness"]
    assert "<svg" in (here / "tuned/search.svg").read_text()
    refused = place.compress("--set", "tune-steps=-1", "-o", "other")
    assert refused.code == 2
    assert "--set tune-steps must be 0 or more, found -1" in refused.err
