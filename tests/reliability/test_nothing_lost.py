"""No command replaces or removes a file that it did not make, or that was changed since: a test a command."""

import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from unittest.mock import patch

import pytest
import torch

from ganprune.errors import RunError, UsageError
from ganprune.runs import Run
from ganprune.storage.files import atomic_path, write_atomically
from ganprune.storage.made import RECORD, check_replaceable, half_written, remove_made
from tests.cli.conftest import Place
from tests.cli.kit import Outcome, ganprune, listing, stopped_before_export
from tests.reliability.kit import one_line

PRECIOUS = b"a week of somebody's work"
FOREIGN = "is there already, and ganprune did not make it; nothing is overwritten: move it away"
CHANGED = "has changed since ganprune made it; nothing is overwritten: move it away"
FEW = ("--budget", "2steps", "--size", 32, "--set", "ngf=2", "--set", "ndf=2", "--set", "blocks=1",
       "--set", "device=cpu", "--set", "threads=1")  # fmt: skip
"""A training of a second."""


def _precious(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(PRECIOUS)
    return path


def _refused(done: Outcome, path: Path, told: str) -> None:
    assert done.code in (2, 3), done.err
    assert told in one_line(done.err)
    assert path.read_bytes() == PRECIOUS


COMMANDS: dict[str, tuple[Sequence[object], str]] = {
    "export": (("export", "--onnx", "CKPT", "-o", "out"), "out/G_A.onnx"),
    "export here": (("export", "--onnx", "CKPT", "-o", "."), "G_B.onnx"),
    "export --fp16": (("export", "--onnx", "CKPT", "-o", "out", "--fp16"), "out/G_A.fp16.onnx"),
    "export --int8": (("export", "--onnx", "CKPT", "--data", "DATA", "-o", "out", "--int8"),
                      "out/G_B.int8.onnx"),
    "export of a run": (("export", "--onnx", "run"), "run/G_A.onnx"),
    "export of a run elsewhere": (("export", "--onnx", "run", "-o", "out"), "out/original_G_A.onnx"),
    "bench": (("bench", "--cpu", "CKPT/latest_net_G_A.pth", "--size", 32, "-o", "out"), "out/bench.json"),
    "bench --profile": (("bench", "--cpu", "CKPT/latest_net_G_A.pth", "--size", 32, "-o", "out", "--profile"),
                        "out/profile.svg"),
    "report": (("report", "run", "-o", "mine.pth"), "mine.pth"),
    "report of a run": (("report", "run"), "run/report.html"),
    "evaluate": (("evaluate", "run", "--features", "FEATURES"), "run/evaluation.json"),
    "train": (("train", "--data", "DATA", "-o", "out", *FEW), "out/curves.svg"),
    "train, its state": (("train", "--data", "DATA", "-o", "out", *FEW), "out/train_state.pt"),
    "train, its log": (("train", "--data", "DATA", "-o", "out", *FEW), "out/train.jsonl"),
    "train, its samples": (("train", "--data", "DATA", "-o", "out", *FEW), "out/samples-0.png"),
}  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_a_file_that_ganprune_did_not_make_is_not_replaced(place: Place, run: Path, name: str) -> None:
    words, victim = COMMANDS[name]
    named = {"CKPT": str(place.checkpoint), "DATA": str(place.data), "FEATURES": str(place.config)}
    path = _precious(Path(victim))
    given = [named.get(str(w), str(w).replace("CKPT", named["CKPT"])) for w in words]
    _refused(ganprune(*given), path, f"{path.name} {FOREIGN}")


def test_a_file_in_the_place_of_a_folder_is_told(place: Place, here: Path) -> None:
    path = _precious(here / "out")
    words = ("train", "--data", place.data, "-o", path / "more", *FEW)
    _refused(
        ganprune(*words), path, f"{path}: this is a file, and a folder is needed in its place; give another"
    )


def test_figures_replace_no_file_that_ganprune_did_not_make(here: Path) -> None:
    from ganprune.figures.of_runs import write_figures
    from ganprune.figures.pareto import Point, pareto

    path = _precious(here / "figures" / "pareto.png")
    drawn = pareto([Point("G_A", "one", {"size": 1.0, "ms": 2.0})], [("size", "ms")])
    with pytest.raises(UsageError, match=f"pareto.png {FOREIGN}"):
        write_figures({"pareto": drawn}, path.parent)
    assert [path.name for path in path.parent.iterdir()] == ["pareto.png"]
    path.unlink()
    write_figures({"pareto": drawn}, path.parent)
    write_figures({"pareto": drawn}, path.parent)  # its own are replaced
    path.write_bytes(PRECIOUS)
    with pytest.raises(UsageError, match=f"pareto.png {CHANGED}"):
        write_figures({"pareto": drawn}, path.parent)


def test_a_comparison_replaces_no_file_that_it_did_not_make(here: Path) -> None:
    from ganprune.comparing.record import Records

    path = _precious(here / "cells" / "original.json")
    with pytest.raises(UsageError, match=f"original.json {FOREIGN}"):
        Records(path.parent, {}, ("A",)).write_original({}, {}, {})
    assert path.read_bytes() == PRECIOUS


ELSEWHERE: dict[str, Sequence[object]] = {
    "export": ("export", "--onnx", "CKPT", "-o", "run"),
    "bench": ("bench", "--cpu", "CKPT/latest_net_G_A.pth", "--size", 32, "-o", "run"),
    "report": ("report", "other", "-o", "run/report.html"),
    "train": ("train", "--data", "DATA", "-o", "run", *FEW),
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_run_is_written_to_by_its_own_commands_alone(place: Place, run: Path, name: str) -> None:
    shutil.copytree(run, "other")
    before = listing(run)
    named = {"CKPT": str(place.checkpoint), "DATA": str(place.data)}
    words = [named.get(str(w), str(w).replace("CKPT", named["CKPT"])) for w in ELSEWHERE[name]]
    refused = ganprune(*words)
    assert refused.code == 2, refused.err
    assert "use `-o` another folder" in one_line(refused.err)
    assert listing(run) == before


@pytest.mark.parametrize("named", [True, False], ids=["-o", "default"])
def test_trained_networks_are_not_trained_over_and_the_way_to_go_on_works(
    place: Place, here: Path, named: bool
) -> None:
    folder = Path("checkpoints") / place.data.name
    shutil.copytree(place.checkpoint, folder)
    before = listing(folder)
    refused = ganprune("train", "--data", place.data, *(("-o", folder) if named else ()), *FEW)
    assert refused.code == 2
    way = f"ganprune train --from {folder} --data"
    assert f"{folder} holds trained networks (latest_net_D_A.pth) and no train.json" in one_line(refused.err)
    assert way in refused.err
    assert listing(folder) == before
    if named:
        return
    few = (
        "--budget",
        "1steps",
        "--size",
        32,
        "--set",
        "device=cpu",
        "--set",
        "threads=1",
        "--set",
        "lr=1e-9",
    )
    done = ganprune("train", "--from", folder, "--data", place.data, *few)
    assert done.code == 0, done.err
    made = torch.load(Path("checkpoints") / f"{folder.name}-continued" / "latest_net_G_A.pth")
    for key, tensor in torch.load(folder / "latest_net_G_A.pth").items():
        torch.testing.assert_close(made[key], tensor, atol=1e-6, rtol=0)
    assert listing(folder) == before


def test_a_finished_training_is_not_trained_over_without_its_train_json(place: Place, here: Path) -> None:
    words = ("train", "--data", place.data, "-o", "out", *FEW)
    assert ganprune(*words).code == 0
    before = listing(here / "out")
    assert ganprune(*words).code == 0  # only read
    assert listing(here / "out") == before
    (here / "out" / "train.json").unlink()
    before = listing(here / "out")
    assert "no train.json to go on by" in one_line(ganprune(*words).err)
    assert listing(here / "out") == before


def test_missing_networks_are_not_trained_over_others(place: Place, here: Path) -> None:
    path = _precious(here / "out" / "latest_net_D_A.pth")
    generator = place.checkpoint / "latest_net_G_A.pth"
    shutil.copy(generator, here / "latest_net_G_A.pth")
    words = ("train", "--discriminators-for", "latest_net_G_A.pth", "--data", place.data, "-o", "out")
    _refused(ganprune(*words, "--budget", "2steps"), path, "out holds trained networks (latest_net_D_A.pth)")


def test_a_file_of_its_own_run_that_was_edited_is_kept_by_compress(place: Place, run: Path) -> None:
    path = _precious(run / "slim_generator.py")
    with stopped_before_export():
        _refused(place.compress("-o", run), path, f"slim_generator.py {CHANGED}")
        path.rename(run.parent / "mine.py")
        assert place.compress("-o", run).code == 130
    assert (run / "slim_generator.py").is_file()


def test_hidden_files_of_others_make_a_folder_no_free_one(place: Place, here: Path) -> None:
    names = (".thesis.123.partial.tex", ".config.12.partial.toml", ".x.partial")
    paths = [_precious(here / "mine" / name) for name in names]
    refused = place.compress("-o", "mine")
    assert refused.code == 3
    assert "is not empty and holds no run" in one_line(refused.err)
    assert [path.read_bytes() for path in paths] == [PRECIOUS] * 3
    assert sorted(path.name for path in (here / "mine").iterdir()) == sorted(names)


def test_a_latest_that_ganprune_did_not_make_stays(place: Place, here: Path) -> None:
    path = _precious(here / "runs" / "latest")
    with stopped_before_export():
        done = place.compress("-o", "run")
    assert done.code == 130
    assert "runs/latest was not written" in done.err
    assert path.read_bytes() == PRECIOUS


@pytest.mark.parametrize("name", [".lock", RECORD])
def test_a_lock_or_a_record_of_others_is_left_alone(place: Place, here: Path, name: str) -> None:
    path = _precious(here / "out" / name)
    _refused(ganprune("export", "--onnx", place.checkpoint, "-o", "out"), path, "ganprune's; move it away")


def test_a_file_is_known_after_a_kill_at_any_moment(tmp_path: Path) -> None:
    path, written = tmp_path / "G_A.onnx", 0
    for moment in range(5):
        calls = iter(range(10))

        def killed(*_: object, calls: "object" = calls, moment: int = moment) -> None:
            if next(calls) >= moment:  # type: ignore[call-overload]
                raise KeyboardInterrupt

        with patch("os.fsync", side_effect=killed), suppress(KeyboardInterrupt):
            for _ in range(5):
                written += 1
                write_atomically(path, b"x" * written)
    write_atomically(path, b"last")
    assert path.read_bytes() == b"last"


def test_what_a_kill_cut_short_of_the_record_is_no_hindrance(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_atomically(path, b"one")
    whole = (tmp_path / RECORD).read_bytes()
    for length in range(len(whole) + 1):
        (tmp_path / RECORD).write_bytes(whole[:length])
        if length < len(whole) - 1:
            path.unlink(missing_ok=True)
        write_atomically(path, b"one")
        check_replaceable(path)


def test_only_half_written_files_of_begun_names_are_cleared_away(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), atomic_path(tmp_path / "G_A.int8.onnx"):
        raise ZeroDivisionError
    ours = ".G_A.int8.77.partial.onnx"
    for name in (ours, ".G_A.77.partial.onnx", ".G_A.int8.partial.onnx", "G_A.int8.77.partial.onnx"):
        _precious(tmp_path / name)
    assert half_written(tmp_path) == [ours]


def test_a_state_that_ganprune_did_not_make_is_not_removed(tmp_path: Path) -> None:
    path = _precious(tmp_path / "train_state.pt")
    remove_made(path)
    assert path.exists()
    path.unlink()
    write_atomically(path, b"ours", over="own")
    remove_made(path)
    assert not path.exists()


def test_a_run_of_an_older_ganprune_goes_on_and_what_was_edited_in_it_is_kept(
    place: Place, run: Path
) -> None:
    (run / RECORD).unlink()
    path = _precious(run / "latest_net_G_A.pth")
    with stopped_before_export():
        _refused(place.compress("-o", run), path, f"latest_net_G_A.pth {CHANGED[:12]}")
        path.unlink()
        assert place.compress("-o", run).code == 130


def test_settings_of_a_newer_ganprune_are_kept(place: Place, run: Path) -> None:
    text = (run / "config.toml").read_text().replace("[settings]", "[settings]\nfrom-the-future = 3")
    (run / "config.toml").write_text(text)
    refused = place.compress("-o", run, "--workers", 2)
    assert refused.code == 3
    assert "settings that this one does not know: from-the-future" in one_line(refused.err)
    assert (run / "config.toml").read_text() == text


def test_two_searches_of_other_settings_in_one_new_folder_do_not_mix(place: Place, here: Path) -> None:
    """The second begins where the first one has seen that the folder is new, and not yet written to it."""
    from ganprune import runs

    locks, seconds = runs.locked, list[Outcome]()

    def slow(folder: Path) -> AbstractContextManager[None]:
        if not seconds:
            seconds.append(Outcome(0, "", ""))
            with stopped_before_export():
                seconds[0] = place.compress("-o", "run", "--seed", 1)
        return locks(folder)

    with patch.object(runs, "locked", slow):
        first = place.compress("-o", "run", "--seed", 2)
    assert seconds[0].code == 130
    assert first.code == 3
    assert "--seed 1 (now 2)" in one_line(first.err)
    assert Run(Path("run")).config["settings"]["seed"] == 1


def test_a_folder_that_vanishes_under_a_command_is_an_error(here: Path) -> None:
    with Run(here / "kept").locked():
        pass
    with (  # noqa: PT012
        pytest.raises(RunError, match="was removed or replaced while ganprune worked in it"),
        Run(here / "new").locked(),
    ):
        shutil.rmtree(here / "new")
        shutil.copytree(here / "kept", here / "new")
