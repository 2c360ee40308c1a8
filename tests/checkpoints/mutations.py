"""Valid files with damage of every kind, and what must be true of each, in a process of its own.

python -m tests.checkpoints.mutations FOLDER

Its memory is that of the files alone, so it is measured. FOLDER/crafted holds further files.
"""

import io
import resource
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ganprune.checkpoints import NET_NAMES, load_quartet
from ganprune.errors import GanpruneError
from ganprune.models.cyclegan import DiscriminatorWidths, GeneratorWidths, Norm
from tests.checkpoints.builders import make_discriminator, make_generator

EXAMPLES = 120
"""Damaged files of every kind."""

SECONDS = 2.0
"""Of the CPU, for each of them."""

GROWTH = 96 << 20
"""Memory, bytes, that all of them together may cost at their peak; the files have some 10,000 bytes."""

TINY = GeneratorWidths(1, 1, 2, (1,), 1, 1)


def _generator(norm: Norm = "instance") -> dict[str, Any]:
    return dict(make_generator(0, TINY, norm).state_dict())


def _bundle() -> dict[str, Any]:
    judge = make_discriminator(1, DiscriminatorWidths((1, 2))).state_dict()
    states = {name: _generator() if name.startswith("G") else dict(judge) for name in NET_NAMES}
    return {**states, "epoch": 3, "losses": [0.5, None, True], "optimizer_G": {"state": {0: {"step": 2}}}}


def _flat() -> dict[str, Any]:
    nets = {name: value for name, value in _bundle().items() if name in NET_NAMES}
    return {f"{name}.{key}": tensor.clone() for name, state in nets.items() for key, tensor in state.items()}


def _saved(save: Callable[[Any, io.BytesIO], object], held: object) -> bytes:
    buffer = io.BytesIO()
    save(held, buffer)
    return buffer.getvalue()


def _legacy(held: object, file: io.BytesIO) -> None:
    torch.save(held, file, _use_new_zipfile_serialization=False)


VALID = {
    "zip": _saved(torch.save, _generator()),
    "zip of batch norm": _saved(torch.save, _generator("batch")),
    "legacy": _saved(_legacy, _generator()),
    "safetensors": safetensors.torch.save(_generator("batch"), {"norm": "batch"}),
    "bundle": _saved(torch.save, _bundle()),
    "legacy bundle": _saved(_legacy, _bundle()),
    "flat safetensors": safetensors.torch.save(_flat()),
}
"""A valid small checkpoint in every format, alone and with four networks."""

place = st.floats(0, 1, exclude_max=True)
Damage = tuple[str, float, float, int]
kinds = st.sampled_from(("flip", "byte", "cut", "repeat", "splice", "drop"))
damages = st.lists(st.tuples(kinds, place, place, st.integers(0, 255)), min_size=1, max_size=5)
valid = st.sampled_from(sorted(VALID))


def damaged(content: bytes, damages: Sequence[Damage], other: bytes) -> bytes:
    """Bits flipped, bytes set, the end cut off, a piece repeated, dropped, or put in from another file."""
    for kind, first, second, value in damages:
        if not content:
            return content
        start, length = int(first * len(content)), int(second * 200) + 1
        piece = content[start : start + length]
        match kind:
            case "flip":
                content = content[:start] + bytes([content[start] ^ (1 << value % 8)]) + content[start + 1 :]
            case "byte":
                content = content[:start] + bytes([value]) + content[start + 1 :]
            case "cut":
                content = content[: int((1 - second**3) * len(content))]
            case "repeat":
                content = content[:start] + piece * (value % 5 + 1) + content[start:]
            case "drop":
                content = content[:start] + content[start + length :]
            case _:
                begin = int(second * len(other))
                content = content[:start] + other[begin : begin + value + 1] + content[start:]
    return content


def loads_or_explains(file: Path) -> None:
    """Finite networks come out, or one of our errors on one line that names the file."""
    start = time.process_time()
    try:
        quartet = load_quartet(file)
    except GanpruneError as error:
        told = str(error)
        assert told.startswith(f"{file}: "), told
        assert "\n" not in told, told
        assert len(told) < 1000, told
    else:
        networks = [getattr(quartet, name) for name in NET_NAMES]
        tensors = [t for network in networks if network is not None for t in network.state_dict().values()]
        assert tensors
        assert all(bool(tensor.isfinite().all()) for tensor in tensors)
    assert time.process_time() - start < SECONDS


def resealed(content: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """A zip archive whose pickle was changed and whose checksums are right."""
    sealed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(sealed, "w") as copy:
        for record in archive.infolist():
            data = archive.read(record)
            copy.writestr(record.filename, change(data) if record.filename.endswith("data.pkl") else data)
    return sealed.getvalue()


@given(
    kind=st.sampled_from(sorted(VALID)),
    other=st.sampled_from(sorted(VALID)),
    damages=damages,
    seal=st.booleans(),
)
@settings(max_examples=EXAMPLES * len(VALID), deadline=None, database=None)
def survive(folder: Path, kind: str, other: str, damages: list[Damage], seal: bool) -> None:
    """Damage anywhere in a file, or in the pickle of a sound archive."""
    file = folder / "damaged"
    if seal and VALID[kind].startswith(b"PK"):
        content = resealed(VALID[kind], lambda pickled: damaged(pickled, damages, VALID[other]))
    else:
        content = damaged(VALID[kind], damages, VALID[other])
    file.write_bytes(content)
    loads_or_explains(file)


def peak() -> int:
    """The most memory that this process has had, bytes."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    for content in VALID.values():
        (folder / "valid").write_bytes(content)
        load_quartet(folder / "valid")
    before = peak()
    for file in sorted((folder / "crafted").iterdir()):
        loads_or_explains(file)
    survive(folder)
    growth = peak() - before
    assert growth < GROWTH, f"{growth >> 20} MiB"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
