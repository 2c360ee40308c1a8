"""What ``inspect`` finds and how it is shown."""

from collections import Counter
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from ganprune.checkpoints import Own, inspect
from ganprune.onnx_files.cost import DEFAULT_SIZE, onnx_cost, picture_input, read_onnx, spelled
from ganprune.pruning.cost import mebibytes
from ganprune.runs import find_run, is_run
from ganprune.system.shell import command_line
from ganprune_cli.console import print_table, say

COLUMNS = (
    "network", "task", "architecture", "norm", "params", "MiB (float32)",
    "GMACs (true)", "GMACs (paper)", "on disk", "file",
)  # fmt: skip
TEXTS = (0, 1, 2, 3, 8, 9)  # columns of a network in Markdown, and those of them that hold text

ROLES = (
    "trunk: what residual blocks add to, else the smallest maps; stem, down: before it; up: behind it; "
    "inner: within a block"
)
"""What the names of groups mean."""

TOLD = (
    "name", "dataroot", "direction", "netG", "ngf", "norm", "no_dropout", "netD", "gan_mode",
    "preprocess", "load_size", "crop_size",
)  # fmt: skip
"""Options that are shown."""


def inspect_path(path: Path | None, size: int | None, own: Own) -> dict[str, Any]:
    """A checkpoint or a run, see `ganprune.checkpoints.inspect`."""
    if path is not None and not is_run(path):
        return inspect(path, DEFAULT_SIZE if size is None else size, own).to_json()

    from ganprune.stages.quality import read_quality  # late: checkpoints need not wait for it

    run = find_run(path)
    told = run.config["settings"].get("size") if (run / "config.toml").is_file() else None
    size = size or (told if isinstance(told, int) else DEFAULT_SIZE)
    return inspect(run.folder, size, own).to_json() | {"quality": read_quality(run)}


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
        "macs_true": cost.macs_true,
        "macs_paper": cost.macs_paper,
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
    size = f"{found['size']}×{found['size']}"
    title = f"{found['path']}: {found['naming']}, counted at {size}, MiB as float32"
    if markdown:
        rows = [_cells(network) for network in found["networks"]]
        print_table(title, COLUMNS, rows, markdown=True, left=TEXTS)
    else:
        columns = ("net", "what it is", "parameters", "GMACs", "file")
        rows = [row for network in found["networks"] for row in (*_lines(network), [""] * len(columns))]
        print_table(title, columns, rows[:-1], left=(0, 1, 4))
    if "quality" in found:
        from ganprune_cli.tables import print_quality

        say()
        print_quality(found["quality"], markdown)
    for label, lines in (
        ("groups", [_groups(network) for network in found["networks"] if network["groups"]]),
        ("kept whole", [f"{n['name']}: {line}" for n in found["networks"] for line in n["kept_whole"]]),
        ("note", found["notes"]),
        ("options", _told(found["options"])),
        ("problem", found["problems"]),
    ):
        for line in lines:
            say(f"{label}: {line}")
        if label == "groups" and lines:
            say(f"        ({ROLES})")


def _groups(network: Mapping[str, Any]) -> str:
    """What can be pruned of a generator, groups of the same kind and size together."""
    parts = list[str]()
    for (role, filters, coupled), alike in groupby(
        network["groups"], key=lambda group: (group["role"], group["filters"], len(group["written_by"]))
    ):
        names = [group["name"] for group in alike]
        name = names[0] if len(names) == 1 else f"{len(names)} × {role}"
        parts.append(f"{name} {filters}" + (f" ({coupled} convolutions coupled)" if coupled > 1 else ""))
    return f"{network['name']}: {', '.join(parts)}"


def _cells(network: Mapping[str, Any]) -> list[str]:
    """One network as a row of `COLUMNS`."""
    return [
        network["name"], network["task"], network["architecture"], network["norm"], f"{network['params']:,}",
        f"{mebibytes(network['params']):.2f}",
        *(f"{network[count] / 1e9:.2f}" for count in ("macs_true", "macs_paper")),
        network["precision"],
        ": ".join(part for part in (Path(network["file"]).name, network["entry"]) if part),
    ]  # fmt: skip


def _lines(network: Mapping[str, Any]) -> list[list[str]]:
    """The same as two rows of few columns, for a terminal."""
    name, task, architecture, norm, params, memory, true, paper, precision, _ = _cells(network)
    place = network["entry"] or Path(network["file"]).name  # the title names the file of several networks
    norms = "no norm" if norm == "none" else f"{norm} norm"
    dropout = ", dropout" if network["dropout"] else ""
    return [
        [name, architecture, params, f"{true} true", place],
        ["", f"{task}; {norms}{dropout}", f"{memory} MiB", f"{paper} paper", precision],
    ]


def _told(options: Mapping[str, str]) -> list[str]:
    """The options that say most of a training, and how many others there are."""
    if not options:
        return []
    told = [f"{name} {options[name]}" for name in TOLD if name in options]
    others = len(options) - len(told)
    return [", ".join([*told, *([f"{others} others (--json shows them)"] if others else [])])]


def _print_onnx(found: dict[str, Any], markdown: bool) -> None:
    given = found["input"]
    operators = ", ".join(f"{name} {count}" for name, count in found["operators"].items())
    giga = {kind: "unknown" if (macs := found[f"macs_{kind}"]) is None else f"{macs / 1e9:.2f} G"
            for kind in ("true", "paper")}  # fmt: skip
    rows = [
        ["input", f"{given['name']}, {given['type']}, {spelled(given['shape'])}"],
        ["opset", str(found["opset"])],
        ["params", f"{found['params']:,} ({mebibytes(found['params']):.2f} MiB as float32)"],
        ["MACs (true)", giga["true"]],
        ["MACs (paper)", giga["paper"]],
        ["file", f"{found['file_bytes'] / 2**20:.2f} MiB"],
        ["operators", operators],
    ]
    print_table(f"{found['path']}: ONNX", ("what", "value"), rows, markdown=markdown, left=(0, 1))
