"""Checkpoints that lack networks: what is told, what is trained, what works without."""

import json
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ganprune.checkpoints import load_generator, load_quartet
from ganprune.runs import Run
from tests.cli.conftest import Place
from tests.cli.kit import CYCLEGAN, LEAN, Outcome, ganprune, listing, stopped_before_export
from tests.tiny import resnet

SMALL = ("--set", "ndf=4", "--size", "32", "--set", "device=cpu", "--set", "threads=1")


@pytest.fixture
def published(place: Place, here: Path) -> Path:
    """One generator and nothing else, as CycleGAN publishes its models."""
    (here / "horse2zebra_pretrained").mkdir()
    return Path(
        shutil.copy(place.checkpoint / "latest_net_G_A.pth", here / "horse2zebra_pretrained/latest_net_G.pth")
    )


@pytest.fixture
def generators(place: Place, here: Path) -> Path:
    """Both generators, no discriminators."""
    (here / "two").mkdir()
    for name in ("G_A", "G_B"):
        shutil.copy(place.checkpoint / CYCLEGAN[name], here / "two")
    return here / "two"


def compress(place: Place, checkpoint: Path, *words: object) -> Outcome:
    return ganprune("compress", *LEAN, checkpoint, "--data", place.data, "--config", place.config, *words)


def compress_up_to_export(place: Place, checkpoint: Path, *words: object) -> None:
    with stopped_before_export():
        done = compress(place, checkpoint, *words)
    assert done.code == 130, done.err


def same(a: Path, b: Path) -> bool:
    one, other = load_generator(a).state_dict(), load_generator(b).state_dict()
    return all(torch.equal(one[key], other[key]) for key in one)


def test_the_command_that_compress_names_makes_what_compress_needs(
    place: Place, here: Path, generators: Path
) -> None:
    refused = compress(place, generators, "--set", "loss=disa")
    assert refused.code == 3
    assert "needed D_A and D_B; found G_A (latest_net_G_A.pth), G_B (latest_net_G_B.pth)" in refused.err
    assert "add --recover-discriminators" in refused.err
    command = shlex.split(refused.err.rpartition("by themselves: ")[2])
    assert command[:3] == ["ganprune", "train", "--discriminators-for"]
    trained = ganprune(*command[1:], *SMALL, "--budget", "2steps")
    assert trained.code == 0, trained.err
    assert (
        trained.err.splitlines()[-1]
        == f"next: ganprune compress checkpoints/two-complete --data {place.data}"
    )
    assert load_quartet(here / "checkpoints/two-complete").missing() == ()
    for name in ("G_A", "G_B"):
        assert f"{name}  checkpoints/two-complete/{CYCLEGAN[name]}  (as it was)" in trained.out
        assert same(here / "checkpoints/two-complete" / CYCLEGAN[name], generators / CYCLEGAN[name])
    compress_up_to_export(place, here / "checkpoints/two-complete")


def test_recovery_in_place_is_one_command_that_can_be_given_again(
    place: Place, here: Path, generators: Path
) -> None:
    words = ("--recover-discriminators", "--set", "recover-budget=2steps", "-o", "run", "--size", "32")
    first = compress(place, generators, *words)
    assert first.code == 0, first.err
    assert "training what the checkpoint lacks: D_A, D_B" in first.err
    assert load_quartet(here / "run/recovered").missing() == ()
    before = listing(here / "run")
    assert compress(place, generators, *words).code == 0
    assert {name: before[name] for name in before if not name.startswith(".")} == listing(here / "run")
    assert ganprune("export", "--onnx", "run").code == 0
    for name in ("G_A", "G_B"):
        assert same(here / "run/recovered" / CYCLEGAN[name], generators / CYCLEGAN[name])


@pytest.mark.parametrize(("direction", "kept", "made"), [("AtoB", "G_A", "G_B"), ("BtoA", "G_B", "G_A")])
def test_a_lone_generator_gets_the_other_one_too(
    place: Place, here: Path, published: Path, direction: str, kept: str, made: str
) -> None:
    words = (
        "--set",
        f"direction={direction}",
        "--data",
        place.data,
        "-o",
        "whole",
        "--budget",
        "2steps",
        *SMALL,
    )
    done = ganprune("train", "--discriminators-for", published, *words, "--json")
    assert done.code == 0, done.err
    assert sorted(done.json["trained"]) == sorted({"D_A", "D_B", made})
    assert same(here / "whole" / CYCLEGAN[kept], published)
    assert not same(here / "whole" / CYCLEGAN[made], published)
    whole = load_quartet(here / "whole")
    assert whole.missing() == ()
    assert whole.G_A is not None
    assert whole.G_B is not None
    assert whole.G_A.widths == whole.G_B.widths


