"""Races: the best few individuals of a search are trained for a while, and the better half of them goes on.

What a score says of a network is what it is worth before training; a race sees what training makes of it, for
the few where that may change who is best. Source: successive halving, Jamieson & Talwalkar, AISTATS 2016.

Entrants are pairs, the fittest of both sides, then the next fittest of other widths. Each has a run folder
of its own, race/1 and so on, where it is cut, refitted and trained by the recipe, budget and learning rate of
the whole fine-tuning, only not to its end. race.json keeps every round. The winner's files become the run's,
so its training goes on from where it stands.
"""

import math
import time
from collections.abc import Mapping
from typing import TypedDict

import torch

from ganprune.pruning.genome import Layout
from ganprune.runs import open_run, write_json
from ganprune.search.coevolution import Population, State
from ganprune.search.front import chosen
from ganprune.settings.words import Domain
from ganprune.stages.cutting import rebuild_both, refit_both
from ganprune.stages.job import FINE_TUNE, Job
from ganprune.stages.searching import STATE, layouts
from ganprune.stages.training import distances, fine_tune
from ganprune.storage.files import sha256, write_atomically
from ganprune.storage.plain import read_json, shaped, sound
from ganprune.training.validation import score

RACE, ROUNDS = "race", "race.json"
STEPS = 200  # steps of training that a round adds to each entrant's


class Round(TypedDict):
    """What a round came to."""

    steps: int
    scores: dict[str, float]  # by place; smaller is better


def steps_of(entrants: int) -> int:
    """Steps of training that a race makes, all entrants together; the winner need not make its own again."""
    return entrants * STEPS + steps_of(math.ceil(entrants / 2)) if entrants > 1 else 0


def raced(job: Job, state: State) -> State:
    """The winner of a race alone, its training begun in the run's folder; without ``races`` all as it is.

    Called again, the race goes on where it was interrupted, and ends with the same bits. Raises as
    `fine_tune`, and `RunError` for a damaged race.json.
    """
    run, entered = job.run, job.settings.tuning.races
    if not entered:
        return state
    pairs = entrants(state, layouts(job.originals, job.settings), entered)
    rounds = _known_rounds(job, len(pairs))
    left = survivors(rounds, len(pairs))
    if run.finished(RACE, [run / STATE]) is None:
        started = time.monotonic()
        while len(left) > 1:
            steps, told = STEPS * (len(rounds) + 1), ", ".join(map(str, left))
            job.reporter.info(
                f"race, round {len(rounds) + 1}: individuals {told} are trained up to step {steps}"
            )
            scores = {str(place): _trained(job, pairs[place - 1], place, steps) for place in left}
            rounds.append({"steps": steps, "scores": scores})
            write_json(run / ROUNDS, {"search": sha256(run / STATE), "rounds": rounds}, "own")
            left = survivors(rounds, len(pairs))
        facts = {"winner": left[0], "entrants": len(pairs), "steps": steps_of(len(pairs))}
        run.finish(RACE, [run / ROUNDS], time.monotonic() - started, [run / STATE], **facts)
        job.reporter.info(f"race: individual {left[0]} of {len(pairs)} goes on")
    _adopt(job, pairs[left[0] - 1], left[0])
    return pairs[left[0] - 1]


def entrants(state: State, layouts: Mapping[Domain, Layout], most: int) -> list[State]:
    """Pairs of the fittest of each side whose widths differ, the best first; at most ``most``."""
    found = dict[Domain, list[int]]()
    for side, population in state.populations.items():
        counts = layouts[side].gene_counts(population.genomes).tolist()
        first = dict[tuple[int, ...], int]()
        for i in population.fitness.argsort(descending=True, stable=True).tolist():
            first.setdefault(tuple(counts[i]), i)
        found[side] = list(first.values())[:most]
    rows = [zip(found, row, strict=True) for row in zip(*found.values(), strict=False)]

    def one(side: Domain, i: int) -> Population:
        return chosen(state.populations[side], torch.tensor([i]))

    return [State(state.generation, {side: one(side, i) for side, i in row}) for row in rows]


def survivors(rounds: list[Round], entered: int) -> list[int]:
    """Places of those that are still in the race after some rounds, in order; of equals the earlier one."""
    if not rounds:
        return list(range(1, entered + 1))
    scores = {int(place): value for place, value in rounds[-1]["scores"].items()}
    return sorted(sorted(scores, key=lambda place: (scores[place], place))[: math.ceil(len(scores) / 2)])


def _trained(job: Job, pair: State, place: int, steps: int) -> float:
    """Train a pair up to a step. Its score, smaller is better: the mean over both sides of the logarithm of
    what validation chooses weights by."""
    point = job.in_folder(open_run(job.run / RACE / str(place), job.run.config, job.run.command or ""))
    slim = fine_tune(point, refit_both(point, rebuild_both(point, pair)), until=steps)
    figures, distilled = distances(job, slim), job.settings.tuning.recipe == "distil"
    values = [score(figures, "G_A" if side == "A" else "G_B", distilled) for side in slim]
    return sum(math.log(max(value, 1e-12)) for value in values) / len(values)


def _adopt(job: Job, pair: State, place: int) -> None:
    """Make the winner's files the run's own; again after a kill in between."""
    run, there = job.run, job.run / RACE / str(place)
    for stage, prefix, inputs in (
        ("rebuild", "pruned", [run / STATE]),
        ("refit", "refitted", [run / f"pruned_G_{side}.safetensors" for side in pair.populations]),
    ):
        names = [f"{prefix}_G_{side}.safetensors" for side in pair.populations]
        if run.finished(stage, inputs) or not all((there / name).is_file() for name in names):
            continue
        for name in names:
            write_atomically(run / name, (there / name).read_bytes())
        run.finish(stage, [run / name for name in names], 0.0, inputs)
    if not (run / FINE_TUNE).exists() and (there / FINE_TUNE).is_dir():
        (there / FINE_TUNE).rename(run / FINE_TUNE)


def _known_rounds(job: Job, entered: int) -> list[Round]:
    """The rounds that an earlier call has finished."""
    path = job.run / ROUNDS
    if not path.exists():
        return []
    with sound(path, f"delete it and {job.run / RACE} to race again"):
        told = read_json(path)
        rounds = shaped(told["rounds"], list[Round])
        if told.get("search", now := sha256(job.run / STATE)) != now:
            raise ValueError("of another search")
        for i in range(len(rounds)):
            if {*map(str, survivors(rounds[:i], entered))} != rounds[i]["scores"].keys():
                raise ValueError("other entrants than there are")
        return rounds
