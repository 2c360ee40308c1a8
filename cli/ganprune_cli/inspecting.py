"""What ``inspect`` finds and how it is shown."""

from collections import Counter
from pathlib import Path
from typing import Any

from ganprune.checkpoints import inspect
from ganprune.cost import mebibytes
from ganprune.onnx_cost import DEFAULT_SIZE, onnx_cost, picture_input, read_onnx
from ganprune.runs import find_run
from ganprune_cli.console import command_line, print_table
from ganprune_cli.exporting import is_run


def inspect_path(path: Path | None, size: int | None) -> dict[str, Any]:
    """A checkpoint or a run, see `ganprune.checkpoints.inspect`."""
    if path is None or is_run(path):
        path = find_run(path).folder
    return inspect(path, DEFAULT_SIZE if size is None else size).to_json()


def inspect_onnx(path: Path, size: int | None) -> dict[str, Any]:
    """An ONNX file: its input, operators, costs. Raises `InputError` for one that is damaged."""
    model = read_onnx(path)
    picture = picture_input(model, path)
    shape = picture.shape(size)
    cost = onnx_cost(model, picture, shape)
    return {
        "path": str(path),
        "kind": "ONNX",
        "opset": max(
            (entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=None
        ),
        "input": {"name": picture.name, "type": picture.dtype, "shape": list(picture.dims)},
        "operators": dict(Counter(node.op_type for node in model.graph.node).most_common()),
        "params": cost.params,
        "macs": {"true": cost.macs_true, "paper": cost.macs_paper},
        "macs_shape": list(shape),
        "file_bytes": path.stat().st_size,
        "metadata": {entry.key: entry.value for entry in model.metadata_props},
        "next_command": command_line("bench", "--cpu", path),
    }


def print_inspection(found: dict[str, Any], markdown: bool) -> None:
    """As tables and lines."""
    if found.get("kind") == "ONNX":
        _print_onnx(found, markdown)
        return
    rows = [
        [
            network["name"],
            network["task"],
            network["architecture"],
            f"{network['params']:,}",
            f"{mebibytes(network['params']):.2f}",
            f"{network['macs']['true'] / 1e9:.2f}",
            f"{network['macs']['paper'] / 1e9:.2f}",
            network["norm"],
            network["precision"],
            Path(network["file"]).name,
        ]
        for network in found["networks"]
    ]
    columns = (
        "network", "task", "architecture", "params", "MiB (float32)",
        "GMACs (true)", "GMACs (paper)", "norm", "on disk", "file",
    )  # fmt: skip
    title = f"{found['path']}: {found['naming']}, counted at {found['size']}×{found['size']}"
    print_table(title, columns, rows, markdown=markdown, left=(0, 1, 2, 7, 8, 9))
    for label, lines in (
        ("missing", [", ".join(found["missing"])] if found["missing"] else []),
        ("note", found["notes"]),
        ("options", [", ".join(f"{k} {v}" for k, v in found["options"].items())] if found["options"] else []),
        ("problem", found["problems"]),
    ):
        for line in lines:
            print(f"{label}: {line}")


def _print_onnx(found: dict[str, Any], markdown: bool) -> None:
    given, macs = found["input"], found["macs"]
    shape = "×".join("any" if size is None else str(size) for size in given["shape"])
    operators = ", ".join(f"{name} {count}" for name, count in found["operators"].items())
    giga = {kind: "unknown" if value is None else f"{value / 1e9:.2f} G" for kind, value in macs.items()}
    rows = [
        ["input", f"{given['name']}, {given['type']}, {shape}"],
        ["opset", str(found["opset"])],
        ["params", f"{found['params']:,} ({mebibytes(found['params']):.2f} MiB as float32)"],
        ["MACs (true)", giga["true"]],
        ["MACs (paper)", giga["paper"]],
        ["file", f"{found['file_bytes'] / 2**20:.2f} MiB"],
        ["operators", operators],
    ]
    print_table(f"{found['path']}: ONNX", ("what", "value"), rows, markdown=markdown, left=(0, 1))
