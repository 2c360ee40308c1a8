"""This process's end of the pipe to a network's own process, see `ganprune.bench.worker`."""

import json
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from numpy.typing import NDArray

from ganprune.bench.engine import Engine
from ganprune.errors import InputError, UsageError
from ganprune.storage.scratch import scratch_folder
from ganprune.system.children import how_it_died, start_python, stop

_PROGRAM = Path(__file__).with_name("worker.py")


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of a network's process, bytes; None where the system does not tell (Windows)."""

    process: int | None  # the most that was resident at any time: Python, the runtime, the network
    network: int | None  # the same less what was resident before the file was loaded


class NetworkProcess:
    """One ONNX file, loaded and run in a process of its own. Close it, or use it as a context manager.

    All methods raise `InputError` naming the file where the runtime refuses it, or the process dies.
    """

    def __init__(self, path: Path) -> None:
        """Start the process and return at once."""
        self._path = path
        self._process = start_python(
            str(_PROGRAM), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.pid = self._process.pid

    def load(self, engine: Engine, threads: int, name: str, pictures: NDArray[Any]) -> float:
        """Load the file; milliseconds. pictures: [k, …], inputs called ``name`` to run it on.

        Raises `UsageError` where the provider is installed, but does not start here.
        """
        order: dict[str, Any] = {
            "do": "load", "path": str(self._path), "input": name, "threads": threads,
            "provider": engine.provider, "plugin": engine.plugin, "options": engine.options(threads),
            "shape": pictures.shape, "dtype": str(pictures.dtype), "bytes": pictures.nbytes,
        }  # fmt: skip
        told = self._ask(order, pictures.tobytes())
        found = told.get("unsupported") or f"found {told['provider']} in its place"
        if told.get("provider") != engine.provider:
            raise UsageError(
                f"--provider {engine.provider} is installed but does not start here: {found}; "
                "docs/running.md says what it needs, or leave --provider out"
            )
        return told["load_ms"]

    def run(self, picture: int = 0) -> float:
        """Milliseconds of one run, on that picture, counted around."""
        return self._ask({"do": "run", "picture": picture})["ms"]

    def memory(self) -> Memory:
        """Its memory so far."""
        return Memory(**self._ask({"do": "memory"}))

    def profile(self, runs: int) -> dict[str, float]:
        """Milliseconds a run that each kind of operator takes, median of ``runs``."""
        with scratch_folder() as folder:
            return self._ask({"do": "profile", "runs": runs, "log": str(folder / "log")})["operators"]

    def close(self) -> None:
        """End the process, whatever it does, and wait until it is gone. May be called again."""
        stop(self._process)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):  # what was not sent is of no use any more
                    stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, message: Mapping[str, Any], tail: bytes = b"") -> dict[str, Any]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(json.dumps(message).encode() + b"\n" + tail)
            stdin.flush()
            line = stdout.readline()
        except OSError:
            line = b""
        if not line:
            raise InputError(self._obituary())
        answer = json.loads(line)
        if "error" in answer:
            raise InputError(
                f"{self._path}: needed a network that ONNX Runtime can run, it says: {answer['error']}"
            )
        return answer

    def _obituary(self) -> str:
        """How it died. One that closed its pipe is about to end."""
        how = how_it_died(self._process)
        return (
            f"{self._path}: needed a network that ONNX Runtime can run, but the process that ran it {how}; "
            "time it alone, at a smaller --size if memory ran out"
        )
