"""``ganprune compare``: cells from a checkpoint to tables, and what it refuses."""

import json
import shutil
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch

from ganprune import example
from ganprune.baselines import Method, Pruned, Subject
from ganprune.checkpoints import load_generator
from ganprune.comparing import running
from ganprune.comparing.cell_stages import prune
from ganprune.images import find_domains, load_pictures, split, to_float
from ganprune.models.cyclegan import Generator
from ganprune.pruning.cost import macs
from ganprune.search.coevolution import random_stream
from ganprune.stages import Job
from tests.cli.compare.conftest import KEYS, compare
from tests.cli.conftest import Place
from tests.cli.kit import Outcome, few_pictures, ganprune
from tests.cli.test_bad_input import refusal
from tests.metrics.test_fcn import blocks, coloured, nearest_colour, save
from tests.tiny import resnet


def assert_refitted(run: Path, side: str) -> None:
    """Rivals are refitted as searches are."""
    cut, refitted = (load_generator(run / f"{how}_G_{side}.safetensors") for how in ("pruned", "refitted"))
    assert not torch.equal(cut.get_parameter("model.4.weight"), refitted.get_parameter("model.4.weight"))


def test_every_cell_is_a_run_of_the_size_asked_for(place: Place, out: Path) -> None:
    whole = resnet(load_generator(place.checkpoint / "latest_net_G_A.pth")).widths
    for key in KEYS:
        record = json.loads((out / f"{key}.json").read_text())
        assert record["steps"] == 4
        for side in "AB":
            slim = resnet(load_generator(out / "cells" / key / f"G_{side}.safetensors")).widths
            figures = record["sides"][side]
            assert figures["macs_true"] == macs(Generator(slim), 32, 32, "true")
            assert_refitted(out / "cells" / key, side)
            assert 0.3 < figures["macs_true"] / macs(Generator(whole), 32, 32, "true") <= 0.4


def test_figures_are_those_of_evaluate(table: Path, out: Path) -> None:
    record = json.loads((out / "thinet-0.json").read_text())
    run = out / "cells" / "thinet-0"
    found = ganprune("evaluate", run, "--features", table / "m.safetensors", "--threads", "1", "--json").json
    original = json.loads((out / "original.json").read_text())
    for part in found["directions"]:
        rows = {row["pictures"]: row for row in part["rows"]}
        side = part["network"][-1]
        for key in ("kid", "kid_interval", "lost", "as_b", "n_fakes", "n_real", "psnr", "L_DisA"):
            assert record["sides"][side][key] == pytest.approx(rows["slim"][key])
            assert original["sides"][side][key] == pytest.approx(rows["original"][key])
            assert original["inputs"][side][key] == pytest.approx(rows["inputs"][key])
            assert original["mirrored"][side][key] == pytest.approx(rows["original, mirrored"][key])
        ours, theirs = record["sides"][side]["less"]["original"], rows["slim"]["less"]["original"]
        assert ours["kid"] == pytest.approx(theirs["kid"])
        assert ours["kid_interval"] == pytest.approx(theirs["kid_interval"])


def test_rivals_see_what_a_search_scores_on_and_the_seed_of_their_cell(
    place: Place, table: Path, untimed: Path, here: Path
) -> None:
    seen = dict[tuple[int, str], Subject]()

    def spied(job: Job, name: str, choose: Method) -> Any:
        sides = iter("AB")

        def chosen(subject: Subject) -> Pruned:
            seen[job.settings.search.seed, next(sides)] = subject
            return choose(subject)

        return prune(job, name, chosen)

    with patch("ganprune.comparing.running.prune", spied):
        few = ("--config", untimed, "--cells", "thinet", "--budget", "0steps")
        done = compare(place, table, "-o", "out", *few, "-q")
    assert done.code == 0, done.err
    assert seen.keys() == {(seed, side) for seed in (0, 1) for side in "AB"}
    for (seed, side), subject in seen.items():
        _, held_out = split(find_domains(place.data), side, seed=seed, holdout=2)  # pyright: ignore[reportArgumentType]
        assert torch.equal(subject.pictures, to_float(load_pictures(held_out, 32)))
        stream = random_stream(seed, 0, side)
        assert subject.chance.initial_seed() == stream.initial_seed()
        weight = load_generator(place.checkpoint / f"latest_net_G_{side}.pth").state_dict()["model.1.weight"]
        assert torch.equal(subject.generator.state_dict()["model.1.weight"], weight)


