"""Which pictures a step sees: those of A in a new order every epoch, those of B drawn at random.

Where there are pictures of one domain alone, they come in that order, whichever it is. Where originals teach,
most steps show what an earlier one has shown, `lesson_of`: an original's pass takes longer than the step.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from ganprune.errors import UsageError
from ganprune.images import Crop, Domain, TrainTransform, open_picture, to_float
from ganprune.images.reading import read_all
from ganprune.reporting import SILENT, Reporter
from ganprune.training.seeds import generator_for

MEMORY = 2 << 30  # bytes of resized pictures that are kept; those beyond are read again when it is their turn
FEW = 100  # lessons that any training gives before it gives one again


@dataclass(frozen=True, slots=True)
class Drawn:
    """A part of a picture that a step sees."""

    index: int  # place of the picture among those of its domain
    cut: Crop  # the part, see `Crop`


def lessons_in(steps: int, repeats: int) -> int:
    """How many lessons so many steps give: each ``repeats`` times, or `FEW` of them less often."""
    return min(steps, max(FEW, math.ceil(steps / repeats)))


def lesson_of(seed: int, step: int, lessons: int) -> int:
    """Number of the lesson that a step gives: as `TrainingPictures.drawn` draws for the step of that number.

    All ``lessons`` in turn, and then again in other orders.
    """
    again, place = divmod(step, lessons)
    if not again:
        return place
    return int(torch.randperm(lessons, generator=generator_for(seed, "lessons", again))[place])


class TrainingPictures:
    """Decoded and resized once; cropped and mirrored anew each time."""

    def __init__(
        self,
        paths: Mapping[Domain, Sequence[Path]],
        transform: TrainTransform,
        reporter: Reporter = SILENT,
        memory: int = MEMORY,
        channels: Mapping[Domain, int] | None = None,
        paired: bool = False,
    ) -> None:
        """Read all pictures. channels: of each domain; 3 where nothing is said. paired: the nth ones of both
        domains belong together, and are drawn together.

        Raises `DataError` where more than a tenth of a domain cannot be read, `UsageError` where one is
        too small for the transform.
        """
        self.transform, self._paired = transform, paired
        self._memory, self._shortest = memory, transform.size if transform.crops else 1 << 30
        self._channels = channels or {}
        self._kept: dict[Domain, list[Tensor | Path]] = {}
        with reporter.task("reading pictures", sum(len(part) for part in paths.values())) as task:

            def read(path: Path, domain: Domain) -> Tensor | Path:
                picture = self._resized(path, domain)
                task.advance()
                self._memory -= picture.nbytes
                self._shortest = min(self._shortest, *picture.shape[1:])
                return picture if self._memory >= 0 else path

            for domain, part in paths.items():
                read_one = partial(read, domain=domain)
                self._kept[domain] = [picture for _, picture in read_all(part, read_one, reporter)]

    @property
    def shortest(self) -> int:
        """Height or width of the smallest picture that `batch` may give, pixels."""
        return self._shortest

    @property
    def epoch(self) -> int:
        """Pictures an epoch: those of the larger domain."""
        return max(len(part) for part in self._kept.values())

    def variants(self, domain: Domain) -> int:
        """How many different things a step may be shown of one domain; 0: cuts at random places, too many."""
        mirrored = 2 if self.transform.flip else 1
        return 0 if self.transform.cuts else mirrored * len(self._kept[domain])

    def batch(self, seed: int, step: int, n: int, generator: torch.Generator) -> dict[Domain, Tensor]:
        """Pictures of each domain for a step, float32 [n, c, h, w] in [-1, 1]; see `drawn`."""
        drawn = self.drawn(seed, step, n, generator)
        return {domain: self.pictures(domain, parts) for domain, parts in drawn.items()}

    def drawn(self, seed: int, step: int, n: int, generator: torch.Generator) -> dict[Domain, list[Drawn]]:
        """Which pictures of A and of B a step sees, and which part of each.

        The order of A follows from the seed and the epoch; all else is drawn from ``generator``.
        """
        there: list[Domain] = sorted(self._kept)
        first, *others = there
        chosen: dict[Domain, list[Drawn]] = {domain: [] for domain in there}
        for shown in range(step * n, (step + 1) * n):
            epoch, place = divmod(shown, self.epoch)
            order = torch.randperm(self.epoch, generator=generator_for(seed, "epoch", epoch))
            index: dict[Domain, int] = {first: int(order[place]) % len(self._kept[first])}
            if not self._paired:
                index |= {o: int(torch.randint(len(self._kept[o]), (), generator=generator)) for o in others}
            for domain, i in index.items():
                _, height, width = self.whole(domain, i).shape
                chosen[domain].append(Drawn(i, self.transform.place(height, width, generator)))
            for domain in others if self._paired else ():  # and the same part of it
                chosen[domain].append(chosen[first][-1])
        return chosen

    def pictures(self, domain: Domain, drawn: Sequence[Drawn]) -> Tensor:
        """What was drawn of one domain: float32 [n, c, h, w] in [-1, 1]."""
        return torch.stack([to_float(one.cut(self.whole(domain, one.index))) for one in drawn])

    def whole(self, domain: Domain, index: int) -> Tensor:
        """One picture as it is kept, before it is cut: [c, h, w], uint8 or floats in [-1, 1]."""
        kept = self._kept[domain][index]
        return self._resized(kept, domain) if isinstance(kept, Path) else kept

    def stills(self, n: int) -> dict[Domain, list[Tensor]]:
        """The first of both domains, at most ``n``, as many of each, none of it random: [c, h, w]."""
        n = min(n, *(len(part) for part in self._kept.values()))
        return {
            domain: [self.transform.still(self.whole(domain, i)) for i in range(n)] for domain in self._kept
        }

    def _resized(self, path: Path, domain: Domain) -> Tensor:
        try:
            return self.transform.resize(open_picture(path, self._channels.get(domain, 3)))
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from None
