"""What modules inside a network are given and return, while it runs."""

from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, contextmanager
from functools import partial

from torch import Tensor, nn

See = Callable[[str, Tensor, Tensor], Tensor | None]
"""Name of a module, what it was given, what it returns; what this returns, if anything, takes its place."""


@contextmanager
def watched(network: nn.Module, modules: Iterable[str], see: See) -> Generator[None]:
    """Within, ``see`` is called whenever one of these modules, by their names, has run."""

    def told(name: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
        del module
        return see(name, inputs[0], output)

    with ExitStack() as stack:
        for name in modules:
            stack.enter_context(network.get_submodule(name).register_forward_hook(partial(told, name)))
        yield
