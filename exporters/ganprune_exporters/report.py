"""What an export did."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class ExportReport:
    """One file that was written and verified."""

    path: Path
    """The ONNX file."""
    nodes_before: int
    """Operators as PyTorch exported them."""
    nodes_after: int
    """Operators in the file."""
    file_bytes: int
    max_abs: float
    """Largest difference to PyTorch's output over all pictures, in units of its range [-1, 1]."""
    tolerance: float
    """The difference that was allowed."""
    pictures: int
    """On how many pictures the two were compared."""
    sha256: str
    """Of the file, 64 hexadecimal digits."""
    seconds: float
    """Time that the export took, verification included."""

    def to_json(self) -> dict[str, Any]:
        """Everything, in types that JSON has."""
        return asdict(self) | {"path": str(self.path)}
