"""A network run from one convolution to the next, on many pictures side by side.

What a layer's weights should be depends on the maps that reach it, and those on the layers before it. So all
pictures stop before a convolution, wait there until its weights are known, and go on to the next. Of each
picture only the maps that are still needed are kept.
"""

from collections.abc import Sequence

from torch import Tensor, fx, nn
from torch.fx.node import map_arg

from ganprune.refit.patches import Convolution


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return next(m.children(), None) is None


class Walk:
    """Pictures on their way through a network. Weights may change before a picture passes them."""

    def __init__(self, network: nn.Module, pictures: Sequence[Tensor]) -> None:
        """pictures: each [1, channels, h, w]. They are led to the first convolution."""
        self._graph = _Tracer().trace(network)
        self._modules = dict(network.named_modules())
        last = {read: node for node in self._graph.nodes for read in node.all_input_nodes}
        self._done_with: dict[fx.Node, list[fx.Node]] = {}
        for read, node in last.items():
            self._done_with.setdefault(node, []).append(read)
        self._pieces: list[list[fx.Node]] = [[]]
        for node in self._graph.nodes:
            if isinstance(self._modules.get(str(node.target)), Convolution):
                self._pieces.append([])
            self._pieces[-1].append(node)
        self._maps = [dict[fx.Node, Tensor]() for _ in pictures]
        for i, picture in enumerate(pictures):
            self._start(i, picture)

    @property
    def convolutions(self) -> list[str]:
        """Names of the convolutions, in the order in which they are met."""
        return [str(piece[0].target) for piece in self._pieces[1:]]

    def module(self, name: str) -> Convolution:
        """The convolution of a name."""
        found = self._modules[name]
        assert isinstance(found, Convolution)
        return found

    def norm_after(self, number: int) -> nn.Module | None:
        """The module that alone reads a convolution's output; None where that is no module."""
        users = list(self._pieces[number + 1][0].users)
        return self._modules.get(str(users[0].target)) if len(users) == 1 else None

    def before(self, number: int, i: int) -> Tensor:
        """What picture i brings to a convolution: [1, channels, h, w]."""
        (read,) = self._pieces[number + 1][0].all_input_nodes
        return self._maps[i][read]

    def on(self, number: int, i: int) -> Tensor:
        """Lead picture i through a convolution and up to the next; returns the convolution's own output."""
        piece = self._pieces[number + 1]
        self._run(i, piece[:1])
        # A copy, as activations that work in place may change it on the way.
        output = self._maps[i][piece[0]].clone()
        self._run(i, piece[1:])
        return output

    def _start(self, i: int, picture: Tensor) -> None:
        first = self._pieces[0][0]
        self._maps[i][first] = picture
        self._run(i, self._pieces[0][1:])

    def _run(self, i: int, nodes: Sequence[fx.Node]) -> None:
        maps = self._maps[i]
        for node in nodes:
            if node.op == "output":
                maps.clear()
                return
            args, kwargs = map_arg((node.args, node.kwargs), maps.__getitem__)
            if node.op == "call_module":
                maps[node] = self._modules[str(node.target)](*args, **kwargs)
            elif node.op == "call_method":
                maps[node] = getattr(args[0], str(node.target))(*args[1:], **kwargs)
            else:
                assert callable(node.target)
                maps[node] = node.target(*args, **kwargs)
            for over in self._done_with.get(node, ()):
                del maps[over]
