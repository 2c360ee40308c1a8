"""The stages of a compression, each one call from networks and pictures to files in a run folder.

A stage that was finished by an earlier call is not done again; one that was interrupted goes on.
"""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from ganprune.checkpoints import load_generator, read_metadata, save_cyclegan_pth, save_generator
from ganprune.coevolution import CoEvolution, State, describe
from ganprune.device import Precision, cpu_threads, resolve_device, resolve_precision, resolve_threads
from ganprune.errors import RunError
from ganprune.evaluation import SIDES, EvaluationSettings, LocalEvaluator, Side
from ganprune.files import write_atomically
from ganprune.genome import Layout
from ganprune.images import PictureFolders, load_pictures, readable, split
from ganprune.networks import Discriminator, Generator
from ganprune.rebuild import rebuilt
from ganprune.repair import Repairer
from ganprune.reporting import SILENT, Reporter
from ganprune.runs import Run
from ganprune.settings import CompressSettings, ComputeSettings
from ganprune.training import Budget, Networks, TrainSettings, train

STATE = "state.safetensors"
HISTORY = "search.jsonl"
SAMPLES = 4
"""Validation pictures of each domain that fine-tuning shows its progress on."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """What ``auto`` came to; written down at a run's first start and kept from then on."""

    device: str
    precision: Precision
    threads: int
    batch: int

    @classmethod
    def of(cls, compute: ComputeSettings) -> "Resolved":
        """Look at this machine. Raises `UsageError` for a device that it lacks."""
        device = resolve_device(compute.device)
        batch = compute.batch or (16 if device.startswith("cuda") else 1)
        precision = resolve_precision(compute.precision, device)
        return cls(device, precision, resolve_threads(compute.threads), batch)


def search_pictures(
    folders: PictureFolders, settings: CompressSettings, reporter: Reporter = SILENT
) -> dict[Side, Tensor]:
    """Validation pictures of both domains: uint8 [n, 3, size, size]; never from a test folder.

    Taken from valA / valB where there are such, else from a seeded hold-out of trainA / trainB that
    fine-tuning does not see. Raises `DataError` where there are none, or too many are unreadable.
    """
    folders = readable(folders, reporter)
    pictures: dict[Side, Tensor] = {}
    for side in SIDES:
        _, validation = _split(folders, side, settings)
        pictures[side] = load_pictures(validation, settings.pictures.size, reporter)
        if len(validation) < settings.pictures.pictures:
            reporter.warn(
                f"--pictures {settings.pictures.pictures} was asked for, domain {side} has {len(validation)} "
                "to score on; half of a training folder at most is held out"
            )
    return pictures


def _split(
    folders: PictureFolders, side: Side, settings: CompressSettings
) -> tuple[Sequence[Path], Sequence[Path]]:
    """Pictures of a domain to fine-tune on, and those to score on."""
    n = settings.pictures.pictures
    tuning, validation = split(folders, side, seed=settings.search.seed, holdout=n)
    return tuning, validation[:n]


def layouts(generators: Mapping[Side, Generator], settings: CompressSettings) -> dict[Side, Layout]:
    """The genome layouts of both generators."""
    return {side: Layout.of(generators[side].widths, settings.search.layout) for side in SIDES}


def check_target(generators: Mapping[Side, Generator], settings: CompressSettings) -> None:
    """Raises `UsageError` where no network of the alignment asked for is as small as the target."""
    for side, layout in layouts(generators, settings).items():
        Repairer(layout, settings.search.constraints(side))


