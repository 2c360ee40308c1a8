"""Random numbers that follow from a seed and a place."""

import hashlib

import torch


def generator_for(seed: int, *place: str | int) -> torch.Generator:
    """The random generator of a place, such as ``("step", 12)``: the same each time, so none is saved."""
    digest = hashlib.sha256(repr((seed, *place)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:4], "little"))
