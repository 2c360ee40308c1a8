"""Races of a search's best individuals."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from ganprune.errors import RunError, UsageError
from ganprune.images import find_domains
from ganprune.runs import open_run
from ganprune.settings import CompressSettings
from ganprune.settings.words import DOMAINS
from ganprune.stages import Job, finished_networks, racing, rebuild_both, search
from ganprune.stages.racing import entrants, raced, steps_of, survivors
from ganprune.storage.files import sha256
from tests.tiny import seeded, tiny_gan, tiny_job
from tests.training.kit import Interrupted, Interrupter

SETTINGS = CompressSettings.from_flat(
    {"population": 6, "generations": 1, "pictures": 2, "size": 32, "budget": "9steps", "device": "cpu"}
    | {"races": 3, "refit-pictures": 2, "validations": 2, "threads": 1, "precision": "float32"}
)


@pytest.fixture(autouse=True)
def short_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(racing, "STEPS", 3)


def _job(folder: Path, settings: CompressSettings = SETTINGS, **changes: Any) -> Job:
    data = folder.parent / "data"
    for seed, name in enumerate(("trainA", "trainB")):
        (data / name).mkdir(parents=True, exist_ok=True)
        for i in range(5):
            pixels = torch.randint(256, (32, 32, 3), generator=seeded(10 * seed + i), dtype=torch.uint8)
            Image.fromarray(pixels.numpy()).save(data / name / f"{i}.png")
    config = {
        "checkpoint": "c", "data": str(data), "settings": settings.to_flat(), "sha256": {},
        "resolved": {"device": "cpu", "precision": "float32", "threads": 1, "batch": 1},
    }  # fmt: skip
    run = open_run(folder, config, "ganprune compress c --data d")
    return tiny_job(run, tiny_gan(), settings, folders=find_domains(data), **changes)


def _whole(job: Job) -> Any:
    return finished_networks(job, rebuild_both(job, raced(job, search(job))))[1]


def _bits(run: Path) -> dict[str, str]:
    return {f"G_{side}": sha256(run / f"G_{side}.safetensors") for side in DOMAINS}


def test_entrants_are_the_fittest_of_unlike_widths(tmp_path: Path) -> None:
    job = _job(tmp_path / "run")
    state, layouts = search(job), tiny_gan().layouts
    found = entrants(state, layouts, 4)
    for side, population in state.populations.items():
        widths = [layouts[side].gene_counts(pair.populations[side].genomes).tolist() for pair in found]
        assert all(one != other for i, one in enumerate(widths) for other in widths[:i])
        fitness = [float(pair.populations[side].fitness) for pair in found]
        assert fitness == sorted(fitness, reverse=True)
        assert torch.equal(found[0].populations[side].best_genome, population.best_genome)


@pytest.mark.parametrize(("n", "rounds"), [(2, [2]), (3, [3, 2]), (5, [5, 3, 2]), (8, [8, 4, 2])])
def test_the_better_half_goes_on_until_one_is_left(n: int, rounds: list[int]) -> None:
    told, left = list[racing.Round](), survivors([], n)
    while len(left) > 1:
        told.append({"steps": 3, "scores": {str(place): -place for place in left}})
        left = survivors(told, n)
    assert [len(one["scores"]) for one in told] == rounds
    assert left == [n]  # the last scored best
    assert steps_of(n) == racing.STEPS * sum(rounds)


def test_the_winner_ends_as_if_it_had_been_trained_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = _job(tmp_path / "run")
    slim = _whole(job)
    stage = job.run.provenance["stages"]["race"]
    assert (stage["entrants"], stage["steps"]) == (3, 15)
    rounds = json.loads((job.run / "race.json").read_text())["rounds"]
    assert [one["steps"] for one in rounds] == [3, 6]
    assert survivors(rounds, 3) == [stage["winner"]]
    pair = entrants(search(job), tiny_gan().layouts, 3)[stage["winner"] - 1]
    alone = _job(tmp_path / "alone", CompressSettings.from_flat(SETTINGS.to_flat() | {"races": 0}))
    _, wanted = finished_networks(alone, rebuild_both(alone, pair))
    for side in DOMAINS:
        for key, tensor in wanted[side].state_dict().items():
            assert torch.equal(slim[side].state_dict()[key], tensor), key
    assert not (job.run / "race" / str(stage["winner"]) / "fine-tune").exists()
    monkeypatch.setattr("ganprune.stages.training.train", None)  # what is finished is only read
    assert torch.equal(raced(job, search(job)).populations["A"].genomes, pair.populations["A"].genomes)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder whose race nothing has interrupted."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(racing, "STEPS", 3)
        job = _job(tmp_path_factory.mktemp("whole") / "run")
        _whole(job)
    return job.run.folder


def _same(run: Path, other: Path) -> None:
    assert (run / "race.json").read_bytes() == (other / "race.json").read_bytes()
    assert _bits(run) == _bits(other)


@pytest.mark.parametrize("after", [8, 11])  # in rounds 1 and 2
def test_an_interrupted_race_ends_with_the_same_bits(tmp_path: Path, undisturbed: Path, after: int) -> None:
    job = _job(tmp_path / "run")
    with pytest.raises(Interrupted):
        _whole(replace(job, reporter=Interrupter(after)))
    _whole(job)
    _same(job.run.folder, undisturbed)


@pytest.mark.parametrize("moment", ["refitted_G_B.safetensors", "fine-tune"])
def test_a_kill_while_the_winner_is_taken_over_changes_nothing(
    tmp_path: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    job = _job(tmp_path / "run")
    write, rename = racing.write_atomically, Path.rename

    def dying(path: Path, *words: Any, **more: Any) -> None:
        if path == job.run / moment:
            raise Interrupted
        write(path, *words, **more)

    def stuck(path: Path, target: Path) -> Path:
        if path.name == moment:
            raise Interrupted
        return rename(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(racing, "write_atomically", dying)
        patched.setattr(Path, "rename", stuck)
        with pytest.raises(Interrupted):
            _whole(job)
    _whole(job)
    _same(job.run.folder, undisturbed)


@pytest.mark.parametrize(
    "content",
    [
        '{"rounds": 3}',
        '{"rounds": [{"steps": 3, "scores": {"1": 0.5}}]}',
        "{",
        '{"search": "an earlier one", "rounds": []}',
    ],
    ids=str,
)
def test_a_damaged_race_is_refused(tmp_path: Path, content: str) -> None:
    job = _job(tmp_path / "run")
    (job.run / "race.json").write_text(content)
    with pytest.raises(RunError, match=r"race\.json is damaged \(.*\); delete it and .*race to race again"):
        raced(job, search(job))


@pytest.mark.parametrize(
    ("flat", "message"),
    [
        ({"races": 1}, "--set races must be 0, or 2 or more, found 1"),
        ({"races": -2}, "--set races must be 0 or more, found -2"),
        ({"races": 2, "budget": "0"}, "--set races=2 needs training, found --budget 0"),
    ],
)
def test_bad_races_are_named(flat: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        CompressSettings.from_flat(flat)
