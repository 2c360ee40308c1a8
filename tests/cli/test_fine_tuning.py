"""Fine-tuning inside compress, and train."""

import json
from pathlib import Path

import torch

from ganprune.checkpoints import load_generator, load_quartet
from ganprune.models.cyclegan import Generator
from tests.cli.conftest import Place
from tests.cli.kit import LEAN, SMALL_TRAINING, ganprune, stopped_before_export
from tests.tiny import resnet


def first_weights(generator: Generator) -> torch.Tensor:
    return generator.state_dict()["model.1.weight"]


def stages(run: Path) -> dict[str, dict[str, str]]:
    return json.loads((run / "provenance.json").read_text())["stages"]


def test_compress_trains_both_slim_generators(place: Place, here: Path) -> None:
    with stopped_before_export():
        done = place.compress("--budget", "3steps", "-o", "run")
    assert done.code == 130, done.err
    names = {path.name for path in (here / "run" / "fine-tune").iterdir()}
    assert {"train.json", "train.jsonl", "curves.svg", "samples-0.png", "latest_net_D_A.pth"} <= names
    assert "train_state.pt" not in names
    for name in ("G_A", "G_B"):
        pruned = resnet(load_generator(here / "run" / f"pruned_{name}.safetensors"))
        tuned = resnet(load_generator(here / "run" / f"{name}.safetensors"))
        trained = resnet(load_generator(here / "run" / "fine-tune" / f"latest_net_{name}.pth"))
        assert tuned.widths == pruned.widths
        assert not torch.equal(first_weights(tuned), first_weights(pruned))
        assert torch.equal(first_weights(tuned), first_weights(trained))


def test_a_finished_fine_tuning_is_not_done_again(place: Place, here: Path) -> None:
    with stopped_before_export():
        place.compress("--budget", "2steps", "-o", "run")
        before = stages(here / "run")
        assert place.compress("--budget", "2steps", "-o", "run").code == 130
    assert "fine-tune" in before
    assert stages(here / "run") == before


def test_fine_tuning_can_be_asked_for_after_the_search(place: Place, here: Path) -> None:
    place.compress("--budget", "0", "-o", "run")
    searched, exported = stages(here / "run")["search"], stages(here / "run")["export"]
    assert place.compress("--budget", "2steps", "-o", "run").code == 0
    assert stages(here / "run")["search"] == searched
    assert stages(here / "run")["export"]["outputs"] != exported["outputs"]
    other = place.compress("--budget", "3steps", "-o", "run")
    assert other.code == 3
    assert "run was made with --budget 2steps (now 3steps)" in other.err


def test_train_writes_a_cyclegan_that_compress_takes(place: Place, here: Path) -> None:
    done = ganprune("train", "--data", place.data, "-o", "net", "--budget", "2steps", *SMALL_TRAINING)
    assert done.code == 0, done.err
    assert done.err.splitlines()[-1] == f"next: ganprune compress net --data {place.data}"
    assert load_quartet(here / "net").missing() == ()
    again = ganprune(
        "train", "--data", place.data, "-o", "net", "--budget", "2steps", *SMALL_TRAINING, "--json"
    )
    assert again.json["steps"] == 2
    with stopped_before_export():
        compressed = ganprune("compress", *LEAN, "net", "--data", place.data, "--config", place.config)
    assert compressed.code == 130, compressed.err


def test_train_explains_bad_input(place: Place, here: Path) -> None:
    assert "give --data DIR" in ganprune("train").err
    assert ganprune("train").code == 2
    bad = ganprune("train", "--data", place.data, "--budget", "soon", *SMALL_TRAINING)
    assert bad.code == 2
    assert "--budget must be a time such as 20m" in bad.err
    ganprune("train", "--data", place.data, "-o", "net", "--budget", "1steps", *SMALL_TRAINING)
    other = ganprune(
        "train", "--data", place.data, "-o", "net", "--budget", "1steps", *SMALL_TRAINING, "--set", "lr=0.1"
    )
    assert other.code == 3
    assert "--set lr=0.0002 (now 0.1)" in other.err
