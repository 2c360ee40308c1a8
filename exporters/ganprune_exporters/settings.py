"""How generators are exported."""

from dataclasses import asdict, dataclass
from typing import Any

from ganprune.errors import UsageError
from ganprune.images.sizes import check_size
from ganprune_exporters.passes import names

OLDEST_OPSET = 7
"""ONNX Runtime reads files from this one on; whether a graph fits into it, its nodes say."""
NEWEST_OPSET = 23
"""The newest that all supported versions of PyTorch write and of ONNX Runtime read."""


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """What the ONNX file is to look like."""

    size: int = 256
    """Height and width of the pictures, pixels, a multiple of 4; also what costs are counted for."""
    opset: int = 18
    """Version of ONNX's operators, 7 to 23; 18 is the oldest that PyTorch writes, older ones are made from
    it."""
    dynamic: bool = False
    """Leave batch, height and width free; heights and widths are multiples of 4 all the same."""
    simplify: bool = True
    """Fold constants and fuse operators with onnxsim."""
    passes: tuple[str, ...] = names.DEFAULT
    """Rewrites, in order, each with its choice: ``last-convolution=4``; none: the plain export."""
    tune: bool = False
    """Measure every pass on this machine, take the best choice, and leave out what makes it slower."""
    uint8: bool = False
    """Bytes [n, h, w, c] at both ends, instead of float32 [n, c, h, w] in [-1, 1]."""
    picture_statistics: bool = False
    """Batch norm by each picture's own statistics instead of the running ones."""
    tolerance: float = 1e-4
    """Largest difference to PyTorch's output that is allowed, in units of its range [-1, 1]."""

    def __post_init__(self) -> None:
        check_size(self.size)
        if not OLDEST_OPSET <= self.opset <= NEWEST_OPSET:
            raise UsageError(f"--set opset must be {OLDEST_OPSET} to {NEWEST_OPSET}, found {self.opset}")
        if not self.tolerance > 0:
            raise UsageError(f"--tolerance must be more than 0, found {self.tolerance}")
        for spec in self.passes:
            names.parsed(spec)

    def to_json(self) -> dict[str, Any]:
        """Everything, in types that JSON has."""
        return asdict(self) | {"passes": list(self.passes)}
