"""Rewrites of graphs: each is one pattern, and computes the same pictures, faster or in plainer operators.

contract.py                 what a pass is, and what it reports
graph.py                    who makes a tensor, who reads it, what is constant
names.py                    how passes are called, and what can be chosen
dead_biases.py              last_convolution.py            transposed_convolutions.py
winograd.py                 pixels.py (bytes at both ends)
plain_norms.py, plain_pads.py, plain_transposed_convolutions.py: of a portable file
"""

from importlib import import_module

from ganprune_exporters.passes.contract import Pass, PassReport, apply, with_shapes
from ganprune_exporters.passes.names import CHOICES, DEFAULT, PASSES, PORTABLE, parsed, without

__all__ = [
    "CHOICES", "DEFAULT", "PORTABLE", "Pass", "PassReport", "apply", "parsed", "rewrite", "with_shapes",
    "without",
]  # fmt: skip


def rewrite(spec: str) -> Pass:
    """The pass that a spelling like ``last-convolution=4`` names. Raises `UsageError` if there is none."""
    name, choice = parsed(spec)
    module = import_module(f"{__name__}.{name.replace('-', '_')}")
    kind = getattr(module, PASSES[name][0])
    return kind() if choice is None else kind(choice)
