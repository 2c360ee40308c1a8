"""Files of ``torch.save``: zip archives since torch 1.6, five pickles and raw storages before.

``torch.load(weights_only=True)`` runs no foreign code, but it takes the sizes that a file declares
at their word: for memory to be set aside, and for how far to read. So both are checked first.

Source: ``torch/serialization.py``, ``_save`` (zip) and ``_legacy_save``.
"""

import io
import zipfile
from pathlib import Path

import torch

from ganprune.checkpoints.formats.pickles import Declared, declared
from ganprune.errors import CheckpointError

MAX_PICKLE = 8 << 20
"""Longest pickle that is read, bytes; a whole CycleGAN takes some 20,000, a list of losses nine an entry."""

MAX_EXPANSION = 8
"""A zip may unpack to this many times its size; weights hardly shrink, and torch stores them as they are."""

MIN_UNPACKED = 1 << 20
"""So many bytes may be unpacked from however small a zip."""

MAX_SHARING = 4
"""Tensors that share storages may count this many times the elements that are stored."""

_LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


def is_zip(head: bytes) -> bool:
    """Whether a file that starts with ``head`` is meant as a zip archive."""
    return head.startswith(b"PK\x03\x04")


def is_legacy(head: bytes) -> bool:
    """Whether a file that starts with ``head`` is a pickle of protocol 2 or later."""
    return head[:1] == b"\x80" and b"\x02" <= head[1:2] <= b"\x05"


def read_zip(path: Path) -> object:
    """What ``torch.save`` put into a zip archive, on the CPU. Runs no code of the file."""
    peek_zip(path)
    return _loaded(path)


def read_legacy(path: Path) -> object:
    """What ``torch.save`` wrote before torch 1.6, on the CPU. Runs no code of the file."""
    peek_legacy(path)
    return _loaded(path)


def peek_zip(path: Path) -> object:
    """As `read_zip`, with a `StoredTensor` for every tensor: no weights are read."""
    with zipfile.ZipFile(path) as archive:
        return _checked_archive(archive, path.stat().st_size).root


def peek_legacy(path: Path) -> object:
    """As `read_legacy`, with a `StoredTensor` for every tensor: no weights are read."""
    with path.open("rb") as file:
        start = io.BytesIO(file.read(MAX_PICKLE))
    declared(start)  # a pickle of other things is refused here, for what it asks for
    if start.getvalue()[: start.tell()] != _LEGACY_MAGIC:
        raise CheckpointError("a pickle, but not one of torch.save")
    _, _, contents, _ = (declared(start) for _ in ("version", "system", "object", "keys"))
    stored = sum(storage.bytes for storage in contents.storages.values())
    if stored > path.stat().st_size - start.tell():
        raise CheckpointError(f"is truncated: it declares {stored} bytes of weights and holds fewer")
    _check_sharing(contents)
    return contents.root


def _loaded(path: Path) -> object:
    with path.open("rb") as file:  # given a name, torch.load goes by its suffix
        return torch.load(file, map_location="cpu", weights_only=True)


def _checked_archive(archive: zipfile.ZipFile, size: int) -> Declared:
    records = {record.filename: record for record in archive.infolist()}
    unpacked = sum(record.file_size for record in archive.infolist())
    if unpacked > max(MAX_EXPANSION * size, MIN_UNPACKED):
        raise CheckpointError(f"declares {unpacked} bytes packed into {size}; no checkpoint shrinks so far")
    if len(records) < len(archive.infolist()):
        raise CheckpointError("holds two records of the same name")
    root = next(iter(records), "").partition("/")[0]
    if f"{root}/constants.pkl" in records:
        raise CheckpointError("a TorchScript program; save the state_dict() of the network it was made from")
    if f"{root}/data.pkl" not in records:
        raise CheckpointError("a zip archive, but not one of torch.save: it holds no data.pkl")
    if records[f"{root}/data.pkl"].file_size > MAX_PICKLE:
        raise CheckpointError(f"its data.pkl is longer than {MAX_PICKLE} bytes, no state dict's is")
    with archive.open(f"{root}/data.pkl") as pickle:
        contents = declared(io.BytesIO(pickle.read()))
    for key, storage in contents.storages.items():
        record = records.get(f"{root}/data/{key}")
        if record is None or record.file_size != storage.bytes:
            found = "lacks it" if record is None else f"holds {record.file_size}"
            raise CheckpointError(f"declares {storage.bytes} bytes of weights as data/{key}, but {found}")
    _check_sharing(contents)
    return contents


def _check_sharing(contents: Declared) -> None:
    stored = sum(storage.elements for storage in contents.storages.values())
    if contents.elements > MAX_SHARING * stored:
        raise CheckpointError(
            f"its tensors claim {contents.elements} elements and share {stored}; the file is made up"
        )
