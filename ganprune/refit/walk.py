"""A network run from one convolution to the next, on many pictures side by side.

What a layer's weights should be depends on the maps that reach it, and those on the layers before it. So all
pictures stop before a convolution, wait there until its weights are known, and go on to the next. Of each
picture only the maps that are still needed are kept.
"""

from collections import Counter
from collections.abc import Collection, Sequence

from torch import Tensor, nn

from ganprune.channels.tape import Call, Value, Weight, record
from ganprune.refit.patches import Convolution


class Walk:
    """Pictures on their way through a network. Weights may change before a picture passes them."""

    def __init__(
        self, network: nn.Module, pictures: Sequence[Tensor], stops: Collection[str] | None = None
    ) -> None:
        """pictures: each [1, channels, h, w], all of one size. They are led to the first convolution.

        stops: names of the convolutions; None: `stops_of` the network. One that is used twice is no stop.
        """
        tape = record(network, pictures[0])
        self._modules = dict(network.named_modules())
        self._weights = {**dict(network.named_parameters()), **dict(network.named_buffers())}
        self._uses = Counter(call.args[1] for call in tape.calls if self._is_convolution(call))
        self._norm_uses = Counter(call.module for call in tape.calls if call.name == "batch_norm")
        self._stops = self.stops_of(network) if stops is None else stops
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

    @staticmethod
    def stops_of(network: nn.Module) -> list[str]:
        """Names of the modules that are convolutions of a kind that can be refitted."""
        modules = network.named_modules()
        return [name for name, module in modules if isinstance(module, Convolution) and module.groups == 1]

    @staticmethod
    def _is_convolution(call: Call) -> bool:
        weight = next(iter(call.args[1:2]), None)
        return call.name in ("conv2d", "conv_transpose2d") and isinstance(weight, Weight)

    def _of(self, call: Call) -> str | None:
        """Name of the module whose convolution a call is, where it is one to stop at.

        One that is used twice is not: weights that suit its first maps need not suit the others.
        """
        if not self._is_convolution(call) or self._uses[call.args[1]] > 1:
            return None
        name, _, leaf = call.args[1].name.rpartition(".")
        return name if leaf == "weight" and name in self._stops else None

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
        """The module that alone reads a convolution's output, and nothing else; None: there is none."""
        readers = self._readers.get(self._pieces[number + 1][0].outputs[0], [])
        if len(readers) != 1 or not readers[0].module or self._norm_uses[readers[0].module] > 1:
            return None
        return self._modules[readers[0].module]

    def before(self, number: int, i: int) -> Tensor:
        """What picture i brings to a convolution: [1, channels, h, w].

        Other borders than zeros, which PyTorch adds before it calls the function, are on it.
        """
        return self._maps[i][self._pieces[number + 1][0].args[0]]

    def output(self, number: int, i: int) -> Tensor:
        """What the convolution makes of it, with the weights of now."""
        return self._pieces[number + 1][0].run(lambda of: self._known(i, of))[0]

    def on(self, number: int, i: int) -> Tensor:
        """Lead picture i through a convolution and up to the next; returns the convolution's own output."""
        piece = self._pieces[number + 1]
        # A copy, as activations that work in place may change it on the way.
        output = self._run(i, piece[:1])[0].clone()
        self._run(i, piece[1:])
        return output

    def _run(self, i: int, calls: Sequence[Call]) -> tuple[Tensor, ...]:
        """Returns what the last call does."""
        maps, made = self._maps[i], tuple[Tensor, ...]()

        for call in calls:
            made = call.run(lambda of: self._known(i, of))
            maps.update(zip(call.outputs, made, strict=True))
            for over in self._done_with.get(id(call), ()):
                maps.pop(over, None)
            for value in call.outputs:
                if value not in self._readers:
                    del maps[value]
        return made

    def _known(self, i: int, of: Value | Weight) -> Tensor:
        return self._maps[i][of] if isinstance(of, Value) else self._weights[of.name]
