"""The chaos table: every fault of docs/reliability.md, injected again and again, and what was lost.

    python benchmarks/faults.py OUT [--times 10] [--only FAULT] [--seed 0]

A tiny CycleGAN is compressed undisturbed: search, cutting, fine-tuning. Then each fault is put in its way
--times times, at random moments, and the same command is run again until it ends. Every file of the result is
compared with the undisturbed run's, bit for bit. OUT gets the folders and faults.json, written as they come;
the table is printed as Markdown. Needs Linux, and root for the disks. Exit code 1 when anything was lost.

SIGKILLs of the packaged example: benchmarks/chaos.py.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

sys.path[:0] = [str(Path(__file__).parents[1] / part) for part in ("", "cli", "exporters")]

import torch  # noqa: E402

from ganprune import files  # noqa: E402
from ganprune.evaluation import LocalEvaluator  # noqa: E402
from ganprune.runs import Run  # noqa: E402
from ganprune.training import loop  # noqa: E402
from tests.cli.kit import write_checkpoint, write_config, write_pictures  # noqa: E402
from tests.fuzz.program import EXPORTS, Ended, light, run  # noqa: E402
from tests.reliability.kit import enlarge, little_memory, read_only, small_disk  # noqa: E402

RESULTS = (
    "state.safetensors", "pruned_G_A.safetensors", "pruned_G_B.safetensors", "G_A.safetensors",
    "G_B.safetensors", "fine-tune/latest_net_D_A.pth", "fine-tune/latest_net_D_B.pth",
)  # fmt: skip
BEGUN = 130
"""`compress` got to the export, where `light` stops it: all that is compared is there."""
NO_MEMORY = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"


@dataclass(frozen=True)
class Bench:
    """Where a fault is put in the way of one command."""

    place: Path
    folder: Path
    """Empty; for this injection alone."""
    chance: random.Random
    seconds: float
    """That the undisturbed command took."""

    def compress(self, output: Path | None = None, data: Path | None = None) -> Ended:
        words = (
            "compress", self.place / "net", "--data", data or self.place / "data", "--config",
            self.place / "tiny.toml", "-o", output or self.folder / "run", "--quiet",
        )  # fmt: skip
        with light(EXPORTS):
            return run(words, self.folder)

    def killed(self, prepare: Callable[[], object] = lambda: None, after: float | None = None) -> None:
        """The command in a process of its own, killed after some seconds, or by what ``prepare`` set up."""
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
        os.waitpid(child, 0)

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


def sigkill(b: Bench) -> None:
    b.killed(after=b.chance.uniform(0, b.seconds))


def power(b: Bench) -> None:
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

    b.killed(prepare)


def full_disk(b: Bench) -> None:
    with small_disk(b.folder / "disk", b.chance.randrange(8, 240, 4)):
        ended = b.compress(b.folder / "disk" / "run")
        if ended.code != BEGUN:
            told(ended, 1, "disk", "free some space and run again")
        enlarge(b.folder / "disk", 16384)
        shutil.copytree(b.folder / "disk" / "run", b.folder / "run")


def read_only_run(b: Bench) -> None:
    sigkill(b)
    (b.folder / "run").mkdir(exist_ok=True)
    with read_only(b.folder / "run"):
        ended = b.compress()
        told(ended, 1, "ganprune must be able to read and write here")


def second_process(b: Bench) -> None:
    sigkill(b)
    if not (b.folder / "run").is_dir():
        return
    ready, done = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        with Run(b.folder / "run").locked():
            os.write(ready[1], b"!")
            os.read(done[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    told(b.compress(), 3, "another ganprune is working in")
    os.write(done[1], b"!")
    os.waitpid(child, 0)


def clock(b: Bench) -> None:
    def jumping(*_: object) -> Any:
        return time.struct_time((b.chance.randrange(1970, 2100), 1, 1, 0, 0, 0, 0, 1, 0))

    with (
        patch.object(time, "time", lambda: b.chance.uniform(-1e9, 1e10)),
        patch.object(time, "gmtime", jumping),
    ):
        assert b.compress().code == BEGUN


def memory_scoring(b: Bench) -> None:
    ended = b.fails("score", LocalEvaluator, RuntimeError(NO_MEMORY), 8)
    told(ended, 1, "out of memory; close other programs")


def memory_training(b: Bench) -> None:
    ended = b.fails("_step", loop._Run, RuntimeError(NO_MEMORY), 6)
    told(ended, 1, "out of memory in step", "is kept")


def memory_batch(b: Bench) -> None:
    """A batch halves itself: the search ends, with scores that are those of another batch up to rounding."""
    from ganprune.evaluation.memory import Batches

    tried, attempt = [0], Batches.attempt

    def scarce(self: Batches, work: Callable[[int], Any]) -> Any:
        def limited(size: int) -> Any:
            tried[0] += 1
            if size > 1:
                raise RuntimeError(NO_MEMORY)
            return work(size)

        return attempt(self, limited)

    words = ("--batch", "2", "-o", b.folder / "halved", "--quiet")
    base = ("compress", b.place / "net", "--data", b.place / "data", "--config", b.place / "tiny.toml")
    with light(EXPORTS), patch.object(Batches, "attempt", scarce):
        ended = run((*base, *words), b.folder)
    assert ended.code == BEGUN, ended.err
    assert "out of memory: 1 pictures a forward pass from now on instead of 2" in ended.err


def memory_real(b: Bench) -> None:
    """The process may take no more memory, in the middle of its search; native code may crash of that."""
    score, calls = LocalEvaluator.score, [b.chance.randrange(8)]

    def scarce(self: LocalEvaluator, *given: Any, **more: Any) -> Any:
        calls[0] -= 1
        if calls[0] >= 0:
            return score(self, *given, **more)
        with little_memory(0):
            held = [bytearray(1 << 16) for _ in range(50_000)]  # all that is left
            del held
            return score(self, *given, **more)

    def prepare() -> None:
        LocalEvaluator.score = scarce  # type: ignore[method-assign]

    ended = b.apart(prepare)
    if ended is not None and ended.code != BEGUN:
        told(ended, 1, "out of memory")


def gpu(b: Bench) -> None:
    error = RuntimeError("CUDA error: unspecified launch failure")
    if b.chance.random() < 0.5:
        ended = b.fails("score", LocalEvaluator, error, 8)
    else:
        ended = b.fails("_step", loop._Run, error, 6)
    told(ended, 1, "the GPU failed", "run again")


def nan_training(b: Bench) -> None:
    """Losses that are no numbers end a training; a search's slim networks are then the same as ever."""
    from ganprune.training.step import TrainingError

    ended = b.fails("_step", loop._Run, TrainingError("the loss G_A is nan"), 6)
    told(ended, 1, "the loss G_A is nan", "are kept in")


