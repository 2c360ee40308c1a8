"""The processes of one training: each takes its share of every batch, and all make the same step.

Pictures, crops and everything else that is random are drawn for the whole batch by every process, from the
same seed; then each keeps its share. Gradients are averaged before every step, so the weights of all
processes stay the same to the bit. Rank 0 leads: it decides how far to go, and it alone writes.
"""

import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import Store  # pyright: ignore[reportPrivateImportUsage]

from ganprune.errors import GanpruneError, UsageError
from ganprune.settings.words import MOST_PROCESSES

PATIENCE = timedelta(hours=1)  # how long a process waits for the others: rank 0 also validates and saves


class LostProcess(GanpruneError):
    """Another process of the training no longer answers."""


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """One process among ``size``; alone, nothing is sent anywhere."""

    rank: int = 0  # number of this process, from 0
    size: int = 1  # number of processes
    local_rank: int = 0  # number of this process among those on this machine, from 0
    local_size: int = 1  # number of processes on this machine

    @classmethod
    def of_torchrun(cls) -> "ProcessGroup":
        """The group that ``torchrun`` has started; without it, this process is alone."""
        if "TORCHELASTIC_RUN_ID" not in os.environ:
            return cls()
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
        return cls(*(int(os.environ[name]) for name in names))

    @contextmanager
    def joined(self, device: str, store: Store | None = None) -> Generator[None]:
        """Talk to the others within: over gloo between CPUs, NCCL between GPUs; alone, nothing changes.

        device: cpu or cuda; on CUDA this process computes on GPU number ``local_rank``. store: where the
        processes meet; None: as the environment says, see `torch.distributed.init_process_group`.
        """
        if self.size == 1:
            yield
            return
        check_devices(device, self.local_size)
        backend = "gloo"
        if device != "cpu":
            torch.cuda.set_device(self.local_rank)
            backend = "cpu:gloo,cuda:nccl"
        dist.init_process_group(backend, store=store, rank=self.rank, world_size=self.size, timeout=PATIENCE)
        yield
        dist.destroy_process_group()  # not after an error: others may be gone, and this would wait for them

    @property
    def leads(self) -> bool:
        """Whether this is the process that decides and writes."""
        return self.rank == 0

    def check(self, batch: int, option: str = "--set batch") -> None:
        """Raises `UsageError` unless all shares of a batch are equally large; ``option`` sets its size."""
        if batch % self.size:
            raise UsageError(
                f"{self.size} processes share every batch, so {option} must be a multiple of {self.size}, "
                f"found {batch}; use {option}={self.shared(batch)}"
            )

    def shared(self, batch: int) -> int:
        """The smallest batch from ``batch`` up of which all have equal shares."""
        return -(-batch // self.size) * self.size

    def share(self, batch: int) -> slice:
        """Which of the pictures of a batch are this process's."""
        each = batch // self.size
        return slice(self.rank * each, (self.rank + 1) * each)

    def gathered(self, part: Tensor) -> Tensor:
        """All processes' parts [n, …], in order: [size × n, …]. Raises `LostProcess`."""
        if self.size == 1:
            return part
        parts = [torch.empty_like(part, memory_format=torch.contiguous_format) for _ in range(self.size)]
        with _answered():
            dist.all_gather(parts, part.contiguous())
        return torch.cat(parts)

    @torch.no_grad()
    def average(self, tensors: Iterable[Tensor]) -> None:
        """Put the mean over all processes in the place of every tensor, float32. Raises `LostProcess`."""
        whole = [tensor.detach() for tensor in tensors] if self.size > 1 else []
        if not whole:
            return
        flat = torch.cat([tensor.flatten() for tensor in whole])
        with _answered():
            dist.all_reduce(flat)
        flat /= self.size
        for tensor, mean in zip(whole, flat.split([t.numel() for t in whole]), strict=True):
            tensor.copy_(mean.view(tensor.shape))

    def agreed(self, number: int = 0) -> int:
        """The number that rank 0 has called this with; waits for it. Raises `LostProcess`."""
        if self.size == 1:
            return number
        order = torch.tensor(int(number))
        with _answered():
            dist.broadcast(order, 0)
        return int(order)


ALONE = ProcessGroup()


def checked_processes(processes: int) -> int:
    """The same number. Raises `UsageError` for one that no machine is made for."""
    if not 1 <= processes <= MOST_PROCESSES:
        raise UsageError(f"--set processes must be 1 to {MOST_PROCESSES}, found {processes}")
    return processes


def check_devices(device: str, processes: int) -> None:
    """Raises `UsageError` unless every process on this machine has a device of its own, or all the CPU."""
    if device == "cpu":
        return
    if device != "cuda":
        raise UsageError(
            f"{processes} processes need --device cuda or cpu, found {device}; "
            "CUDA_VISIBLE_DEVICES chooses among GPUs"
        )
    if (found := torch.cuda.device_count()) < processes:
        raise UsageError(
            f"every process needs a GPU of its own: {processes} are needed, found {found}; "
            f"use {f'--set processes={found}' if found else '--device cpu'}"
        )


@contextmanager
def _answered() -> Generator[None]:
    """Torch says in many words that another process is gone."""
    try:
        yield
    except RuntimeError as error:
        reason = str(error).splitlines()[0][:200]
        raise LostProcess(
            f"another process of the training no longer answers ({reason}); run again to go on"
        ) from None
