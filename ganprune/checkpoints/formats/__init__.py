"""File formats that hold tensors: one module a format, and the table of them.

A format is a test on a file's first bytes and a function that reads it. Adding a format is adding a
module with the two and a row in `FORMATS`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ganprune.checkpoints.formats import safetensors_file, torch_file

HEAD = 264  # number of leading bytes that a format is recognised by


@dataclass(frozen=True, slots=True)
class Format:
    """One way of keeping tensors in a file."""

    title: str  # name for messages
    recognises: Callable[[bytes], bool]  # True for the first `HEAD` bytes of a file in this format
    read: Callable[[Path, bool], object]
    """Everything the file holds: a dict of tensors, or of dicts of tensors.

    With False no weights are read: the tensors have their shapes, and are on the device meta. Raises
    CheckpointError, or any other exception on a damaged file.
    """


FORMATS = (
    Format("torch.save", torch_file.is_zip, torch_file.read_zip),
    # Before old pickles: the first bytes are the length of a header, which may be those of a pickle, too.
    Format("safetensors", safetensors_file.is_safetensors, safetensors_file.read),
    Format("torch.save before 1.6", torch_file.is_legacy, torch_file.read_legacy),
)
"""Every format that is read, in the order they are tried."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """A kind of file that is often given in the place of a checkpoint, and is none."""

    title: str  # what it is, for messages
    help: str  # what to do instead
    recognises: Callable[[bytes], bool]  # True for the first `HEAD` bytes of such a file


def _starts(*beginnings: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(beginnings)


_SAVE = "give the .pth file that it was made from"
_TORCH = "load it with the program that wrote it, and save the weights as a PyTorch state_dict()"

FOREIGN = (
    Foreign("a Git LFS pointer, not the file itself", "run `git lfs pull` there, or download the file",
            _starts(b"version https://")),
    Foreign("a web page", "the download gave a page in place of the file: download it again in a browser",
            lambda head: head.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml"))),
    Foreign("an HDF5 file, as Keras writes", _TORCH, _starts(b"\x89HDF\r\n\x1a\n")),
    Foreign("a TensorFlow Lite model", _SAVE, lambda head: head[4:8] == b"TFL3"),
    # An object or a table with index 1, as both of Torch 7's formats begin.
    Foreign("a file of Lua Torch", _TORCH,
            _starts(b"\x03\0\0\0\x01\0\0\0", b"\x04\0\0\0\x01\0\0\0", b"3\n1\n", b"4\n1\n")),
    # Version 1 of its format; ONNX has left its own first version behind in 2017.
    Foreign("a TensorFlow model", _TORCH, _starts(b"\x08\x01\x12")),
    # Its first field is the version, a small number, and the next is text (producer) or a graph.
    Foreign("an ONNX model", f"{_SAVE}; bench and translate take ONNX files",
            lambda head: head[:1] == b"\x08" and head[1:2] < b"\x20" and head[2:3] in (b"\x12", b":", b"B")),
    Foreign("a NumPy array", _TORCH, _starts(b"\x93NUMPY")),
    Foreign("a GGUF file", _TORCH, _starts(b"GGUF")),
    Foreign("an archive", "unpack it, and give the checkpoint inside",
            _starts(b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"BZh", b"\xfd7zXZ")),
    Foreign("a tar archive", "unpack it, and give the checkpoint inside",
            lambda head: head[257:262] == b"ustar"),
    Foreign("a picture", "give the generator's .pth file", _starts(b"\x89PNG", b"\xff\xd8\xff", b"GIF8")),
)  # fmt: skip
"""What a file may be that is in no format of `FORMATS`, in the order they are tried."""
