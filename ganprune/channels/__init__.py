"""Which convolution of a network reads and writes which channels: found by running it once."""

from ganprune.channels.blocks import RemovableBlock, Removed, left_of
from ganprune.channels.graph import WHOLE, ChannelGraph, Cut, Group, Layer, Role, graph_of, kept, tape_of
from ganprune.channels.tape import Tape, record

__all__ = [
    "WHOLE",
    "ChannelGraph",
    "Cut",
    "Group",
    "Layer",
    "RemovableBlock",
    "Removed",
    "Role",
    "Tape",
    "graph_of",
    "kept",
    "left_of",
    "record",
    "tape_of",
]
