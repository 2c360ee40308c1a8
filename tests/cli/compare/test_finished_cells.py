"""``ganprune compare``: finished cells are kept, told again, timed once, and not mixed with others."""

import csv
import json
import shutil
from io import StringIO
from pathlib import Path
from unittest.mock import patch

import pytest

from ganprune.comparing import running, timing
from ganprune.errors import RunError
from ganprune_exporters import exporter
from tests.cli.compare.conftest import CELLS, KEYS, compare
from tests.cli.conftest import Place
from tests.cli.kit import ganprune, listing
from tests.cli.test_bad_input import refusal

CONTROLS = ["inputs", "original, mirrored"]
"""Rows that are no networks' own."""


def test_finished_cells_are_not_done_again(
    place: Place, table: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = listing(out)
    monkeypatch.setattr(running, "finished_networks", None)
    monkeypatch.setattr(timing, "bench", None)
    again = compare(place, table, "-o", out, "--markdown")
    assert again.code == 0, again.err
    assert "| thinet | 2 |" in again.out
    after = listing(out)
    assert {name for name in after if before.get(name) != after[name] and not name.endswith(".lock")} == set()


def test_records_alone_are_enough_for_the_table(place: Place, table: Path, out: Path, here: Path) -> None:
    for path in out.glob("*.json"):
        (here / path.name).write_bytes(path.read_bytes())
    (here / "timing.json").unlink()
    found = compare(place, table, "-o", here, "--csv")
    assert found.code == 0, found.err
    lines = list(csv.DictReader(StringIO(found.out)))
    assert len(lines) == 14  # seven methods of two directions
    assert all(float(line["median_ms"]) > 0 for line in lines if line["method"] not in CONTROLS)
    assert not (here / "cells").exists()
    told = "ms by the widths alone, the networks were not there: ours, swarm, thinet, random"
    assert told in compare(place, table, "-o", here, "--finished").out
    with patch.object(timing, "bench", side_effect=AssertionError):  # nor is it timed again
        assert compare(place, table, "-o", here).code == 0
    (here / "timing.json").write_bytes((out / "timing.json").read_bytes())  # of when the networks were there
    with patch.object(timing, "bench", side_effect=AssertionError):
        assert "widths alone" not in compare(place, table, "-o", here).out


def test_finished_cells_alone_are_told(place: Place, table: Path, out: Path, here: Path) -> None:
    for name in ("original", "thinet-1"):
        (here / f"{name}.json").write_bytes((out / f"{name}.json").read_bytes())
    before = listing(here)
    found = compare(place, table, "-o", here, "--finished", "--json")
    assert [row[0] for row in found.json["tables"][0]["rows"]] == ["original", *CONTROLS, "thinet"]
    assert listing(here) == before
    (here / "thinet-1.json").unlink()
    nothing = compare(place, table, "-o", here, "--finished")
    assert "--finished needs original.json and cells that are, found not both in" in refusal(nothing, 2)
    (here / "original.json").unlink()
    (here / "thinet-1.json").write_bytes((out / "thinet-1.json").read_bytes())
    lone = compare(place, table, "-o", here, "--finished")
    assert "--finished needs original.json and cells that are, found not both in" in refusal(lone, 2)
    both = compare(place, table, "-o", here, "--finished", "--dry-run")
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
    assert "was made with budget = 4steps (now 9steps)" in refusal(changed, 3)


def test_time_becomes_the_steps_of_the_first_cell(
    place: Place, table: Path, untimed: Path, out: Path, here: Path
) -> None:
    for path in out.glob("*.json"):
        if path.name.startswith(("original", "ours-0")):
            record = json.loads(path.read_text())
            if "settings" in record:  # as if 4 steps were what a minute came to
                record["settings"]["budget"] = record["made"]["settings"]["budget"] = "1m"
            (here / path.name).write_text(json.dumps(record))
    words = ("-o", here, "--budget", "1m", "--cells", "ours,random", "-q")
    text = untimed.read_text().replace("seeds = [0, 1]\n[cells.swarm]", "[cells.swarm]")
    (here / "one.toml").write_text(text)
    done = compare(place, table, "--config", here / "one.toml", *words)
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
    done = compare(place, table, *words)
    assert done.code == 0, done.err
    assert json.loads((here / "o" / "random-0.json").read_text())["steps"] == 4
    timed = json.loads((here / "o" / "timing.json").read_text())["timings"]
    assert timed.keys() == {"original", "ours", "random"}  # the others were made in another way, by steps


def test_networks_are_exported_once(place: Place, table: Path, out: Path, here: Path) -> None:
    shutil.copytree(out, here / "o")
    (here / "o" / "timing.json").unlink()
    (here / "o" / "onnx" / "swarm.G_B.onnx").unlink()
    with patch.object(exporter, "export_onnx", wraps=exporter.export_onnx) as export:
        again = compare(place, table, "-o", here / "o", "-q")
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


def test_interrupted_comparison_goes_on(
    place: Place, table: Path, untimed: Path, out: Path, here: Path
) -> None:
    words = ("--config", untimed, "-o", here, "--cells", "random")
    with patch.object(running.Records, "write", side_effect=KeyboardInterrupt):
        broken = compare(place, table, *words)
    assert broken.code == 130
    assert "interrupted; to go on, run again: ganprune compare" in broken.err
    with patch("ganprune.comparing.running.prune", side_effect=AssertionError):  # what is left is not touched
        refused = compare(place, table, *words)
    assert refused.code == 1
    done = compare(place, table, *words, "-q")
    assert done.code == 0, done.err
    now, calm = (json.loads((folder / "random-0.json").read_text()) for folder in (here, out))
    assert now["sides"] == calm["sides"]


def test_changed_settings_of_a_finished_cell_are_refused(
    place: Place, table: Path, out: Path, here: Path
) -> None:
    record = json.loads((out / "ours-0.json").read_text())
    assert (record["device"], record["precision"]) == ("cpu", "float32")
    (here / "half.toml").write_text(CELLS.replace("float32", "bfloat16"))
    line = refusal(compare(place, table, "--config", here / "half.toml", "-o", out), 3)
    assert "was made with precision = float32 (now bfloat16)" in line
    line = refusal(compare(place, table, "-o", out, "--size", "48"), 3)
    assert "was made with size 32 (now 48)" in line
    (here / "fid.toml").write_text(CELLS.replace("[compare]", "[compare]\nfid = true"))
    line = refusal(compare(place, table, "--config", here / "fid.toml", "-o", out), 3)
    assert "was made with fid False (now True)" in line
    line = refusal(compare(place, table, "-o", out, "--budget", "5steps"), 3)
    assert "was made with budget = 4steps (now 5steps); give that again, or use `-o` another folder" in line


def test_a_search_of_an_older_ganprune_is_no_cell_of_today_but_a_rival_is(
    place: Place, table: Path, out: Path, here: Path
) -> None:
    """Fitness counted size then, as those records do not say."""
    shutil.copytree(out, here / "out")
    for key in KEYS:
        path = here / "out" / f"{key}.json"
        record = json.loads(path.read_text())
        del record["made"]["settings"]["weigh-size"]
        path.write_text(json.dumps(record))
    line = refusal(compare(place, table, "-o", "out", "--finished", "--cells", "ours"), 3)
    assert "ours-0.json was made with weigh-size = always (now auto)" in line
    told = compare(place, table, "-o", "out", "--finished", "--cells", "thinet,random")
    assert told.code == 0, told.err


def test_cell_of_one_name_and_another_method_is_refused(place: Place, table: Path, here: Path) -> None:
    with patch.object(running.Records, "write", side_effect=KeyboardInterrupt):
        compare(place, table, "-o", "o", "--cells", "random")
    (here / "cells.toml").write_text(CELLS.replace('method = "random"', 'method = "uniform"'))
    words = ("--features", table / "m.safetensors", "-o", "o", "--cells", "random", "-q")
    changed = ganprune("compare", place.checkpoint, "--data", place.data, "--config", "cells.toml", *words)
    assert "was made by the method random (now uniform)" in refusal(changed, RunError.exit_code)