def test_a_lone_generator_is_compared_by_pictures_alone(
    place: Place, table: Path, untimed: Path, here: Path
) -> None:
    """No discriminator, nothing back: searches adapt as those of a compression do, in all cells alike."""
    given = ("--config", untimed, "--features", table / "m.safetensors", "--cells", "ours,random")
    alone = shutil.copy(place.checkpoint / "latest_net_G_A.pth", here / "generator.pth")
    done = ganprune("compare", alone, "--data", place.data, *given, "--budget", "0", "-o", "out", "-q")
    assert done.code == 0, done.err
    for key in ("ours-0", "ours-1", "random-0"):
        record = json.loads((here / "out" / f"{key}.json").read_text())
        assert record["settings"]["direction"] == "AtoB"
        assert record["settings"]["loss"] == "gena"
        assert [*record["sides"]] == ["A"]


def test_next_step_is_with_the_cell_that_lacks_least(
    place: Place, table: Path, out: Path, here: Path
) -> None:
    shutil.copytree(out, here / "o")
    for key, lacks in (("swarm-0", (0.3, 0.1)), ("random-0", (0.1, 0.4))):
        record = json.loads((here / "o" / f"{key}.json").read_text())
        for side, value in zip("AB", lacks, strict=True):
            record["sides"][side]["lost"] = value
        (here / "o" / f"{key}.json").write_text(json.dumps(record))
    found = compare(place, table, "-o", here / "o", "--cells", "swarm,random", "--finished", "--json").json
    assert found["best"] == str(here / "o" / "cells" / "swarm-0")


def test_training_from_b_to_a_is_judged_by_pictures_that_have_changed_places(
    place: Place, table: Path, untimed: Path, here: Path
) -> None:
    shutil.copytree(place.checkpoint, here / "net")
    (here / "net" / "train_opt.txt").write_text("direction: BtoA\n")
    text = untimed.read_text()
    features = ("--features", table / "m.safetensors", "--threads", "1")
    words = ("compare", "net", "--data", place.data, *features, "--cells", "random", "-o", "out", "-q")
    (here / "task.toml").write_text(text)
    refused = ganprune(*words, "--config", "task.toml")
    assert "task horse2zebra is of a training --direction AtoB, found one of BtoA" in refusal(refused, 2)
    (here / "cells.toml").write_text(text.replace('task = "horse2zebra"', ""))
    done = ganprune(*words, "--config", "cells.toml")
    assert done.code == 0, done.err
    record = json.loads((here / "out" / "random-0.json").read_text())
    found = ganprune("evaluate", "out/cells/random-0", *features, "--set", "bootstrap=0", "--json").json
    for part in found["directions"]:
        (slim,) = (row for row in part["rows"] if row["pictures"] == "slim")
        for key in ("kid", "lost", "n_fakes", "n_real"):
            assert record["sides"][part["network"][-1]][key] == pytest.approx(slim[key])


def test_table_has_a_row_a_method(result: Any) -> None:
    rows = {row[0]: dict(zip(result["tables"][0]["headings"], row, strict=True))
            for row in result["tables"][0]["rows"]}  # fmt: skip
    assert list(rows) == ["original", "inputs", "original, mirrored", "ours", "swarm", "thinet", "random"]
    assert rows["thinet"]["seeds"] == "2"
    assert all(" [" in row["KID A→B"] for row in rows.values())
    controls = ("inputs", "original, mirrored")
    assert all(row["ms"] != "–" for name, row in rows.items() if name not in controls)
    assert result["tables"][1]["rows"][0][0] == "horse2zebra, memory (Table 1)"
    assert [sentence.split(",")[0] for sentence in result["claims"]] == [
        "swarm less ours", "thinet less ours", "random less ours",
    ]  # fmt: skip
    assert result["precisions"] == ["float32"]
    assert [sentence.partition(":")[0] for sentence in result["verdict"]] == [
        "ours best by KID", "ours best by lost",
    ]  # fmt: skip
    assert all("of 2 comparisons with thinet," in sentence for sentence in result["verdict"])


