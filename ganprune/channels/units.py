"""Which channels of a network can only be kept or dropped together: *units*, found by union of sets."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Channels = NDArray[np.int64]
"""The channels of a map, one number each. Numbers may turn out to be of the same unit."""


class Units:
    """A growing number of channels, in sets that are united by and by; some of them can never go."""

    def __init__(self) -> None:
        self._parent = list[int]()
        self._whole = list[bool]()

    def new(self, n: int, whole: bool = False) -> Channels:
        """n channels, each a unit of its own. whole: they can never go."""
        start = len(self._parent)
        self._parent.extend(range(start, start + n))
        self._whole.extend([whole] * n)
        return np.arange(start, start + n, dtype=np.int64)

    def root(self, channel: int) -> int:
        """The channel that stands for the unit of one."""
        while self._parent[channel] != channel:
            self._parent[channel] = self._parent[self._parent[channel]]
            channel = self._parent[channel]
        return channel

    def roots(self, channels: Channels) -> Channels:
        """The same for many."""
        return np.array([self.root(channel) for channel in channels.tolist()], dtype=np.int64)

    def unite(self, one: Channels, other: Channels) -> None:
        """Channel by channel: [n], [n]."""
        for a, b in zip(one.tolist(), other.tolist(), strict=True):
            first, second = sorted((self.root(a), self.root(b)))
            self._parent[second] = first
            self._whole[first] = self._whole[first] or self._whole[second]

    def keep_whole(self, channels: Iterable[int]) -> None:
        """These can never go."""
        for channel in channels:
            self._whole[self.root(channel)] = True

    def is_whole(self, channel: int) -> bool:
        """Whether a channel can never go."""
        return self._whole[self.root(channel)]