def pictures_vanish(b: Bench) -> None:
    data = Path(shutil.copytree(b.place / "data", b.folder / "data"))
    score, calls = LocalEvaluator.score, [b.chance.randrange(8)]

    def vanishing(self: LocalEvaluator, *given: Any, **more: Any) -> Any:
        calls[0] -= 1
        if calls[0] < 0 and (data / "trainA").is_dir():
            (data / "trainA").rename(b.folder / "hidden")
        return score(self, *given, **more)

    with patch.object(LocalEvaluator, "score", vanishing):
        ended = b.compress(data=data)
    told(ended, 3, "trainA")
    shutil.rmtree(b.folder / "data")
    shutil.rmtree(b.folder / "run")  # its --data was the copy


FAULTS: dict[str, Callable[[Bench], None]] = {
    "SIGKILL": sigkill,
    "loss of power": power,
    "full disk": full_disk,
    "read-only run folder": read_only_run,
    "a second process": second_process,
    "clock that jumps": clock,
    "out of memory, scoring one picture": memory_scoring,
    "out of memory, a batch": memory_batch,
    "out of memory, really": memory_real,
    "out of memory, training": memory_training,
    "GPU that fails": gpu,
    "NaN in fine-tuning": nan_training,
    "pictures that vanish": pictures_vanish,
}


def lost(calm: Path, found: Path) -> list[str]:
    """Results that differ from the undisturbed run's."""
    return [
        name for name in RESULTS
        if not (found / name).is_file() or (found / name).read_bytes() != (calm / name).read_bytes()
    ]  # fmt: skip


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("out", type=Path)
    args.add_argument("--times", type=int, default=10)
    args.add_argument("--only", choices=FAULTS)
    args.add_argument("--seed", type=int, default=0)
    opt = args.parse_args()
    torch.set_num_threads(1)
    out: Path = opt.out.resolve()
    shutil.rmtree(out, ignore_errors=True)
    write_checkpoint(out / "net")
    write_pictures(out / "data")
    write_config(out / "tiny.toml", budget="6steps")
    start = time.monotonic()
    (out / "calm").mkdir()
    calm = Bench(out, out / "calm", random.Random(0), 0.0)
    assert calm.compress().code == BEGUN
    seconds, table = time.monotonic() - start, dict[str, dict[str, Any]]()
    for name, fault in FAULTS.items():
        if opt.only in (None, name):
            row: dict[str, Any] = {"injected": 0, "lost": []}
            for number in range(opt.times):
                folder = out / f"{name.replace(' ', '-').replace(',', '')}-{number}"
                folder.mkdir()
                bench = Bench(out, folder, random.Random(f"{opt.seed}/{name}/{number}"), seconds)
                try:
                    fault(bench)
                    last = bench.compress()
                    assert last.code == BEGUN, last.err
                    row["lost"] += lost(out / "calm" / "run", folder / "run")
                except AssertionError as error:
                    row["lost"].append(f"a promise: {error}")
                row["injected"] += 1
                shutil.rmtree(folder)
                table[name] = row
                (out / "faults.json").write_text(json.dumps(table, indent=1))
    print("| fault | injected | lost |\n| :-- | --: | :-- |")
    for name, row in table.items():
        print(f"| {name} | {row['injected']} | {'; '.join(row['lost']) or 'nothing'} |")
    sys.exit(any(row["lost"] for row in table.values()))


if __name__ == "__main__":
    main()