@pytest.mark.parametrize(("direction", "slim", "whole"), [("AtoB", "G_A", "G_B"), ("BtoA", "G_B", "G_A")])
def test_one_direction_makes_one_slim_generator(
    place: Place, here: Path, direction: str, slim: str, whole: str
) -> None:
    done = place.compress_whole("--direction", direction, "-o", "run", "--budget", "2steps")
    assert done.code == 0, done.err
    names = {path.name for path in (here / "run").iterdir()}
    made = {f"{slim}.onnx", f"original_{slim}.onnx", f"{slim}.safetensors", f"latest_net_{slim}.pth"}
    assert made <= names
    assert not {name for name in names if whole in name}
    assert same(here / "run/fine-tune" / CYCLEGAN[whole], place.checkpoint / CYCLEGAN[whole])
    assert f"slim generators: run/{slim}.onnx\nbefore" in done.out
    bench = json.loads((here / "run/bench.json").read_text())
    names = [f"original_{slim}", f"original_{slim}.rewritten", slim]
    assert [network["name"] for network in bench["networks"]] == names
    for again in (("export", "--onnx"), ("bench", "--cpu", "--set", "runs=2,3"), ("inspect",)):
        found = ganprune(*again, "run")
        assert found.code == 0, found.err
    translated = ganprune("translate", "run", place.data / "testA", "-o", "out")
    assert translated.code == 0, translated.err
    assert f"{direction} by run/{slim}.safetensors" in translated.out


def test_a_lone_generator_is_compressed_without_any_discriminator(
    place: Place, here: Path, published: Path
) -> None:
    words = ("--direction", "BtoA", "-o", "run")
    done = compress(place, published, *words)
    assert done.code == 0, done.err
    assert resnet(load_generator(here / "run/G_B.safetensors")).widths.blocks == 2
    assert ganprune("export", "--onnx", "run").code == 0
    compress_up_to_export(place, published, *words[:-1], "tuned", "--budget", "2steps")
    assert {path.name for path in (here / "tuned/fine-tune").glob("latest_*")} == {"latest_net_G_B.pth"}
    assert not same(here / "tuned/G_B.safetensors", here / "tuned/pruned_G_B.safetensors")
    needs = compress(place, published, "--set", "lambda-cycle=10", "-o", "other")
    assert needs.code == 3
    assert "needed G_B; found G_A (latest_net_G.pth)" in needs.err


def test_a_plan_can_be_made_before_anything_is_recovered(place: Place, here: Path, published: Path) -> None:
    words = ("--recover-discriminators", "--dry-run", "--size", "32")
    shown = compress(place, published, *words)
    assert shown.code == 0, shown.err
    assert "G_B, D_A, D_B trained for 5m" in shown.out
    assert "warning: G_B would be trained from nothing: of 5m a whole generator learns little" in shown.err
    assert "--direction AtoB needs only D_A" in shown.err
    one_way = compress(place, published, *words, "--direction", "AtoB")
    assert one_way.code == 0, one_way.err
    assert "D_A trained for 5m" in one_way.out
    assert "G_B" not in one_way.out
    assert "warning" not in one_way.err
    assert not (here / "runs").exists()


def test_completed_folder_remembers_a_training_from_b_to_a(place: Place, here: Path) -> None:
    shutil.copytree(place.checkpoint, here / "net")
    (here / "net/train_opt.txt").write_text("direction: BtoA\n")
    (here / "net/latest_net_D_A.pth").unlink()
    words = ("--data", place.data, "-o", "whole", "--budget", "2steps", *SMALL)
    done = ganprune("train", "--discriminators-for", "net", *words)
    assert done.code == 0, done.err
    assert load_quartet(here / "whole").options == {"direction": "BtoA"}


def test_pictures_of_a_training_from_b_to_a_change_places(place: Place, here: Path) -> None:
    shutil.copytree(place.checkpoint, here / "net")
    (here / "net/train_opt.txt").write_text("direction: BtoA\n")
    swapped = here / "swapped"
    for ours, theirs in (("trainA", "trainB"), ("trainB", "trainA")):
        shutil.copytree(place.data / ours, swapped / theirs)
    compress_up_to_export(place, here / "net", "-o", "one")
    compress_up_to_export(replace(place, data=swapped), place.checkpoint, "-o", "two")
    for name in ("G_A", "G_B"):
        assert same(here / f"one/{name}.safetensors", here / f"two/{name}.safetensors")


def test_recovery_explains_bad_input(place: Place, here: Path, published: Path, generators: Path) -> None:
    def refused(code: int, *words: object) -> str:
        found = ganprune("train", "--data", place.data, "--budget", "1steps", *words)
        assert found.code == code, found.err
        return found.err

    asked = ("--discriminators-for", published)
    assert "--set ngf is decided by the generator that is there" in refused(2, *asked, "--set", "ngf=8")
    assert "use `-o` another folder" in refused(2, *asked, "-o", published.parent)
    both = refused(2, *asked, "--set", "direction=both")
    assert "--set direction must be one of AtoB, BtoA, found 'both'" in both
    assert "give it with --discriminators-for" in refused(2, "--set", "direction=BtoA")
    whole = refused(2, "--discriminators-for", place.checkpoint)
    assert "all four networks are there" in whole
    (here / "judge").mkdir()
    shutil.copy(place.checkpoint / CYCLEGAN["D_A"], here / "judge")
    assert "needed G_A" in refused(3, "--discriminators-for", here / "judge")
    none = compress(place, generators, "--recover-discriminators", "--set", "recover-budget=0")
    assert none.code == 2
    assert "--set recover-budget must be more than 0" in none.err


def test_one_way_alone_recovers_its_discriminator_and_no_generator(
    place: Place, here: Path, published: Path
) -> None:
    words = ("--recover-discriminators", "--set", "recover-budget=2steps", "--direction", "AtoB", "-o", "run")
    compress_up_to_export(place, published, *words)
    provenance = Run(here / "run").provenance
    assert provenance["stages"]["recover"]["steps"] == 2
    lines = (here / "run/search.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["A"]["L_DisA"] > 0
    assert "B" not in json.loads(lines[-1])
