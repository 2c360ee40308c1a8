"""Commands with no option but --data: what is missing, small or narrow decides the defaults."""

import shutil
from pathlib import Path

import pytest
import torch

from ganprune.checkpoints import load_generator
from ganprune.models.cyclegan import DiscriminatorWidths, resnet_widths
from ganprune.storage.plain import read_toml
from tests.cli.conftest import Place
from tests.cli.kit import SMALL_TRAINING, ganprune
from tests.metrics.kit import keras_file
from tests.tiny import random_generator, random_judge, resnet

SHORT = ("--set", "population=4", "--set", "generations=0", "--threads", "1", "--budget", "0")
"""All that these tests ask for besides --data: the default search and fine-tuning take half an hour."""


def write(folder: Path, ngf: int, blocks: int, *names: str) -> Path:
    folder.mkdir()
    for seed, name in enumerate(names):
        G = random_generator(resnet_widths(ngf, blocks), seed, torch.float32)
        network = G if "G" in name else random_judge(DiscriminatorWidths((4, 8)), seed)
        torch.save(network.state_dict(), folder / f"latest_net_{name}.pth")
    return folder


def test_the_three_commands_work_on_narrow_generators_by_default(place: Place, here: Path) -> None:
    net = write(here / "net", 16, 0, "G_A", "G_B", "D_A", "D_B")
    done = ganprune("compress", net, "--data", place.data, *SHORT)
    assert done.code == 0, done.err
    (note,) = (line for line in done.err.splitlines() if line.startswith("chosen to fit"))
    assert "--size 36 (no picture is larger)" in note
    assert "(coarser steps miss the target)" in note
    (run,) = (path for path in (here / "runs").iterdir() if path.is_dir())
    config = read_toml(run / "config.toml")
    assert config["adapted"]["align"] == 16
    assert config["settings"]["align"] < 16
    for words in (("export", "--onnx"), ("bench", "--cpu", "--set", "runs=2,3", "--threads", "1")):
        following = ganprune(*words)
        assert following.code == 0, following.err
    shutil.copytree(place.data, here / "changed")
    again = ganprune("compress", net, "--data", place.data, *SHORT)
    assert again.code == 0, again.err
    assert [path.name for path in (here / "runs").iterdir() if path.is_dir()] == [run.name]


def test_a_lone_generator_needs_no_options_and_no_domains(place: Place, here: Path) -> None:
    net = write(here / "net", 8, 1, "G")
    shutil.copytree(place.data / "trainA", here / "photos")
    done = ganprune("compress", net, "--data", "photos", *SHORT[:-1], "1steps", "-o", "run")
    assert done.code == 0, done.err
    for adapted in ("--direction AtoB", "--set distil-features=0"):
        assert done.err.count(adapted) == 1
    assert resnet(load_generator(here / "run/G_A.safetensors")).widths.blocks == 1
    assert ganprune("export", "--onnx", "run").code == 0
    features = keras_file(here / "features.safetensors")
    told = ganprune(
        "evaluate", "run", "--data", "photos", "--features", features, "--fid", "--json", "--threads", 1
    )
    assert told.code == 0, told.err
    assert "no test pictures of B, which G_A draws: KID, FID and as_b are left out" in told.err
    slim = told.json["directions"][0]["rows"][-1]
    assert {"lost", "psnr", "L_GenA"} <= slim.keys()
    assert not {"kid", "fid_test", "as_b"} & slim.keys()
    refused = ganprune("compress", net, "--data", "photos", *SHORT, "--set", "loss=disa", "-o", "other")
    assert refused.code == 3
    assert "needed D_A; found G_A (latest_net_G.pth)" in refused.err


@pytest.mark.parametrize(("direction", "domain"), [("AtoB", "A"), ("BtoA", "B")])
def test_a_lone_generators_discriminator_is_used_and_one_folder_is_enough(
    place: Place, here: Path, direction: str, domain: str
) -> None:
    net = write(here / "net", 8, 1, "G", "D")
    option = f"--data-{domain.lower()}"
    words = ("compress", net, option, place.data / f"train{domain}", "--direction", direction)
    shown = ganprune(*words, "--dry-run", "--json")
    assert shown.code == 0, shown.err
    found = shown.json["settings"]
    assert (found["loss"], found["lambda-cycle"], found["distil-features"]) == ("gena", 0, 15)


def test_two_folders_are_compressed_trained_and_refused_as_one_would_be(place: Place, here: Path) -> None:
    both = ("--data-a", place.data / "trainA", "--data-b", place.data / "trainB")
    shown = ganprune("compress", place.checkpoint, *both, "--config", place.config, "--dry-run")
    assert shown.code == 0, shown.err
    assert f"--data-a {place.data}/trainA --data-b {place.data}/trainB" in shown.err
    trained = ganprune("train", *both, *SMALL_TRAINING, "--budget", "1steps")
    assert trained.code == 0, trained.err
    following = f"next: ganprune compress checkpoints/trainA2trainB --data-a {place.data}/trainA --data-b"
    assert following in trained.err
    wrong = ganprune("compress", place.checkpoint, *both, "--data", place.data)
    assert wrong.code == 2
    assert "--data and --data-a contradict each other" in wrong.err
