"""What an export did."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypedDict, cast

from ganprune_exporters.passes import PassReport
from ganprune_exporters.passes.names import PASSES


class ShownPass(TypedDict):
    """A `PassReport` as plain values, as far as it is shown."""

    name: str
    note: str
    speedup: float | None


class ExportedFile(TypedDict):
    """An `ExportReport` as plain values, likewise."""

    path: str
    nodes_before: int
    nodes_after: int
    file_bytes: int
    max_abs: float
    tolerance: float
    pictures: int
    passes: list[ShownPass]
    rewrites: list[str]


@dataclass(frozen=True, slots=True)
class ExportReport:
    """One file that was written and verified."""

    path: Path  # the ONNX file
    nodes_before: int  # operators as PyTorch exported them
    nodes_after: int  # operators in the file
    file_bytes: int
    max_abs: float  # largest difference to PyTorch's output over all pictures, in units of its range [-1, 1]
    tolerance: float  # the difference that was allowed; for bytes, one grey level
    pictures: int  # on how many pictures the two were compared
    mute: int
    """Pictures that told nothing, because float32 itself loses them, as it does blank ones; noise took their
    place."""
    differing: float  # share of the output's numbers that are not exactly PyTorch's
    passes: tuple[PassReport, ...]  # what each pass changed, in order
    sha256: str  # of the file, 64 hexadecimal digits
    seconds: float  # time that the export took, verification included

    @property
    def rewrites(self) -> tuple[str, ...]:
        """The rewrites that were applied, as `ExportSettings.passes` spells them."""
        return applied(self.passes)

    def to_json(self) -> ExportedFile:
        """Everything, in types that JSON has."""
        found = asdict(self) | {"path": str(self.path), "rewrites": list(self.rewrites)}
        return cast(ExportedFile, found | {"passes": list(found["passes"])})


def applied(reports: tuple[PassReport, ...] | list[PassReport]) -> tuple[str, ...]:
    """The rewrites among passes that were applied."""
    return tuple(r.name for r in reports if r.applied and r.name.partition("=")[0] in PASSES)
