"""What a claim comes to, seed by seed: how other methods differ from the one that is said to be best."""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from types import MappingProxyType
from typing import Any

from ganprune.comparing.tables import ARROWS, Found
from ganprune.settings.words import Domain

_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""97.5 % quantiles of Student's t for 1 … 9 degrees of freedom; beyond, the last."""


FIGURES: Mapping[str, tuple[str, int]] = MappingProxyType({"kid": ("KID", 4), "lost": ("lost", 3)})
"""What methods are compared by, smaller is better: key → how it is called, and digits."""


def claims(cells: Sequence[Found], claim: str) -> tuple[str, ...]:
    """A sentence for each other method: how its figures differ from those of ``claim``, and how surely.

    Seeds that both have are compared in pairs, because a seed decides the pictures that are held out and the
    order of training; ± is half of a 95 % interval by Student's t. With one common seed nothing is known of
    how much another would change.
    """
    sentences = list[str]()
    for name, seeds in _rivals(cells, claim):
        told = [
            f"{called} {arrow} {_told(values, digits)}"
            for key, (called, digits) in FIGURES.items()
            for side, arrow in ARROWS.items()
            if (values := _differences(cells, name, claim, key, side))
        ]
        count = "1 seed" if len(seeds) == 1 else f"{len(seeds)} seeds"
        sentences.append(f"{name} less {claim}, {count}: {'; '.join(told)}")
    return tuple(sentences)


def verdict(cells: Sequence[Found], claim: str) -> tuple[str, ...]:
    """A sentence a figure: against how many methods ``claim`` is found, over those with two seeds or more.

    Every method counts once a direction. Empty where no method has two seeds in common with ``claim``.
    """
    rivals = [name for name, seeds in _rivals(cells, claim) if len(seeds) > 1]
    sentences = list[str]()
    for key, (called, _) in FIGURES.items():
        each = [values for name in rivals for side in ARROWS
                if len(values := _differences(cells, name, claim, key, side)) > 1]  # fmt: skip
        found = Counter(_sure(values) for values in each)
        if each:
            sentences.append(
                f"{claim} best by {called}: found in {found['worse']} of {len(each)} comparisons with "
                f"{' and '.join(rivals)}, the opposite in {found['better']}, "
                f"not told apart in {found['not told apart']} (95 % each)"
            )
    return tuple(sentences)


def _rivals(cells: Sequence[Found], claim: str) -> list[tuple[str, list[int]]]:
    """Other methods, and the seeds that they have in common with ``claim``; those with none are left out."""
    ours = set(_by_seed(cells, claim))
    names = [name for name in dict.fromkeys(cell["name"] for cell in cells) if name != claim]
    return [(name, seeds) for name in names if (seeds := sorted(ours & set(_by_seed(cells, name))))]


def _differences(cells: Sequence[Found], name: str, claim: str, key: str, side: Domain) -> list[float]:
    """A figure of ``name`` less that of ``claim``, a seed each; more than 0: ``claim`` is better."""
    theirs, ours = _by_seed(cells, name), _by_seed(cells, claim)
    pairs = [(theirs[s].get(side, {}).get(key), ours[s].get(side, {}).get(key))
             for s in sorted(set(theirs) & set(ours))]  # fmt: skip
    return [a - b for a, b in pairs if a is not None and b is not None]


def _told(values: Sequence[float], digits: int) -> str:
    """``+0.031 ± 0.012 (worse)``."""
    if len(values) == 1:
        return f"{values[0]:+.{digits}f}"
    return f"{mean(values):+.{digits}f} ± {_margin(values):.{digits}f} ({_sure(values)})"


def _sure(values: Sequence[float]) -> str:
    """What two differences or more say."""
    middle, margin = mean(values), _margin(values)
    return "worse" if middle > margin else "better" if middle < -margin else "not told apart"


def _margin(values: Sequence[float]) -> float:
    """Half of the 95 % interval of the mean."""
    return _T[min(len(values) - 2, len(_T) - 1)] * stdev(values) / len(values) ** 0.5


def _by_seed(cells: Sequence[Found], name: str) -> dict[int, Mapping[Domain, Mapping[str, Any]]]:
    return {cell["seed"]: cell["sides"] for cell in cells if cell["name"] == name}
