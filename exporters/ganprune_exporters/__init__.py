"""Generators to ONNX files that are checked against PyTorch before anyone uses them.

report = export_onnx(generator, Path("G_A.onnx"), ExportSettings(size=256))
report.max_abs    # largest difference to PyTorch's pictures
report.passes     # what each pass changed
"""

from ganprune_exporters.export import export_onnx
from ganprune_exporters.passes import PassReport
from ganprune_exporters.report import ExportReport
from ganprune_exporters.settings import ExportSettings

__all__ = ["ExportReport", "ExportSettings", "PassReport", "export_onnx"]
