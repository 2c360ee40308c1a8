"""Files of ``torch.save``: zip archives since torch 1.6, five pickles and raw storages before.

Both are read here and not by ``torch.load``: a reader that is handed the file once more after a check
may find something else in it. Of an archive with data.pkl and DATA.PKL, Python reads the one and torch
the other. Pickles run nothing (`ganprune.checkpoints.formats.pickles`), and every size is held against
the file's before memory is set aside.

Source: ``torch/serialization.py``, ``_save`` (zip) and ``_legacy_save``.
"""

import io
import sys
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import cast

from ganprune.checkpoints.formats.pickles import Unpickled, unpickled
from ganprune.errors import CheckpointError

MAX_PICKLE = 64 << 20
"""Longest pickle that is read, bytes; a CycleGAN's has some 20,000, and NumPy arrays beside it lie inside."""

MAX_EXPANSION = 8
"""A zip may unpack to this many times its size; weights hardly shrink, and torch stores them as they are."""

MIN_UNPACKED = 1 << 20  # so many bytes may be unpacked from however small a zip

_SAVED = "load it with the program that wrote it, and save the weights as a PyTorch state_dict()"
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C


def is_zip(head: bytes) -> bool:
    """Whether a file that starts with ``head`` is meant as a zip archive."""
    return head.startswith(b"PK\x03\x04")


def is_legacy(head: bytes) -> bool:
    """Whether a file that starts with ``head`` is a pickle of protocol 2 or later."""
    return head[:1] == b"\x80" and b"\x02" <= head[1:2] <= b"\x05"


def read_zip(path: Path, weights: bool = True) -> object:
    """What ``torch.save`` put into a zip archive, on the CPU. Runs no code of the file.

    Without weights: with tensors of the same shapes on the device meta, and in little time.
    """
    with zipfile.ZipFile(path) as archive:
        records = _records(archive, path.stat().st_size)
        root = next(iter(records), "").partition("/")[0]
        if f"{root}/constants.pkl" in records:
            raise CheckpointError(
                "a TorchScript program; save the state_dict() of the network it was made from"
            )
        if f"{root}/data.pkl" not in records:
            raise CheckpointError(_other_zip(records))
        if records[f"{root}/data.pkl"].file_size > MAX_PICKLE:
            raise CheckpointError(f"its data.pkl is longer than {MAX_PICKLE} bytes, no state dict's is")
        pickle = io.BytesIO(_content(archive, records[f"{root}/data.pkl"]))
        found = unpickled(pickle, "cpu" if weights else "meta")
        for key, storage in found.storages.items():
            record = records.get(f"{root}/data/{key}")
            if record is None or record.file_size != storage.bytes:
                held = "lacks it" if record is None else f"holds {record.file_size}"
                raise CheckpointError(f"declares {storage.bytes} bytes of weights as data/{key}, but {held}")
        found.check_sharing()
        order = records.get(f"{root}/byteorder")
        if order is not None and _content(archive, order).decode() != sys.byteorder:
            raise CheckpointError(f"was not saved on a {sys.byteorder}-endian machine; save it again on one")
        if weights:
            found.fill({key: _content(archive, records[f"{root}/data/{key}"]) for key in found.storages})
    return found.root


def _other_zip(records: Iterable[str]) -> str:
    """What a zip archive is that holds no data.pkl, by the names in it."""
    if any(name.endswith(".weights.h5") for name in records):
        return f"no checkpoint but a Keras model; {_SAVED}"
    if any(name.endswith("/archive_format") for name in records):
        return (
            "no checkpoint but a program of torch.export; save the state_dict() of the network that it was "
            "made from"
        )
    if any(name.endswith(".npy") for name in records):
        return f"no checkpoint but NumPy arrays; {_SAVED}"
    return (
        "a zip archive, but not one of torch.save: it holds no data.pkl; unpack it, and give the checkpoint "
        "inside"
    )


def read_legacy(path: Path, weights: bool = True) -> object:
    """What ``torch.save`` wrote before torch 1.6; as `read_zip`."""
    with path.open("rb") as file:
        start = io.BytesIO(file.read(MAX_PICKLE))
        if unpickled(start).root != _LEGACY_MAGIC:  # a pickle of other things is refused for what it asks for
            raise CheckpointError(f"a pickle, but not one of torch.save; {_SAVED}")
        devices = ("meta", "meta", "cpu" if weights else "meta", "meta")
        _, _, found, keys = (unpickled(start, device) for device in devices)
        stored = sum(storage.bytes for storage in found.storages.values())
        if stored > path.stat().st_size - start.tell():
            raise CheckpointError(f"is truncated: it declares {stored} bytes of weights and holds fewer")
        found.check_sharing()
        if weights:
            file.seek(start.tell())
            found.fill(dict(_following(file, found, keys.root)))
    return found.root


def _following(file: io.BufferedReader, found: Unpickled, keys: object) -> Iterator[tuple[str, bytearray]]:
    """The storages behind the pickles of an old file: a number of elements and as many elements each."""
    for key in cast("list[str]", keys):
        storage = found.storages[str(key)]
        count = int.from_bytes(file.read(8), "little")
        content = bytearray(file.read(storage.bytes))
        if count != storage.elements or len(content) != storage.bytes:
            raise CheckpointError(f"is truncated or damaged: storage {key} is not as long as declared")
        yield storage.key, content


def _records(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """The archive's records by name, in their order, once they are known to unpack to a decent size."""
    records = {record.filename: record for record in archive.infolist()}
    unpacked = sum(record.file_size for record in archive.infolist())
    if unpacked > max(MAX_EXPANSION * size, MIN_UNPACKED):
        raise CheckpointError(f"declares {unpacked} bytes packed into {size}; no checkpoint shrinks so far")
    if len(records) < len(archive.infolist()):
        raise CheckpointError("holds two records of the same name")
    # Unpacking stops after the declared size, but for bzip2 and LZMA, which give all that they have.
    if any(
        record.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for record in records.values()
    ):
        raise CheckpointError("is packed by another method than zip's own; pack it again without compression")
    return records


def _content(archive: zipfile.ZipFile, record: zipfile.ZipInfo) -> bytearray:
    with archive.open(record) as file:
        content = bytearray(file.read(record.file_size))
    if len(content) != record.file_size:
        raise CheckpointError(f"is truncated: {record.filename} is shorter than declared")
    return content
