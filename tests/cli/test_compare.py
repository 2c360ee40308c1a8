"""``ganprune compare``: cells from a checkpoint to tables."""

import csv
import json
import shutil
from contextlib import chdir
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch

from ganprune.baselines import Method, Pruned, Subject
from ganprune.bench import BenchSettings
from ganprune.checkpoints import load_generator
from ganprune.coevolution import random_stream
from ganprune.comparing.pruning import prune
from ganprune.cost import macs
from ganprune.errors import RunError
from ganprune.images import find_domains, load_pictures, split, to_float
from ganprune.runs import Run
from ganprune_cli import comparing, timing
from tests.cli.conftest import Place
from tests.cli.kit import Outcome, ganprune, listing
from tests.cli.test_bad_input import refusal
from tests.metrics.kit import keras_file
from tests.metrics.test_fcn import blocks, coloured, nearest_colour, save

CELLS = """
[settings]
population = 4
generations = 2
pictures = 2
size = 32
target-macs = 0.4
budget = "4steps"
device = "cpu"
precision = "float32"
threads = 1

[compare]
task = "horse2zebra"
claim = "ours"
bench-seconds = 1

[cells.ours]
seeds = [0, 1]
[cells.swarm]
searcher = "swarm"
[cells.thinet]
method = "thinet"
seeds = [0, 1]
[cells.random]
method = "random"
"""
KEYS = ["ours-0", "ours-1", "swarm-0", "thinet-0", "thinet-1", "random-0"]
QUICK = partial(BenchSettings, minimum=2)


