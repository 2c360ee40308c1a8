"""Which pictures a step sees: those of A in a new order every epoch, those of B drawn at random."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ganprune.errors import UsageError
from ganprune.images import Domain, TrainTransform, open_picture, to_float
from ganprune.images.reading import read_all, to_tensor
from ganprune.reporting import SILENT, Reporter
from ganprune.training.chance import generator_for

MEMORY = 2 << 30
"""Bytes of resized pictures that are kept; those beyond are read again when it is their turn."""


class TrainingPictures:
    """Decoded and resized once; cropped and mirrored anew each time."""

    def __init__(
        self,
        paths: Mapping[Domain, Sequence[Path]],
        transform: TrainTransform,
        reporter: Reporter = SILENT,
        memory: int = MEMORY,
    ) -> None:
        """Read all pictures.

        Raises `DataError` where more than a tenth of a domain cannot be read, `UsageError` where one is
        too small for the transform.
        """
        self.transform = transform
        self._memory, self._shortest = memory, transform.size if transform.crops else 1 << 30
        self._kept: dict[Domain, list[Tensor | Path]] = {}
        with reporter.task("reading pictures", sum(len(part) for part in paths.values())) as task:

            def read(path: Path) -> Tensor | Path:
                picture = self._resized(path)
                task.advance()
                self._memory -= picture.numel()
                self._shortest = min(self._shortest, *picture.shape[1:])
                return picture if self._memory >= 0 else path

            for domain, part in paths.items():
                self._kept[domain] = [picture for _, picture in read_all(part, read, reporter)]

    @property
    def shortest(self) -> int:
        """Height or width of the smallest picture that `batch` may give, pixels."""
        return self._shortest

    @property
    def epoch(self) -> int:
        """Pictures an epoch: those of the larger domain."""
        return max(len(part) for part in self._kept.values())

    def batch(self, seed: int, step: int, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Pictures of A and of B for a step, each float32 [n, 3, h, w] in [-1, 1].

        The order of A follows from the seed and the epoch; all else is drawn from ``generator``.
        """
        A, B = self._kept["A"], self._kept["B"]
        chosen: list[tuple[Tensor, Tensor]] = []
        for shown in range(step * n, (step + 1) * n):
            epoch, place = divmod(shown, self.epoch)
            order = torch.randperm(self.epoch, generator=generator_for(seed, "epoch", epoch))
            a = int(order[place]) % len(A)
            b = int(torch.randint(len(B), (), generator=generator))
            chosen.append((self._drawn(A[a], generator), self._drawn(B[b], generator)))
        real_A, real_B = (to_float(torch.stack(part)) for part in zip(*chosen, strict=True))
        return real_A, real_B

    def stills(self, n: int) -> dict[Domain, list[Tensor]]:
        """The first of both domains, at most ``n``, as many of each, without chance: uint8 [3, h, w]."""
        n = min(n, *(len(part) for part in self._kept.values()))
        return {
            domain: [self.transform.still(self._tensor(kept)) for kept in part[:n]]
            for domain, part in self._kept.items()
        }

    def _drawn(self, kept: Tensor | Path, generator: torch.Generator) -> Tensor:
        return self.transform.draw(self._tensor(kept), generator)

    def _tensor(self, kept: Tensor | Path) -> Tensor:
        return self._resized(kept) if isinstance(kept, Path) else kept

    def _resized(self, path: Path) -> Tensor:
        try:
            return to_tensor(self.transform.resize(open_picture(path)))
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from None
