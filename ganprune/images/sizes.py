"""Sizes of pictures that networks are made, trained, exported and timed for."""

from ganprune.errors import UsageError
from ganprune.models.cyclegan import DOWNSAMPLING

SMALLEST = 4 * DOWNSAMPLING
"""Height and width, pixels, below which reflection padding has nothing to reflect."""

LARGEST = 8192
"""Height and width, pixels, above which a first layer of 64 filters alone takes more than 16 GiB."""


def check_size(size: int, option: str = "--size") -> None:
    """Raise `UsageError` unless ``size`` is a height and width, pixels, that networks take."""
    if size < SMALLEST or size % DOWNSAMPLING:
        raise UsageError(
            f"{option} must be a multiple of {DOWNSAMPLING} and at least {SMALLEST}, found {size}"
        )
    if size > LARGEST:
        raise UsageError(f"{option} must be at most {LARGEST} pixels, found {size}")
