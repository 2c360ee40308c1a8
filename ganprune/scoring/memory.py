"""How many pictures pass through a network at once: fewer from then on where memory runs out."""

from collections.abc import Callable
from typing import TypeVar

import torch

from ganprune.reporting import SILENT, Reporter
from ganprune.system.failures import out_of_memory

_T = TypeVar("_T")


class Batches:
    """Pictures a forward pass. The number is halved when memory runs out, and never grows again.

    Another number may change the last digits of what comes out: convolutions of other shapes are summed in
    another order.
    """

    def __init__(self, size: int, reporter: Reporter = SILENT) -> None:
        self.size = size
        """Pictures a forward pass, from now on."""
        self._reporter = reporter

    def attempt(self, work: Callable[[int], _T]) -> _T:
        """``work`` of `size`; while memory runs out, the same with half as many, down to one.

        Raises whatever ``work`` raises, and what says that memory ran out where one picture is too many.
        """
        while True:
            try:
                return work(self.size)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error) or self.size == 1:
                    raise
            # Here the failed attempt's tensors are gone: its traceback held them.
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            before, self.size = self.size, self.size // 2
            self._reporter.warn(
                f"out of memory: {self.size} pictures a forward pass from now on instead of {before}; the "
                f"last digits of scores may differ; to repeat them, begin a run with --set batch={self.size}"
            )
