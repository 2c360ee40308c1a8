"""A network run from one convolution to the next, on many pictures side by side.

What a layer's weights should be depends on the maps that reach it, and those on the layers before it. So all
pictures stop before a convolution, wait there until its weights are known, and go on to the next. Of each
picture only the maps that are still needed are kept.
"""

from collections.abc import Collection, Sequence

from torch import Tensor, nn

from ganprune.channels.tape import Call, Value, Weight, record


class Walk:
    """Pictures on their way through a network. Weights may change before a picture passes them."""

    def __init__(self, network: nn.Module, pictures: Sequence[Tensor], stops: Collection[str]) -> None:
        """pictures: each [1, channels, h, w], all of one size. They are led to the first convolution.

        stops: names of the convolutions, see `refittable`.
        """
        tape = record(network, pictures[0])
        self._weights = {**dict(network.named_parameters()), **dict(network.named_buffers())}
        self.convolutions = list[str]()
        """Names of the convolutions, in the order in which they are met."""
        readers = {value: call for call in tape.calls for value in call.values()}
        self._done_with: dict[int, list[Value]] = {}
        for value, last in readers.items():
            self._done_with.setdefault(id(last), []).append(value)
        self._read = {*readers}
        self._pieces: list[list[Call]] = [[]]
        for call in tape.calls:
            name, _, leaf = _weight_of(call).rpartition(".")
            if leaf == "weight" and name in stops:
                self.convolutions.append(name)
                self._pieces.append([])
            self._pieces[-1].append(call)
        self._maps: list[dict[Value, Tensor]] = [{Value(0): picture} for picture in pictures]
        for i in range(len(pictures)):
            self._run(i, self._pieces[0])

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
                if value not in self._read:
                    del maps[value]
        return made

    def _known(self, i: int, of: Value | Weight) -> Tensor:
        return self._maps[i][of] if isinstance(of, Value) else self._weights[of.name]


def _weight_of(call: Call) -> str:
    """The name of the weight that a convolution uses as it is; empty for other calls."""
    weight = next(iter(call.args[1:2]), None)
    return weight.name if call.name in ("conv2d", "conv_transpose2d") and isinstance(weight, Weight) else ""
