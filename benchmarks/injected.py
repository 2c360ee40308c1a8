"""Faults that `faults.py` puts in the way of `compress`, and what each must lead to."""

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import nan
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from safetensors.torch import load_file

from ganprune.images.sources import DOMAINS
from ganprune.runs import Run
from ganprune.scoring import LocalScorer, Scores
from ganprune.scoring.memory import Batches
from ganprune.search.coevolution import State
from ganprune.storage import files
from ganprune.training import loop
from ganprune.training.step import TrainingError
from tests.fuzz.program import EXPORTS, Ended, light, run
from tests.reliability.kit import enlarge, little_memory, read_only, small_disk

RESULTS = (
    "state.safetensors", "pruned_G_A.safetensors", "pruned_G_B.safetensors", "G_A.safetensors",
    "G_B.safetensors", "fine-tune/latest_net_D_A.pth", "fine-tune/latest_net_D_B.pth",
)  # fmt: skip
BEGUN = 130
"""`compress` got to the export, where `light` stops it: all that is compared is there."""
SCORES, STEPS = 8, 6
"""Calls of a scorer, and steps of training, that the command makes."""
NO_MEMORY = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"


@dataclass
class Bench:
    """Where a fault is put in the way of one command."""

    place: Path
    folder: Path
    """Empty; for this injection alone."""
    chance: random.Random
    seconds: float
    """That the undisturbed command took."""
    data: Path
    """The pictures; a fault may put a copy in their place."""
    more: tuple[object, ...] = ()
    """Options that this injection adds."""

    def compress(self, output: Path | None = None) -> Ended:
        words = (
            "compress", self.place / "net", "--data", self.data, "--config", self.place / "tiny.toml",
            "-o", output or self.folder / "run", "--quiet", *self.more,
        )  # fmt: skip
        with light(EXPORTS):
            return run(words, self.folder)

    @property
    def run(self) -> Path:
        return self.folder / "run"

    def killed(self, prepare: Callable[[], object] = lambda: None, after: float | None = None) -> bool:
        """The command in a process of its own, killed after some seconds, or by what ``prepare`` set up.

        False: it ended by itself, before.
        """
        child = os.fork()
        if not child:
            try:
                prepare()
                self.compress()
            finally:
                os._exit(0)
        if after is not None:
            time.sleep(after)
            os.kill(child, signal.SIGKILL)
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])

    def apart(self, prepare: Callable[[], object]) -> Ended | None:
        """The command in a process of its own, to its end; None where it crashed."""
        told = self.folder / "told.json"

        def child() -> None:
            prepare()
            ended = self.compress()
            told.write_text(json.dumps([ended.code, ended.out, ended.err]))
            os._exit(0)

        self.killed(child)
        return Ended(*json.loads(told.read_text())) if told.exists() else None

    def fails(self, method: str, owner: type, error: Exception, calls: int) -> Ended:
        """The command with an error in the middle of its work, at a random one of so many calls."""
        whole, left = getattr(owner, method), [self.chance.randrange(calls)]

        def failing(*given: Any, **more: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise error
            return whole(*given, **more)

        with patch.object(owner, method, failing):
            return self.compress()


def told(ended: Ended, code: int, *parts: str) -> None:
    """Fails unless a command ended with one line that says so."""
    assert ended.code == code, (ended.code, ended.err)
    (line,) = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    assert all(part in line for part in parts), line


def sigkill(b: Bench) -> bool:
    return b.killed(after=b.chance.uniform(0, b.seconds))


def power(b: Bench) -> bool:
    """The machine stops at a random flush or renaming; what was not flushed by then is empty."""
    left, flush, rename = [b.chance.randrange(120)], os.fsync, Path.replace

    def stop(unflushed: Path | None) -> None:
        left[0] -= 1
        if left[0] < 0:
            if unflushed is not None and unflushed.is_file():
                os.truncate(unflushed, 0)
            os.kill(os.getpid(), signal.SIGKILL)

    def fsync(descriptor: int) -> None:
        stop(Path(f"/proc/self/fd/{descriptor}").readlink())
        flush(descriptor)

    def replace(self: Path, target: Path) -> Path:
        stop(None)
        return rename(self, target)

    def prepare() -> None:
        files.os.fsync = fsync
        Path.replace = replace  # type: ignore[method-assign]

    return b.killed(prepare)


def full_disk(b: Bench) -> bool:
    with small_disk(b.folder / "disk", b.chance.randrange(8, 240, 4)):
        ended = b.compress(b.folder / "disk" / "run")
        if ended.code != BEGUN:
            told(ended, 1, "disk", "free some space and run again")
        enlarge(b.folder / "disk", 16384)
        shutil.copytree(b.folder / "disk" / "run", b.run)
    return ended.code != BEGUN


def read_only_run(b: Bench) -> bool:
    sigkill(b)
    b.run.mkdir(exist_ok=True)
    with read_only(b.run):
        told(b.compress(), 1, "ganprune must be able to read and write here")
    return True


def second_process(b: Bench) -> bool:
    sigkill(b)
    b.run.mkdir(exist_ok=True)
    ready, done = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        with Run(b.run).locked():
            os.write(ready[1], b"!")
            os.read(done[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    told(b.compress(), 3, "another ganprune is working in")
    os.write(done[1], b"!")
    os.waitpid(child, 0)
    return True


def clock(b: Bench) -> bool:
    def jumping(*_: object) -> Any:
        return time.struct_time((b.chance.randrange(1970, 2100), 1, 1, 0, 0, 0, 0, 1, 0))

    with (
        patch.object(time, "time", lambda: b.chance.uniform(-1e9, 1e10)),
        patch.object(time, "gmtime", jumping),
    ):
        assert b.compress().code == BEGUN
    return True


def memory_scoring(b: Bench) -> bool:
    ended = b.fails("score", LocalScorer, RuntimeError(NO_MEMORY), SCORES)
    told(ended, 1, "out of memory; close other programs")
    return True


def memory_training(b: Bench) -> bool:
    ended = b.fails("step", loop.Training, RuntimeError(NO_MEMORY), STEPS)
    told(ended, 1, "out of memory in step", "is kept")
    return True


def memory_batch(b: Bench) -> bool:
    """A batch halves itself: the search goes on to its end, with scores of two batches.

    They differ by rounding, so they are compared with the undisturbed run's to 0.1 %, and the networks that
    came of them bit for bit.
    """
    attempt, left = Batches.attempt, [b.chance.randrange(60)]

    def scarce(self: Batches, work: Callable[[int], Any]) -> Any:
        def limited(size: int) -> Any:
            left[0] -= 1
            if size > 1 and left[0] < 0:
                raise RuntimeError(NO_MEMORY)
            return work(size)

        return attempt(self, limited)

    b.more = ("--set", "batch=2")
    with patch.object(Batches, "attempt", scarce):
        ended = b.compress()
    assert ended.code == BEGUN, ended.err
    if left[0] >= 0:
        return False
    assert "out of memory: 1 pictures a forward pass from now on instead of 2" in ended.err
    calm, found = (losses(folder) for folder in (b.place / "calm" / "run", b.run))
    assert calm.keys() == found.keys()
    off = max(abs(calm[name] - found[name]) / max(abs(calm[name]), 1e-6) for name in calm)
    assert off <= 1e-3, f"scores differ by {off:.1e}"
    return True


def losses(folder: Path) -> dict[str, float]:
    """All scores of the last generation, by name."""
    tensors = load_file(folder / "state.safetensors")
    return {
        f"{name}[{i}]": float(value)
        for name, tensor in tensors.items() if tensor.is_floating_point()
        for i, value in enumerate(tensor.flatten())
    }  # fmt: skip


def memory_real(b: Bench) -> bool:
    """The process may take no more memory, in the middle of its search; native code may crash of that."""
    score, calls = LocalScorer.score, [b.chance.randrange(SCORES)]

    def scarce(self: LocalScorer, *given: Any, **more: Any) -> Any:
        calls[0] -= 1
        if calls[0] >= 0:
            return score(self, *given, **more)
        with little_memory(0):
            held = [bytearray(1 << 16) for _ in range(50_000)]  # all that is left
            del held
            return score(self, *given, **more)

    def prepare() -> None:
        LocalScorer.score = scarce  # type: ignore[method-assign]

    ended = b.apart(prepare)
    if ended is not None and ended.code != BEGUN:
        told(ended, 1, "out of memory")
    return ended is None or ended.code != BEGUN


def gpu(b: Bench) -> bool:
    error = RuntimeError("CUDA error: unspecified launch failure")
    if b.chance.random() < 0.5:
        ended = b.fails("score", LocalScorer, error, SCORES)
    else:
        ended = b.fails("step", loop.Training, error, STEPS)
    told(ended, 1, "the GPU failed", "run again")
    return True


def nan_training(b: Bench) -> bool:
    """Losses that are no numbers end a training; a search's slim networks are then the same as ever."""
    ended = b.fails("step", loop.Training, TrainingError("the loss G_A is nan"), STEPS)
    told(ended, 1, "the loss G_A is nan", "are kept in")
    return True


def nan_search(b: Bench) -> bool:
    """What some slim networks say is no number, from a random moment on: the search ends with others.

    It may end with other genomes than the undisturbed one; looked for is that both are among the finite.
    """
    score, calls = LocalScorer.score, [b.chance.randrange(SCORES)]

    def overflowing(self: LocalScorer, *given: Any, **more: Any) -> Scores:
        found: Scores = score(self, *given, **more)
        calls[0] -= 1
        if calls[0] >= 0:
            return found
        bad = torch.tensor([b.chance.random() < 0.4 for _ in found.L_cyc])
        bad[b.chance.randrange(len(bad))] = False
        terms = {term: getattr(found, term) for term in ("L_DisA", "L_GenA", "L_cyc")}
        return replace(found, **{term: was.masked_fill(bad, nan) for term, was in terms.items()})

    with patch.object(LocalScorer, "score", overflowing):
        ended = b.compress()
    assert ended.code == BEGUN, ended.err
    for side in DOMAINS:
        population = State.from_tensors(load_file(b.run / "state.safetensors")).populations[side]
        assert population.fitness.isfinite().all()
        assert population.L_cyc[population.best].isfinite()
        assert all(x.isfinite().all() for x in load_file(b.run / f"G_{side}.safetensors").values())
    return calls[0] < 0


def pictures_vanish(b: Bench) -> bool:
    """Within the search; fine-tuning then misses them, and they are put back."""
    b.data = Path(shutil.copytree(b.place / "data", b.folder / "data"))
    score, calls = LocalScorer.score, [b.chance.randrange(SCORES)]

    def vanishing(self: LocalScorer, *given: Any, **more: Any) -> Any:
        calls[0] -= 1
        if calls[0] < 0 and (b.data / "trainA").is_dir():
            (b.data / "trainA").rename(b.folder / "hidden")
        return score(self, *given, **more)

    with patch.object(LocalScorer, "score", vanishing):
        told(b.compress(), 3, "trainA")
    (b.folder / "hidden").rename(b.data / "trainA")
    return True


def pictures_change(b: Bench) -> bool:
    """Between two calls, of which the first was killed when it had saved something; then put back."""
    b.data = Path(shutil.copytree(b.place / "data", b.folder / "data"))
    sigkill(b)
    if not (b.run / "state.safetensors").is_file():
        return False
    (b.data / "trainA").rename(b.folder / "hidden")
    shutil.copytree(b.data / "testB", b.data / "trainA")
    told(b.compress(), 3, "other pictures")
    shutil.rmtree(b.data / "trainA")
    (b.folder / "hidden").rename(b.data / "trainA")
    return True


FAULTS: dict[str, Callable[[Bench], bool]] = {
    "SIGKILL": sigkill,
    "loss of power": power,
    "full disk": full_disk,
    "read-only run folder": read_only_run,
    "a second process": second_process,
    "clock that jumps": clock,
    "out of memory, scoring one picture (simulated)": memory_scoring,
    "out of memory, a batch (simulated)": memory_batch,
    "out of memory, really": memory_real,
    "out of memory, training (simulated)": memory_training,
    "GPU that fails (simulated)": gpu,
    "NaN in slim networks of a search (simulated)": nan_search,
    "NaN in fine-tuning (simulated)": nan_training,
    "pictures that vanish": pictures_vanish,
    "pictures that change": pictures_change,
}
UNEQUAL = {nan_search: (), memory_batch: tuple(name for name in RESULTS if "state" not in name)}
"""What is compared bit for bit after these, in place of `RESULTS`."""
