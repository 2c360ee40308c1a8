"""A worker on a Ray cluster: what runs in its process on a node. Imported there; knows nothing of Ray."""

import os
import platform
import socket
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from ganprune.evaluation.local import EvaluationSettings
from ganprune.evaluation.serving import Request, Row, Server, Start, Warnings, portable
from ganprune.storage.scratch import scratch_folder
from ganprune.system.device import keep_freed_memory

Files = dict[str, bytes]
"""Files of what the originals make of the pictures, by name; see `ganprune.evaluation.originals`."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a worker says of itself before it is given anything."""

    place: str
    """Node and process, for messages."""
    versions: dict[str, str]
    hardware: str
    """What decides the last bits of its scores."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, and the warnings that came up on the way."""

    answer: "list[Row] | Files | Exception"
    warnings: tuple[str, ...]


class Actor:
    """Made by Ray, one a CPU share or GPU. Ends with the program that started it."""

    def __init__(self) -> None:
        keep_freed_memory()
        self._warnings = Warnings()
        self._server: Server | None = None

    def hello(self, device: str) -> Greeting:
        """The first call."""
        return Greeting(f"{socket.gethostname()} (process {os.getpid()})", versions(), hardware(device))

    def start(self, settings: EvaluationSettings, threads: int, inputs: bytes, files: Files) -> Reply:
        """Compute all about the originals that ``files`` do not hold; answered by files that hold the rest.

        inputs: pickled `ganprune.evaluation.serving.Inputs`. They and the files arrive by the object store.
        """
        try:
            with scratch_folder() as folder:
                for name, data in files.items():
                    (folder / name).write_bytes(data)
                self._server = Server(Start(settings, threads, inputs), self._warnings, folder)
                made = {path.name: path.read_bytes() for path in folder.iterdir()}
                return self._reply({name: data for name, data in made.items() if files.get(name) != data})
        except Exception as error:
            return self._reply(portable(error))

    def score(self, task: Request) -> Reply:
        """Answer a task."""
        assert self._server is not None
        try:
            return self._reply(self._server.score(task))
        except Exception as error:
            return self._reply(portable(error))

    def _reply(self, answer: "list[Row] | Files | Exception") -> Reply:
        return Reply(answer, tuple(warned.message for warned in self._warnings.taken()))


def versions() -> dict[str, str]:
    """Of what computes scores. All workers must have those of the program that started them."""
    try:
        ours = version("ganprune")
    except PackageNotFoundError:
        ours = "unknown"
    return {"ganprune": ours, "torch": torch.__version__.partition("+")[0]}


def hardware(device: str) -> str:
    """The model of the GPU, or the CPU with the instructions that PyTorch uses of it; PyTorch's build."""
    kind = f"{_cpu()} with {torch.backends.cpu.get_cpu_capability()}"
    if device.startswith("cuda"):
        kind = torch.cuda.get_device_name()
    return f"{kind}, PyTorch {torch.__version__}"


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()
