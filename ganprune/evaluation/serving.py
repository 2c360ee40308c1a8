"""What every worker holds and answers, whatever carries its messages: a pipe, or Ray."""

import pickle
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ganprune.evaluation.interface import Domain
from ganprune.evaluation.local import EvaluationSettings, LocalEvaluator
from ganprune.evaluation.tuning import FineTuner
from ganprune.pruning.genome import Layout, unpack
from ganprune.reporting import SILENT, Reporter, Silent

Row = tuple[float, float, float, float]
"""L_DisA, L_GenA, L_cyc and L_idt of one individual."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What all workers have in common: the arguments of `LocalEvaluator`."""

    generators: Mapping[Domain, nn.Module]
    judges: Mapping[Domain, nn.Module]
    layouts: Mapping[Domain, Layout]
    pictures: Mapping[Domain, Tensor]
    tuner: FineTuner | None
    cache: Path | None


@dataclass(frozen=True, slots=True)
class Start:
    """The first message to a worker, which then computes all about the originals."""

    settings: EvaluationSettings
    threads: int
    inputs: bytes
    """Pickled `Inputs`, once for all workers."""


@dataclass(frozen=True, slots=True)
class Request:
    """Every other message to a worker. Answered by one `Row` a key."""

    side: Domain
    keys: tuple[bytes, ...]
    """Of the genomes, see `ganprune.pruning.genome.genome_key`."""
    partner: bytes
    """The same; empty: the original."""
    identity: bool


@dataclass(frozen=True, slots=True)
class Warned:
    """Sent before an answer: a warning for whoever started the worker."""

    message: str


class Warnings(Silent):
    """Keeps warnings until they are sent."""

    def __init__(self) -> None:
        self._kept: list[Warned] = []

    def warn(self, message: str) -> None:
        """See `Reporter.warn`."""
        self._kept.append(Warned(message))

    def taken(self) -> list[Warned]:
        """All that were not taken before."""
        kept, self._kept = self._kept, []
        return kept


class Server:
    """Computes what tasks ask for, in the worker's process."""

    def __init__(self, start: Start, reporter: Reporter = SILENT, cache: Path | None = None) -> None:
        """Compute all about the originals. cache: a folder in place of the one in ``start``."""
        torch.set_num_threads(start.threads)
        inputs: Inputs = pickle.loads(start.inputs)
        self._layouts, tuner = inputs.layouts, inputs.tuner
        if tuner is not None:
            tuner = replace(tuner, settings=replace(tuner.settings, device=start.settings.device))
        self._evaluator = LocalEvaluator(
            inputs.generators, inputs.judges, inputs.layouts, inputs.pictures, start.settings,
            tuner=tuner, cache=cache or inputs.cache, reporter=reporter,
        )  # fmt: skip

    def score(self, task: Request) -> list[Row]:
        """Answer a task."""
        other: Domain = "B" if task.side == "A" else "A"
        partner = self._genomes(other, [task.partner])[0] if task.partner else None
        genomes = self._genomes(task.side, task.keys)
        found = self._evaluator.score(task.side, genomes, partner, identity=task.identity)
        terms = (found.L_DisA, found.L_GenA, found.L_cyc, found.L_idt)
        return list(zip(*(term.tolist() for term in terms), strict=True))

    def _genomes(self, side: Domain, keys: "tuple[bytes, ...] | list[bytes]") -> Tensor:
        packed = torch.frombuffer(bytearray(b"".join(keys)), dtype=torch.uint8)
        return unpack(packed.view(len(keys), -1), self._layouts[side].length)


def portable(error: Exception) -> Exception:
    """The same error with its traceback as a note; if pickle does not carry it, one that tells of it."""
    error.add_note("in a worker:\n" + traceback.format_exc())
    try:
        return pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