def test_streets_drawn_from_labels_get_the_fcn_score(
    place: Place, table: Path, untimed: Path, here: Path
) -> None:
    shutil.copytree(place.data, here / "data")
    for i, path in enumerate(sorted((here / "data" / "testB").iterdir())):
        save(path.parent, path.name, coloured(blocks(i)))
    network, other = nearest_colour(here / "seg.onnx"), nearest_colour(here / "other.onnx", classes=18)
    (here / "streets.toml").write_text(untimed.read_text().replace("horse2zebra", "cityscapes"))

    def compare(*words: object, config: str = "streets.toml") -> Outcome:
        given = ("--data", "data", "--config", config, "-o", "out", "--cells", "ours,random", "-q")
        return ganprune("compare", place.checkpoint, *given, *words)

    def judged(*words: object, config: str = "streets.toml") -> Outcome:
        return compare("--features", table / "m.safetensors", *words, config=config)

    done = judged("--fcn", network, "--set", "fcn-input=raw", "--markdown")
    assert done.code == 0, done.err
    assert "fed as raw" in done.out
    assert "class IoU B→A" in done.out
    scored = json.loads((here / "out" / "random-0.json").read_text())["sides"]
    assert 0 <= scored["B"]["fcn"]["class_iou"] <= 1
    assert "fcn" not in scored["A"]
    assert judged("--finished").code == 3  # as it was judged without --fcn
    for words, changed in ((("--set", "fcn-input=unit"), "fcn input raw"), (("--fcn", other), "fcn ")):
        refused = judged("--fcn", network, "--set", "fcn-input=raw", *words)
        assert f"was made with {changed}" in refusal(refused, 3)
    assert "fed as raw" in compare("--finished").out
    wrong = judged("--fcn", network, config=str(table / "cells.toml"))
    assert "--fcn is for label maps in the colours of cityscapes, found the task horse2zebra" in refusal(
        wrong, 2
    )


def test_dry_run_lists_cells_and_writes_nothing(place: Place, table: Path, here: Path) -> None:
    found = compare(place, table, "--dry-run", "--json")
    turns = ["ours-0", "swarm-0", "thinet-0", "random-0", "ours-1", "thinet-1"]
    assert [f"{row['cell']}-{row['seed']}" for row in found.json["cells"]] == turns
    assert not any(row["done"] for row in found.json["cells"])
    assert not list(here.iterdir())


def test_what_is_missing_is_told(place: Place, table: Path, here: Path) -> None:
    config = ("--config", table / "cells.toml")
    assert "CKPT is needed, only --config example goes without" in refusal(ganprune("compare", *config), 2)
    no_features = ganprune("compare", place.checkpoint, "--data", place.data, *config)
    assert "needed a network of features, found none: give --features" in refusal(no_features, 2)
    shutil.copytree(place.checkpoint, here / "three")
    (here / "three" / "latest_net_D_A.pth").unlink()
    asked = ("--set", "loss=disa", "--dry-run")
    lacking = ganprune("compare", "three", "--data", place.data, *config, *asked)
    line = refusal(lacking, 3)
    assert "needed D_A" in line
    assert "--recover" not in line  # which is not for comparisons
    assert f"ganprune train --discriminators-for three --data {place.data}" in line
    (here / "few").mkdir()
    for name in ("trainA", "trainB", "testA"):
        (here / "few" / name).symlink_to(place.data / name)
    no_tests = ganprune("compare", place.checkpoint, "--data", "few", *config, "--dry-run")
    assert "testB" in refusal(no_tests, 3)
    assert "give one of --json, --csv and --markdown" in refusal(compare(place, table, "--json", "--csv"), 2)
    assert "--cells needs names of cells" in refusal(compare(place, table, "--cells", " ,"), 2)
    alone = ganprune("compare", "--config", "example", "--data", place.data, "--dry-run")
    assert "--data is of a CKPT, found none" in refusal(alone, 2)


def test_packaged_example_can_be_planned_and_told_without_a_trace(
    table: Path, here: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(example, "PICTURES", few_pictures(tmp_path_factory.mktemp("pictures")))
    words = ("compare", "--config", "example", "--cells", "random")
    planned = ganprune(*words, "--dry-run", "--json")
    assert planned.code == 0, planned.err
    assert [(row["cell"], row["done"]) for row in planned.json["cells"]] == [("random", False)]
    assert not list(here.iterdir())
    features = ("--features", table / "m.safetensors", "-o", "out", "-q")
    with patch.object(running, "time_together", return_value=None):
        done = ganprune(*words, *features, "--budget", "1steps", "--json")
    assert done.code == 0, done.err
    told = ganprune(*words, "-o", "out", "-q", "--budget", "1steps", "--finished", "--json")
    assert told.code == 0, told.err
    assert told.json["tables"] == done.json["tables"]
    assert ganprune(*words, *features, "--budget", "1steps", "--dry-run", "--json").json["cells"][0]["done"]
