"""A network run from one convolution to the next, on many pictures side by side.

What a layer's weights should be depends on the maps that reach it, and those on the layers before it. So all
pictures stop before a convolution, wait there until its weights are known, and go on to the next. Of each
picture only the maps that are still needed are kept.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from ganprune.channels.tape import Call, Value, Weight, record
from ganprune.refit.patches import Convolution


class Walk:
    """Pictures on their way through a network. Weights may change before a picture passes them."""

    def __init__(self, network: nn.Module, pictures: Sequence[Tensor]) -> None:
        """pictures: each [1, channels, h, w], all of one size. They are led to the first convolution."""
        tape = record(network, pictures[0])
        self._output = tape.output  # nothing reads it, and it may be a convolution's
        self._modules = dict(network.named_modules())
        self._weights = {**dict(network.named_parameters()), **dict(network.named_buffers())}
        last = {value: call for call in tape.calls for value in call.values()}
        self._done_with: dict[int, list[Value]] = {}
        for value, call in last.items():
            self._done_with.setdefault(id(call), []).append(value)
        self._readers: dict[Value, list[Call]] = {}
        self._pieces: list[list[Call]] = [[]]
        for call in tape.calls:
            for value in call.values():
                self._readers.setdefault(value, []).append(call)
            if self._of(call) is not None:
                self._pieces.append([])
            self._pieces[-1].append(call)
        self._maps: list[dict[Value, Tensor]] = [{Value(0): picture} for picture in pictures]
        for i in range(len(pictures)):
            self._run(i, self._pieces[0])

    def _of(self, call: Call) -> str | None:
        """Name of the module whose convolution a call begins, where it is one that can be refitted.

        A module whose padding is not of zeros pads by a call of its own, and begins with it.
        """
        if call.name == "pad":
            name = call.module
        elif call.name in ("conv2d", "conv_transpose2d") and isinstance(call.args[1], Weight):
            name = call.args[1].name.rpartition(".")[0]
        else:
            return None
        module = self._modules.get(name)
        if not isinstance(module, Convolution) or module.groups != 1:
            return None
        return name if (module.padding_mode != "zeros") == (call.name == "pad") else None

    def _convolution(self, number: int) -> int:
        """Place of the convolution itself among its piece's calls: behind its padding, if that is a call."""
        return int(self._pieces[number + 1][0].name == "pad")

    @property
    def convolutions(self) -> list[str]:
        """Names of the convolutions, in the order in which they are met."""
        return [self._of(piece[0]) or "" for piece in self._pieces[1:]]

    def module(self, name: str) -> Convolution:
        """The convolution of a name."""
        found = self._modules[name]
        assert isinstance(found, Convolution)
        return found

    def norm_after(self, number: int) -> nn.Module | None:
        """The module that alone reads a convolution's output; None where that is no module."""
        readers = self._readers.get(self._pieces[number + 1][self._convolution(number)].outputs[0], [])
        return self._modules[readers[0].module] if len(readers) == 1 and readers[0].module else None

    def before(self, number: int, i: int) -> Tensor:
        """What picture i brings to a convolution: [1, channels, h, w]."""
        return self._maps[i][self._pieces[number + 1][0].args[0]]

    def on(self, number: int, i: int) -> Tensor:
        """Lead picture i through a convolution and up to the next; returns the convolution's own output."""
        piece, own = self._pieces[number + 1], self._convolution(number) + 1
        self._run(i, piece[:own])
        # A copy, as activations that work in place may change it on the way.
        output = self._maps[i][piece[own - 1].outputs[0]].clone()
        self._run(i, piece[own:])
        return output

    def _run(self, i: int, calls: Sequence[Call]) -> None:
        maps = self._maps[i]

        def known(of: Value | Weight) -> Tensor:
            return maps[of] if isinstance(of, Value) else self._weights[of.name]

        for call in calls:
            maps.update(zip(call.outputs, call.run(known), strict=True))
            for over in self._done_with.get(id(call), ()):
                maps.pop(over, None)
            for value in call.outputs:
                if value not in self._readers and value != self._output:
                    del maps[value]
