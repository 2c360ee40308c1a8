"""Rewrites of graphs: each is one pattern, and computes the same pictures, faster or in plainer operators.

contract.py                 what a pass is, and what it reports
graph.py                    who makes a tensor, who reads it, what is constant
names.py                    how passes are called, and what can be chosen
dead_biases.py              last_convolution.py            transposed_convolutions.py
winograd.py                 pixels.py (bytes at both ends)
plain_norms.py, plain_pads.py (of a portable file, as are all transposed convolutions)
"""

from ganprune_exporters.passes.contract import Pass, PassReport, apply, with_shapes
from ganprune_exporters.passes.dead_biases import DeadBiases
from ganprune_exporters.passes.last_convolution import LastConvolution
from ganprune_exporters.passes.names import CHOICES, DEFAULT, PORTABLE, parsed, without
from ganprune_exporters.passes.plain_norms import PlainNorms
from ganprune_exporters.passes.plain_pads import PlainPads
from ganprune_exporters.passes.transposed_convolutions import (
    PlainTransposedConvolutions,
    TransposedConvolutions,
)
from ganprune_exporters.passes.winograd import Winograd

__all__ = [
    "CHOICES", "DEFAULT", "PORTABLE", "Pass", "PassReport", "apply", "parsed", "rewrite", "with_shapes",
    "without",
]  # fmt: skip

_FIXED = (DeadBiases, TransposedConvolutions, PlainNorms, PlainPads, PlainTransposedConvolutions)
"""Passes with nothing to choose."""


def rewrite(spec: str) -> Pass:
    """The pass that a spelling like ``last-convolution=4`` names. Raises `UsageError` if there is none."""
    name, choice = parsed(spec)
    if name == "last-convolution":
        return LastConvolution(choice or CHOICES[name][0])
    if name == "winograd":
        return Winograd(choice or CHOICES[name][0])
    return next(fixed for fixed in _FIXED if fixed.name == name)()
