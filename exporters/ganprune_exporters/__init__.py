"""Generators to ONNX files that are checked against PyTorch before anyone uses them.

report = export_onnx(generator, Path("G_A.onnx"), ExportSettings(size=256))
report.max_abs    # largest difference to PyTorch's pictures
report.passes     # what each pass changed

The names below are imported when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganprune_exporters.export import export_onnx
    from ganprune_exporters.passes import PassReport
    from ganprune_exporters.report import ExportReport
    from ganprune_exporters.settings import ExportSettings

_HOME = {
    "ExportReport": "report",
    "ExportSettings": "settings",
    "PassReport": "passes",
    "export_onnx": "export",
}
__all__ = ["ExportReport", "ExportSettings", "PassReport", "export_onnx"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'ganprune_exporters' has no attribute {name!r}")
    return getattr(import_module(f"ganprune_exporters.{_HOME[name]}"), name)
