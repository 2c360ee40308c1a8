"""Sizes of pictures that networks are made, trained, exported and timed for."""

from ganprune.errors import UsageError
from ganprune.settings.words import SIZES

SMALLEST = int(SIZES.least)
STEP = 4
"""Sides of prepared pictures are multiples of this, pixels: generators that halve a picture twice want it, as
CycleGAN's, whose preprocessing rounds to it."""


def check_size(size: int) -> None:
    """Raise `UsageError` unless ``size`` is a height and width, pixels, that networks take."""
    if not SIZES.hold(size):
        raise UsageError(f"--size must be {SIZES}, found {size}")