def search(
    run: Run,
    generators: Mapping[Side, Generator],
    judges: Mapping[Side, Discriminator],
    pictures: Mapping[Side, Tensor],
    settings: CompressSettings,
    resolved: Resolved,
    reporter: Reporter = SILENT,
) -> State:
    """Run Algorithm 1 to its last generation, saving after each; go on where a saved state is found.

    Writes state.safetensors and search.jsonl. Raises `RunError` for a damaged state, or one that was
    made from other pictures, and `UsageError` where this machine lacks the device it was begun on.
    """
    fingerprint = picture_hash(pictures)
    state, lines = _saved(run, fingerprint)
    if state is not None and run.finished("search"):
        return state
    started = time.monotonic()
    if state is None or state.generation < settings.search.generations:
        resolve_device(resolved.device)
        done = 0 if state is None else state.generation + 1
        if done:
            reporter.info(f"going on with the search after generation {done - 1}")
        both, scored = layouts(generators, settings), 2 * settings.search.population
        individuals = scored * (settings.search.generations + 1)
        with cpu_threads(resolved.threads), reporter.task("search", individuals, scored * done) as task:
            evaluator = LocalEvaluator(
                generators, judges, both, pictures, _evaluation(settings, resolved), task.advance
            )
            before, counted = time.monotonic(), 0
            for current in CoEvolution(settings.search, both, evaluator).states(state):
                now, count = time.monotonic(), evaluator.evaluations
                cost = {"evaluations": count - counted, "seconds": round(now - before, 3)}
                lines.append(describe(current) | cost)
                _save(run, current, lines, fingerprint)
                task.advance(0, **_figures(current))
                state, before, counted = current, now, count
    assert state is not None
    run.finish(
        "search", [run / STATE, run / HISTORY], time.monotonic() - started, pictures_sha256=fingerprint
    )
    return state


def rebuild_both(
    run: Run, generators: Mapping[Side, Generator], state: State, settings: CompressSettings
) -> dict[Side, Generator]:
    """Cut both slim generators out of the originals by the best genomes.

    Writes pruned_G_A.safetensors and pruned_G_B.safetensors, with their kept indices in the metadata.
    """
    paths = {side: run / f"pruned_G_{side}.safetensors" for side in SIDES}
    if run.finished("rebuild", [run / STATE]):
        return {side: load_generator(paths[side]) for side in SIDES}
    started, slim = time.monotonic(), dict[Side, Generator]()
    for side, layout in layouts(generators, settings).items():
        genome = state.population(side).best_genome
        slim[side] = rebuilt(generators[side], layout, genome)
        kept = {group: index.tolist() for group, index in layout.kept(genome).items()}
        save_generator(paths[side], slim[side], {"network": f"G_{side}", "kept": json.dumps(kept)})
    run.finish("rebuild", paths.values(), time.monotonic() - started, [run / STATE])
    return slim


def fine_tune(
    run: Run,
    slim: Mapping[Side, Generator],
    judges: Mapping[Side, Discriminator],
    folders: PictureFolders,
    settings: CompressSettings,
    resolved: Resolved,
    reporter: Reporter = SILENT,
) -> dict[Side, Generator]:
    """Train both slim generators together by the CycleGAN recipe, from the pretrained discriminators.

    On the training pictures that the search was not scored on. Everything about it is in the run's
    folder fine-tune/, all four trained networks too. A budget of 0 returns the generators as they are.
    Raises `TrainingError` where the training goes wrong.
    """
    budget = Budget.parse(settings.tuning.budget)
    if not budget.amount:
        return dict(slim)
    started, folders = time.monotonic(), readable(folders, reporter)
    pictures, samples = dict[Side, Sequence[Path]](), dict[Side, Sequence[Tensor]]()
    for side in SIDES:
        pictures[side], validation = _split(folders, side, settings)
        samples[side] = list(load_pictures(validation[:SAMPLES], settings.pictures.size))
    shown = min(len(samples[side]) for side in SIDES)
    for side in SIDES:
        samples[side] = samples[side][:shown]
    recipe = TrainSettings(
        size=settings.pictures.size, seed=settings.search.seed,
        device=resolved.device, precision=resolved.precision,
    )  # fmt: skip
    networks = Networks(slim["A"], slim["B"], judges["A"], judges["B"])
    with cpu_threads(resolved.threads):
        result = train(networks, pictures, recipe, budget, run / "fine-tune", reporter, samples=samples)
    record = run / "fine-tune" / "train.json"
    if not run.finished("fine-tune"):
        run.finish("fine-tune", [record], time.monotonic() - started, steps=result.steps)
    return {"A": result.networks.G_A, "B": result.networks.G_B}