@pytest.fixture(autouse=True)
def no_features_in_the_environment_and_a_quick_bench(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GANPRUNE_FEATURES", raising=False)
    monkeypatch.setattr(comparing, "BenchSettings", QUICK)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A settings file, beside a network of features."""
    folder = tmp_path_factory.mktemp("compare")
    (folder / "cells.toml").write_text(CELLS)
    keras_file(folder / "m.safetensors")
    return folder


def _compare(place: Place, table: Path, *words: object) -> Outcome:
    given = ("--config", table / "cells.toml", "--features", table / "m.safetensors")
    return ganprune("compare", place.checkpoint, "--data", place.data, *given, *words)


@pytest.fixture(scope="module")
def out(place: Place, table: Path) -> Path:
    """A finished comparison; never written to by a test."""
    with chdir(table), patch.object(comparing, "BenchSettings", QUICK):
        done = _compare(place, table, "-o", "out", "-q")
    assert done.code == 0, done.err
    return table / "out"


@pytest.fixture
def result(place: Place, table: Path, out: Path) -> Any:
    """What it says when it is asked again."""
    return _compare(place, table, "-o", out, "--json").json


def test_every_cell_is_a_run_of_the_size_asked_for(place: Place, out: Path) -> None:
    whole = load_generator(place.checkpoint / "latest_net_G_A.pth").widths
    for key in KEYS:
        record = json.loads((out / f"{key}.json").read_text())
        assert record["steps"] == 4
        for side in "AB":
            slim = load_generator(out / "cells" / key / f"G_{side}.safetensors").widths
            figures = record["sides"][side]
            assert figures["macs_true"] == macs(slim, 32, 32, "true")
            assert 0.3 < figures["macs_true"] / macs(whole, 32, 32, "true") <= 0.4


def test_figures_are_those_of_evaluate(table: Path, out: Path) -> None:
    record = json.loads((out / "thinet-0.json").read_text())
    run = out / "cells" / "thinet-0"
    found = ganprune(
        "evaluate", run, "--features", table / "m.safetensors", "--bootstrap", "0", "--threads", "1", "--json"
    ).json
    original = json.loads((out / "original.json").read_text())
    for part in found["directions"]:
        rows = {row["pictures"]: row for row in part["rows"]}
        side = part["network"][-1]
        for key in ("kid", "kid_sd", "lost", "as_b", "n_fakes", "n_real"):
            assert record["sides"][side][key] == pytest.approx(rows["slim"][key])
            assert original["sides"][side][key] == pytest.approx(rows["original"][key])
            assert original["inputs"][side][key] == pytest.approx(rows["inputs"][key])


def test_rivals_see_what_a_search_scores_on_and_the_seed_of_their_cell(
    place: Place, table: Path, here: Path
) -> None:
    seen = dict[tuple[int, str], Subject]()

    def spied(run: Run, name: str, choose: Method, *rest: Any) -> Any:
        sides = iter("AB")

        def chosen(subject: Subject) -> Pruned:
            seen[run.config["settings"]["seed"], next(sides)] = subject
            return choose(subject)

        return prune(run, name, chosen, *rest)

    with patch("ganprune.comparing.running.prune", spied):
        done = _compare(place, table, "-o", "out", "--cells", "thinet", "--budget", "0steps", "-q")
    assert done.code == 0, done.err
    assert seen.keys() == {(seed, side) for seed in (0, 1) for side in "AB"}
    for (seed, side), subject in seen.items():
        _, held_out = split(find_domains(place.data), side, seed=seed, holdout=2)  # pyright: ignore[reportArgumentType]
        assert torch.equal(subject.pictures, to_float(load_pictures(held_out, 32)))
        stream = random_stream(seed, 0, side)
        assert subject.chance.initial_seed() == stream.initial_seed()
        weight = load_generator(place.checkpoint / f"latest_net_G_{side}.pth").state_dict()["model.1.weight"]
        assert torch.equal(subject.generator.state_dict()["model.1.weight"], weight)


def test_next_step_is_with_the_cell_that_lacks_least(
    place: Place, table: Path, out: Path, here: Path
) -> None:
    shutil.copytree(out, here / "o")
    for key, lacks in (("swarm-0", (0.3, 0.1)), ("random-0", (0.1, 0.4))):
        record = json.loads((here / "o" / f"{key}.json").read_text())
        for side, value in zip("AB", lacks, strict=True):
            record["sides"][side]["lost"] = value
        (here / "o" / f"{key}.json").write_text(json.dumps(record))
    found = _compare(place, table, "-o", here / "o", "--cells", "swarm,random", "--finished", "--json").json
    assert found["best"] == str(here / "o" / "cells" / "swarm-0")


def test_training_from_b_to_a_is_judged_by_pictures_that_have_changed_places(
    place: Place, table: Path, here: Path
) -> None:
    shutil.copytree(place.checkpoint, here / "net")
    (here / "net" / "train_opt.txt").write_text("direction: BtoA\n")
    text = (table / "cells.toml").read_text()
    features = ("--features", table / "m.safetensors", "--threads", "1")
    words = ("compare", "net", "--data", place.data, *features, "--cells", "random", "-o", "out", "-q")
    (here / "task.toml").write_text(text)
    refused = ganprune(*words, "--config", "task.toml")
    assert "task horse2zebra is of a training --direction AtoB, found one of BtoA" in refusal(refused, 2)
    (here / "cells.toml").write_text(text.replace('task = "horse2zebra"', ""))
    done = ganprune(*words, "--config", "cells.toml")
    assert done.code == 0, done.err
    record = json.loads((here / "out" / "random-0.json").read_text())
    found = ganprune("evaluate", "out/cells/random-0", *features, "--bootstrap", "0", "--json").json
    for part in found["directions"]:
        (slim,) = (row for row in part["rows"] if row["pictures"] == "slim")
        for key in ("kid", "lost", "n_fakes", "n_real"):
            assert record["sides"][part["network"][-1]][key] == pytest.approx(slim[key])


def test_table_has_a_row_a_method(result: Any) -> None:
    rows = {row[0]: dict(zip(result["tables"][0]["headings"], row, strict=True))
            for row in result["tables"][0]["rows"]}  # fmt: skip
    assert list(rows) == ["original", "inputs", "ours", "swarm", "thinet", "random"]
    assert rows["thinet"]["seeds"] == "2"
    assert all("±" in row["KID A→B"] for row in rows.values())
    assert all(row["ms"] != "–" for name, row in rows.items() if name != "inputs")
    assert result["tables"][1]["rows"][0][0] == "horse2zebra, memory (Table 1)"
    assert [sentence.split(",")[0] for sentence in result["claims"]] == [
        "swarm less ours", "thinet less ours", "random less ours",
    ]  # fmt: skip
    assert result["precisions"] == ["float32"]
    assert [sentence.partition(":")[0] for sentence in result["verdict"]] == [
        "ours best by KID", "ours best by lost",
    ]  # fmt: skip
    assert all("of 2 comparisons with thinet," in sentence for sentence in result["verdict"])


def test_finished_cells_are_not_done_again(
    place: Place, table: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = listing(out)
    monkeypatch.setattr(comparing, "run_cell", None)
    monkeypatch.setattr(timing, "bench", None)
    again = _compare(place, table, "-o", out, "--markdown")
    assert again.code == 0, again.err
    assert "| thinet | 2 |" in again.out
    after = listing(out)
    assert {name for name in after if before.get(name) != after[name] and not name.endswith(".lock")} == set()


def test_records_alone_are_enough_for_the_table(place: Place, table: Path, out: Path, here: Path) -> None:
    for path in out.glob("*.json"):
        (here / path.name).write_bytes(path.read_bytes())
    (here / "timing.json").unlink()
    found = _compare(place, table, "-o", here, "--csv")
    assert found.code == 0, found.err
    lines = list(csv.DictReader(StringIO(found.out)))
    assert len(lines) == 12  # six methods of two directions
    assert all(float(line["ms"]) > 0 for line in lines if line["method"] != "inputs")
    assert not (here / "cells").exists()
    told = "ms by the widths alone, the networks were not there: ours, swarm, thinet, random"
    assert told in _compare(place, table, "-o", here, "--finished").out
    with patch.object(timing, "bench", side_effect=AssertionError):  # nor is it timed again
        assert _compare(place, table, "-o", here).code == 0
    (here / "timing.json").write_bytes((out / "timing.json").read_bytes())  # of when the networks were there
    with patch.object(timing, "bench", side_effect=AssertionError):
        assert "widths alone" not in _compare(place, table, "-o", here).out


def test_finished_cells_alone_are_told(place: Place, table: Path, out: Path, here: Path) -> None:
    for name in ("original", "thinet-1"):
        (here / f"{name}.json").write_bytes((out / f"{name}.json").read_bytes())
    before = listing(here)
    found = _compare(place, table, "-o", here, "--finished", "--json")
    assert [row[0] for row in found.json["tables"][0]["rows"]] == ["original", "inputs", "thinet"]
    assert listing(here) == before
    (here / "thinet-1.json").unlink()
    nothing = _compare(place, table, "-o", here, "--finished")
    assert "--finished needs original.json and cells that are, found not both in" in refusal(nothing, 2)
    (here / "original.json").unlink()
    (here / "thinet-1.json").write_bytes((out / "thinet-1.json").read_bytes())
    lone = _compare(place, table, "-o", here, "--finished")
    assert "--finished needs original.json and cells that are, found not both in" in refusal(lone, 2)
    both = _compare(place, table, "-o", here, "--finished", "--dry-run")
    assert "--dry-run and --finished contradict each other" in refusal(both, 2)


def test_finished_cells_are_told_without_the_network_that_judged_them(
    place: Place, table: Path, out: Path
) -> None:
    words = ("compare", place.checkpoint, "--data", place.data, "--config", table / "cells.toml", "-o", out)
    told = ganprune(*words, "--finished", "--json").json
    assert told["features"].startswith("mobilenet_v2 by Keras")
    assert told["best"].startswith(str(out / "cells"))
    assert "needed a network of features" in refusal(ganprune(*words), 2)
    changed = ganprune(*words, "--dry-run", "--budget", "9steps")
    assert "was made with --budget 4steps (now 9steps)" in refusal(changed, 3)


def test_streets_drawn_from_labels_get_the_fcn_score(place: Place, table: Path, here: Path) -> None:
    shutil.copytree(place.data, here / "data")
    for i, path in enumerate(sorted((here / "data" / "testB").iterdir())):
        save(path.parent, path.name, coloured(blocks(i)))
    network, other = nearest_colour(here / "seg.onnx"), nearest_colour(here / "other.onnx", classes=18)
    text = (table / "cells.toml").read_text().replace("horse2zebra", "cityscapes")
    (here / "streets.toml").write_text(text.replace("bench-seconds = 1", "bench-seconds = 0"))

    def compare(*words: object, config: str = "streets.toml") -> Outcome:
        given = ("--data", "data", "--config", config, "-o", "out", "--cells", "ours,random", "-q")
        return ganprune("compare", place.checkpoint, *given, *words)

    def judged(*words: object, config: str = "streets.toml") -> Outcome:
        return compare("--features", table / "m.safetensors", *words, config=config)

    done = judged("--fcn", network, "--fcn-input", "raw", "--markdown")
    assert done.code == 0, done.err
    assert "fed as raw" in done.out
    assert "class IoU B→A" in done.out
    scored = json.loads((here / "out" / "random-0.json").read_text())["sides"]
    assert 0 <= scored["B"]["fcn"]["class_iou"] <= 1
    assert "fcn" not in scored["A"]
    assert judged("--finished").code == 3  # as it was judged without --fcn
    for words, changed in ((("--fcn-input", "unit"), "fcn input raw"), (("--fcn", other), "fcn ")):
        refused = judged("--fcn", network, "--fcn-input", "raw", *words)
        assert f"was made with {changed}" in refusal(refused, 3)
    assert "fed as raw" in compare("--finished").out
    wrong = judged("--fcn", network, config=str(table / "cells.toml"))
    assert "--fcn is for label maps in the colours of cityscapes, found the task horse2zebra" in refusal(
        wrong, 2
    )


def test_time_becomes_the_steps_of_the_first_cell(place: Place, table: Path, out: Path, here: Path) -> None:
    for path in out.glob("*.json"):
        if path.name.startswith(("original", "ours-0")):
            record = json.loads(path.read_text())
            if "settings" in record:  # as if 4 steps were what a minute came to
                record["settings"]["budget"] = record["made"]["settings"]["budget"] = "1m"
            (here / path.name).write_text(json.dumps(record))
    words = ("-o", here, "--budget", "1m", "--cells", "ours,random", "-q")
    text = (table / "cells.toml").read_text().replace("seeds = [0, 1]\n[cells.swarm]", "[cells.swarm]")
    (here / "one.toml").write_text(text)
    done = _compare(place, table, "--config", here / "one.toml", *words)
    assert done.code == 0, done.err
    made = json.loads((here / "random-0.json").read_text())
    assert made["steps"] == 4
    assert made["settings"]["budget"] == "1m"
    assert json.loads((out / "random-0.json").read_text())["sides"] == made["sides"]


def test_cells_that_are_left_out_give_their_steps_and_keep_their_times(
    place: Place, table: Path, out: Path, here: Path
) -> None:
    shutil.copytree(out, here / "o")
    record = json.loads((here / "o" / "ours-0.json").read_text())
    record["settings"]["budget"] = record["made"]["settings"]["budget"] = "1m"  # as if that came to 4 steps
    (here / "o" / "ours-0.json").write_text(json.dumps(record))
    for name in ("random-0.json", "timing.json"):
        (here / "o" / name).unlink()
    shutil.rmtree(here / "o" / "cells" / "random-0")
    text = (table / "cells.toml").read_text()
    (here / "one.toml").write_text(text.replace("seeds = [0, 1]\n[cells.swarm]", "[cells.swarm]"))
    words = ("--config", here / "one.toml", "-o", here / "o", "--budget", "1m", "--cells", "random", "-q")
    done = _compare(place, table, *words)
    assert done.code == 0, done.err
    assert json.loads((here / "o" / "random-0.json").read_text())["steps"] == 4
    timed = json.loads((here / "o" / "timing.json").read_text())["timings"]
    assert timed.keys() == {"original", "ours", "random"}  # the others were made in another way, by steps


def test_networks_are_exported_once(place: Place, table: Path, out: Path, here: Path) -> None:
    shutil.copytree(out, here / "o")
    (here / "o" / "timing.json").unlink()
    (here / "o" / "onnx" / "swarm.G_B.onnx").write_bytes(b"damaged")
    with patch.object(timing, "export_onnx", wraps=timing.export_onnx) as export:
        again = _compare(place, table, "-o", here / "o", "-q")
    assert again.code == 0, again.err
    assert [call.args[1].name for call in export.call_args_list] == ["swarm.G_B.onnx"]
    assert json.loads((here / "o" / "timing.json").read_text())["timings"].keys() >= {"original", "swarm"}


def test_other_test_pictures_are_refused(place: Place, table: Path, out: Path, here: Path) -> None:
    shutil.copytree(place.data, here / "data")
    one, two, *_ = sorted((here / "data" / "testA").iterdir())
    two.write_bytes(one.read_bytes())
    config = ("--config", table / "cells.toml", "--features", table / "m.safetensors")
    changed = ganprune("compare", place.checkpoint, "--data", here / "data", *config, "-o", out)
    assert ".json was made with test pictures" in refusal(changed, 3)


def test_interrupted_comparison_goes_on(place: Place, table: Path, out: Path, here: Path) -> None:
    with patch.object(comparing.Records, "write", side_effect=KeyboardInterrupt):
        broken = _compare(place, table, "-o", here, "--cells", "random")
    assert broken.code == 130
    assert "interrupted; to go on, run again: ganprune compare" in broken.err
    with patch("ganprune.comparing.running.prune", side_effect=AssertionError):  # what is left is not touched
        refused = _compare(place, table, "-o", here, "--cells", "random")
    assert refused.code == 1
    done = _compare(place, table, "-o", here, "--cells", "random", "-q")
    assert done.code == 0, done.err
    now, calm = (json.loads((folder / "random-0.json").read_text()) for folder in (here, out))
    assert now["sides"] == calm["sides"]


def test_changed_settings_of_a_finished_cell_are_refused(
    place: Place, table: Path, out: Path, here: Path
) -> None:
    record = json.loads((out / "ours-0.json").read_text())
    assert (record["device"], record["precision"]) == ("cpu", "float32")
    (here / "half.toml").write_text(CELLS.replace("float32", "bfloat16"))
    line = refusal(_compare(place, table, "--config", here / "half.toml", "-o", out), 3)
    assert "was made with --precision float32 (now bfloat16)" in line
    line = refusal(_compare(place, table, "-o", out, "--size", "48"), 3)
    assert "was made with size 32 (now 48)" in line
    (here / "fid.toml").write_text(CELLS.replace("[compare]", "[compare]\nfid = true"))
    line = refusal(_compare(place, table, "--config", here / "fid.toml", "-o", out), 3)
    assert "was made with fid False (now True)" in line
    line = refusal(_compare(place, table, "-o", out, "--budget", "5steps"), 3)
    assert "was made with --budget 4steps (now 5steps); give that again, or use `-o` another folder" in line


def test_dry_run_lists_cells_and_writes_nothing(place: Place, table: Path, here: Path) -> None:
    found = _compare(place, table, "--dry-run", "--json")
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
    lacking = ganprune("compare", "three", "--data", place.data, *config, "--dry-run")
    line = refusal(lacking, 3)
    assert "needed D_A" in line
    assert "--recover" not in line  # which is not for comparisons
    assert f"ganprune train --discriminators-for three --data {place.data}" in line
    (here / "few").mkdir()
    for name in ("trainA", "trainB", "testA"):
        (here / "few" / name).symlink_to(place.data / name)
    no_tests = ganprune("compare", place.checkpoint, "--data", "few", *config, "--dry-run")
    assert "testB" in refusal(no_tests, 3)
    assert "give one of --json, --csv and --markdown" in refusal(_compare(place, table, "--json", "--csv"), 2)
    assert "--cells needs names of cells" in refusal(_compare(place, table, "--cells", " ,"), 2)
    alone = ganprune("compare", "--config", "example", "--data", place.data, "--dry-run")
    assert "--data is of a CKPT, found none" in refusal(alone, 2)


def test_cell_of_one_name_and_another_method_is_refused(place: Place, table: Path, here: Path) -> None:
    with patch.object(comparing.Records, "write", side_effect=KeyboardInterrupt):
        _compare(place, table, "-o", "o", "--cells", "random")
    (here / "cells.toml").write_text(CELLS.replace('method = "random"', 'method = "uniform"'))
    words = ("--features", table / "m.safetensors", "-o", "o", "--cells", "random", "-q")
    changed = ganprune("compare", place.checkpoint, "--data", place.data, "--config", "cells.toml", *words)
    assert "was made by the method random (now uniform)" in refusal(changed, RunError.exit_code)
