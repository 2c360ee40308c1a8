"""Checkpoint files of every kind of damage, and files that only look like checkpoints."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from ganprune.checkpoints import NET_NAMES, inspect, load_quartet
from ganprune.errors import GanpruneError
from tests.checkpoints.mutations import VALID, damaged, damages, resealed
from tests.fuzz.program import time_limit
from tests.fuzz.values import ESCAPES, odd

kinds = st.sampled_from(sorted(VALID))

_OPCODES = (
    b"\x80\x02", b"}", b"]", b")", b"(", b"N", b"\x88", b"K\x01", b"J\xff\xff\xff\x7f", b"q\x00", b"h\x00",
    b"X\x01\x00\x00\x00w", b"u", b"s", b"a", b"e", b"t", b"\x85", b"\x86", b"\x87", b"R", b"Q", b"b", b"0",
    b"ctorch\nFloatStorage\n", b"ctorch._utils\n_rebuild_tensor_v2\n", b"ccollections\nOrderedDict\n",
    b"cos\nsystem\n", b"cbuiltins\neval\n", b"X\x07\x00\x00\x00storage", b"X\x03\x00\x00\x00cpu", b"\x93",
)  # fmt: skip


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """A valid file with damage anywhere, or in the pickle of an archive whose checksums are right."""
    content, other = VALID[draw(kinds)], VALID[draw(kinds)]
    harm = draw(damages)
    if content.startswith(b"PK") and draw(st.booleans()):
        return resealed(content, lambda pickled: damaged(pickled, harm, other))
    return damaged(content, harm, other)


@st.composite
def forged(draw: st.DrawFn) -> bytes:
    """A made-up pickle, alone or in an archive; a made-up archive; a made-up safetensors file; bytes."""
    match draw(st.integers(0, 4)):
        case 0:
            return draw(_pickles)
        case 1:
            entries = {"archive/data.pkl": draw(_pickles), "archive/data/0": draw(st.binary(max_size=16))}
            return _zip(list(entries.items()))
        case 2:
            names = st.sampled_from(("archive/data.pkl", "archive/version", "data.pkl", *ESCAPES))
            return _zip(draw(st.lists(st.tuples(names, st.binary(max_size=30)), max_size=4)))
        case 3:
            return draw(_safetensors())
        case _:
            return draw(st.binary(max_size=200))


_pickles = st.lists(st.sampled_from(_OPCODES) | st.binary(max_size=3), max_size=40).map(
    lambda parts: b"\x80\x02" + b"".join(parts) + b"."
)


@st.composite
def _safetensors(draw: st.DrawFn) -> bytes:
    names = st.sampled_from(("model.1.weight", "model.1.bias", "__metadata__", "G_A.model.1.weight"))
    entry: st.SearchStrategy[Any] = st.fixed_dictionaries({
        "dtype": st.sampled_from(("F32", "F16", "BF16", "I64", "BOOL", "F8_E4M3", "F99")),
        "shape": st.lists(st.integers(-1, 9) | st.just(2**40), max_size=5),
        "data_offsets": st.lists(st.integers(-1, 99), min_size=2, max_size=2),
    }) | odd  # fmt: skip
    header = json.dumps(draw(st.dictionaries(names, entry, max_size=4))).encode()
    length = draw(st.just(len(header)) | st.integers(0, 2**63))
    return length.to_bytes(8, "little") + header + draw(st.binary(max_size=100))


def _zip(entries: list[tuple[str, bytes]]) -> bytes:
    sealed, names = io.BytesIO(), set[str]()
    with zipfile.ZipFile(sealed, "w") as archive:
        for name, data in entries:
            if name not in names:
                archive.writestr(name, data)
            names.add(name)
    return sealed.getvalue()


def _is_one_line(message: str, file: Path) -> None:
    assert message.startswith(f"{file}: "), message
    assert "\n" not in message, message
    assert len(message) < 1000, message


def read(folder: Path, content: bytes) -> str:
    """What a reader makes of a file: finite networks, or one line that names it. Nothing else appears."""
    file = folder / "made.pth"
    file.write_bytes(content)
    told = "loaded"
    for reader in (load_quartet, inspect):
        try:
            with time_limit():
                found = reader(file)
        except GanpruneError as error:
            told = type(error).__name__
            _is_one_line(str(error), file)
        else:
            if reader is load_quartet:
                networks = [getattr(found, name) for name in NET_NAMES]
                tensors = [t for net in networks if net is not None for t in net.state_dict().values()]
                assert tensors
                assert all(bool(tensor.isfinite().all()) for tensor in tensors)
    assert [path.name for path in folder.iterdir()] == ["made.pth"]
    return told