def write_both(run: Run, slim: Mapping[Side, Generator], source_sha256: Mapping[Side, str]) -> None:
    """Write the finished generators, for ganprune and for CycleGAN's own code.

    G_A.safetensors / G_B.safetensors, whose metadata hold widths, kept indices and the hash of the
    original's file; the same tensors as latest_net_G_A.pth / latest_net_G_B.pth.
    """
    inputs = [run / "fine-tune" / "train.json", *(run / f"pruned_G_{side}.safetensors" for side in SIDES)]
    if run.finished("write", inputs):
        return
    started, outputs = time.monotonic(), list[Path]()
    for side in SIDES:
        kept = read_metadata(run / f"pruned_G_{side}.safetensors")["kept"]
        metadata = {"network": f"G_{side}", "kept": kept, "source_sha256": source_sha256[side]}
        save_generator(run / f"G_{side}.safetensors", slim[side], metadata)
        save_cyclegan_pth(run / f"latest_net_G_{side}.pth", slim[side])
        outputs += [run / f"G_{side}.safetensors", run / f"latest_net_G_{side}.pth"]
    run.finish("write", outputs, time.monotonic() - started, inputs)


def picture_hash(pictures: Mapping[Side, Tensor]) -> str:
    """SHA-256 of the pixels of both sides."""
    digest = hashlib.sha256()
    for side in SIDES:
        digest.update(repr(tuple(pictures[side].shape)).encode())
        digest.update(pictures[side].numpy().tobytes())
    return digest.hexdigest()


def _evaluation(settings: CompressSettings, resolved: Resolved) -> EvaluationSettings:
    reduction = settings.pictures.reduction
    return EvaluationSettings(resolved.device, resolved.precision, resolved.batch, reduction)


def _saved(run: Run, fingerprint: str) -> tuple[State | None, list[dict[str, Any]]]:
    """The state that an earlier call left, with the lines of search.jsonl up to it."""
    path = run / STATE
    if not path.exists():
        return None, []
    try:
        tensors = load_tensors(path.read_bytes())
        state = State.from_tensors(tensors)
        pictures = bytes(tensors["pictures_sha256"].tolist()).hex()
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise RunError(
            f"{path} is damaged ({error}); delete it to search again, or use `-o` another folder"
        ) from None
    if pictures != fingerprint:
        raise RunError(
            f"the search in {run.folder} was made with other pictures than are in the data folder now; "
            "put them back, or use `-o` another folder"
        )
    return state, _history(run, state.generation)


def _history(run: Run, last: int) -> list[dict[str, Any]]:
    """The lines of search.jsonl up to a generation; none where the file is missing."""
    path = run / HISTORY
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return [line for line in lines if line["generation"] <= last]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{path} is damaged ({error}); delete it to go on without the figures of past generations"
        ) from None


def _save(run: Run, state: State, lines: list[dict[str, Any]], fingerprint: str) -> None:
    """First the history, then the state: after a kill in between, the line is written again."""
    text = "".join(json.dumps(line) + "\n" for line in lines)
    write_atomically(run / HISTORY, text.encode())
    tensors = state.to_tensors() | {"pictures_sha256": torch.tensor(list(bytes.fromhex(fingerprint)))}
    write_atomically(run / STATE, save_tensors(tensors))


def _figures(state: State) -> dict[str, float | str]:
    """What a search shows beside its progress."""
    A, B = state.A, state.B
    return {
        "generation": str(state.generation),
        "F_A": float(A.fitness[A.best]), "F_B": float(B.fitness[B.best]),
        "MACs_A": float(A.macs[A.best]), "MACs_B": float(B.macs[B.best]),
    }  # fmt: skip
