"""Random numbers that follow from a seed and a place in the training, so that none need be remembered."""

import hashlib

import torch


def generator_for(seed: int, *place: str | int) -> torch.Generator:
    """A generator of its own for a place, such as ``("step", 12)``; the same place gives the same numbers."""
    digest = hashlib.sha256(repr((seed, *place)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:4], "little"))
