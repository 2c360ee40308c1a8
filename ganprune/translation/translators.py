"""Networks that translate pictures, behind one call: PyTorch's and ONNX Runtime's."""

import copy
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from ganprune.errors import InputError
from ganprune.onnx_files.sessions import FloatNetwork
from ganprune.system.device import Precision, reproducible


class Translator(Protocol):
    """A network from pictures to pictures.

    What becomes of a picture depends on that picture alone: instance norm sees one at a time, and batch
    norm uses its running statistics. So batches of any size give the same but for rounding.
    """

    def __call__(self, pictures: Tensor, /) -> Tensor:
        """Translate float32 [n, c, h, w] in [-1, 1] on the CPU into float32 [n, c', h', w'] on the CPU."""
        ...


class NetworkTranslator:
    """A generator of PyTorch, in eval mode; the network given is copied.

    CycleGAN's test.py sets eval mode with ``--eval`` alone. Without, its batch norms use the statistics
    of the one picture, as `ganprune.models.picture_statistics` does; instance norm makes no difference.
    """

    def __init__(self, generator: nn.Module, device: str = "cpu", precision: Precision = "float32") -> None:
        dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        self._device, self._dtype = torch.device(device), dtype
        self._net = copy.deepcopy(generator).eval().to(self._device, dtype)

    @torch.inference_mode()
    def __call__(self, pictures: Tensor) -> Tensor:
        """See `Translator`."""
        with reproducible():
            return self._net(pictures.to(self._device, self._dtype)).float().cpu()


class OnnxTranslator:
    """An ONNX file, run by ONNX Runtime's CPU provider; the first of its outputs counts.

    A file of a fixed batch gets its batches filled up with copies of the last picture.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Load the file; ``threads``: of the CPU.

        Raises `UsageError` if there is no such file, `InputError` if it is damaged, does not take
        float32 [n, c, h, w], or cannot be run.
        """
        self._network = FloatNetwork(
            path, threads, "float32 pictures, n×channels×height×width in [-1, 1]",
            "give a file that `ganprune export --onnx` wrote",
        )  # fmt: skip
        self.path, self.takes = path, self._network.takes
        """The file's input: free sizes are None."""
        self.inputs = self.takes.dims[1] or 3
        """Channels of the pictures that it takes; 3 where the file leaves them free."""
        told = self._network.gives
        self.outputs = told[1] if len(told) == 4 and isinstance(told[1], int) else self.inputs
        """Channels of the pictures that it gives."""

    def __call__(self, pictures: Tensor) -> Tensor:
        """See `Translator`. Raises `InputError` where the file does not run, or gives no pictures."""
        fixed = self.takes.dims[0]
        if fixed is None:
            return self._run(pictures)
        return torch.cat([self._run(_filled(part, fixed))[: len(part)] for part in pictures.split(fixed)])

    def _run(self, pictures: Tensor) -> Tensor:
        found = self._network(pictures.numpy())
        if found.dtype.kind != "f" or found.ndim != 4 or found.shape[:2] != (len(pictures), self.outputs):
            shape = "×".join(map(str, found.shape))
            raise InputError(
                f"{self.path}: needed a network that gives float32 pictures, {len(pictures)}×{self.outputs}×"
                f"height×width, found {found.dtype} {shape}; give a generator"
            )
        return torch.from_numpy(found).float()


def _filled(pictures: Tensor, n: int) -> Tensor:
    """The last picture again, until there are ``n``."""
    return torch.cat([pictures, *[pictures[-1:]] * (n - len(pictures))])
