"""Parts of a training step as CUDA graphs: recorded once, then replayed without Python in between.

A GPU is done with a slim network's layer, on one picture, before Python has asked for the next. Source: the
section "CUDA Graphs" of PyTorch's notes on CUDA, whole-network capture.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Work = Callable[..., tuple[tuple[Tensor, ...], dict[str, Tensor]]]
"""Takes tensors, adds to the gradients of some weights, gives pictures and losses, both without gradients.
All else that it reads stays where it is in memory, and nothing in it depends on values."""

MOST = 8  # graphs of one name: inputs of further shapes are computed without
WARM_UPS = 3  # calls before recording, in which libraries choose their algorithms


@dataclass(frozen=True, slots=True)
class _Recorded:
    graph: torch.cuda.CUDAGraph
    inputs: tuple[Tensor, ...]
    pictures: tuple[Tensor, ...]
    losses: dict[str, Tensor]
    gradients: list[tuple[nn.Parameter, Tensor]]


class Graphs:
    """Calls `Work`; on CUDA by recorded graphs, elsewhere as it is."""

    def __init__(self, device: str, networks: Iterable[nn.Module]) -> None:
        """networks: all that the work runs. Those with running statistics are never recorded: trying them
        out would change these."""
        self._recorded: dict[str, dict[tuple[torch.Size, ...], _Recorded]] = {}
        self._device, still = torch.device(device), not any(True for net in networks for _ in net.buffers())
        self.used = still and self._device.type == "cuda"
        """Whether graphs are recorded at all."""

    def __call__(
        self, name: str, work: Work, inputs: Sequence[Tensor], weights: Sequence[nn.Parameter]
    ) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
        """What ``work(*inputs)`` gives and does, where the gradients of ``weights`` are None before.

        The work of one name is the same in every call.
        """
        known = self._recorded.setdefault(name, {})
        shapes = tuple(x.shape for x in inputs)
        if not self.used or (shapes not in known and len(known) == MOST):
            return work(*inputs)
        with torch.cuda.device(self._device):
            if shapes not in known:
                known[shapes] = _record(work, inputs, weights)
            found = known[shapes]
            for held, given in zip(found.inputs, inputs, strict=True):
                held.copy_(given)
            found.graph.replay()
        for weight, gradient in found.gradients:
            weight.grad = gradient
        losses = {key: value.clone() for key, value in found.losses.items()}
        return tuple(picture.clone() for picture in found.pictures), losses


EAGER = Graphs("cpu", ())  # no graphs


def _record(work: Work, inputs: Sequence[Tensor], weights: Sequence[nn.Parameter]) -> _Recorded:
    held, before = tuple(x.clone() for x in inputs), [weight.grad for weight in weights]
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(WARM_UPS):
            _forget(weights)
            work(*held)
    torch.cuda.current_stream().wait_stream(aside)
    _forget(weights)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        pictures, losses = work(*held)
    gradients = [(weight, weight.grad) for weight in weights if weight.grad is not None]
    for weight, gradient in zip(weights, before, strict=True):
        weight.grad = gradient
    return _Recorded(graph, held, pictures, losses, gradients)


def _forget(weights: Sequence[nn.Parameter]) -> None:
    for weight in weights:
        weight.grad = None
