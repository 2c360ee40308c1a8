"""File formats that hold tensors: one module a format, and the table of them.

A format is a test on a file's first bytes, a function that reads all of it, and one that reads the
names alone. Adding a format is adding a module with the three and a row in `FORMATS`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ganprune.checkpoints.formats import safetensors_file, torch_file

HEAD = 16
"""Number of leading bytes that a format is recognised by."""


@dataclass(frozen=True, slots=True)
class Format:
    """One way of keeping tensors in a file."""

    title: str
    """Name for messages."""
    recognises: Callable[[bytes], bool]
    """True for the first `HEAD` bytes of a file in this format."""
    read: Callable[[Path], object]
    """Everything the file holds: a dict of tensors, or of dicts of tensors.

    Raises CheckpointError, or any other exception on a damaged file.
    """
    peek: Callable[[Path], object]
    """The same with a `StoredTensor` for every tensor, and without reading the weights."""


FORMATS = (
    Format("torch.save", torch_file.is_zip, torch_file.read_zip, torch_file.peek_zip),
    Format("torch.save before 1.6", torch_file.is_legacy, torch_file.read_legacy, torch_file.peek_legacy),
    Format("safetensors", safetensors_file.is_safetensors, safetensors_file.read, safetensors_file.peek),
)
"""Every format that is read, in the order they are tried."""
