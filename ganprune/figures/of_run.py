"""What figures need to know of a run folder. Nothing is computed anew: all of it lies in the run's files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ganprune.checkpoints import read_metadata, read_tensors
from ganprune.errors import GanpruneError, RunError
from ganprune.figures.filters import FirstLayer, Weights
from ganprune.figures.style import Pixels
from ganprune.images import cells, open_picture
from ganprune.images.sources import DOMAINS, Domain
from ganprune.metrics.telling import Evaluation, Quality, verdict
from ganprune.onnx_files.cost import read_onnx
from ganprune.runs import Run
from ganprune.storage.plain import parse_json, read_json, read_lines, shaped, sound

QUALITY = "quality.json"  # what ``compress`` writes, see `ganprune.stages.quality`
EVALUATION = "evaluation.json"  # what `ganprune evaluate RUN` found
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class PictureComparison:
    """One validation picture and what the networks of one direction made of it: uint8 [h, w, 3] each."""

    side: Domain
    input: Pixels
    original: Pixels
    slim: Pixels  # of the finished slim generator
    untuned: Pixels | None  # of the slim generator before fine-tuning; None where there was none


@dataclass(frozen=True, slots=True)
class Distance:
    """Mean squared differences to the original's pictures, in [-1, 1]: L_GenA."""

    slim: float
    inputs: float | None  # of the untouched inputs; None where the files do not say
    source: str  # of what pictures, when
    verdict: str = ""
    """In words, see `ganprune.metrics.telling.verdict`; empty where the files lack what it is seen beside."""


def sides_of(run: Run) -> tuple[Domain, ...]:
    """The generators that a run made slim. Raises `RunError` where it is not that far."""
    found: tuple[Domain, ...] = tuple(side for side in DOMAINS if (run / f"G_{side}.safetensors").is_file())
    if not found:
        raise RunError(
            f"{run.folder} holds no slim generator yet; "
            "run the `ganprune compress` command that began it again"
        )
    return found


def comparisons_of(run: Run) -> list[PictureComparison]:
    """The rows of pictures.png. Raises `RunError` where it is missing or not as ganprune writes it."""
    path, sides = run / "pictures.png", sides_of(run)
    try:
        size = int(run.config["settings"]["size"])
        rows = cells(open_picture(path), size, size)
        shown = run.provenance.get("stages", {}).get("show", {}).get("rows")
        counts = dict(shown) if isinstance(shown, dict) else {side: len(rows) // len(sides) for side in sides}
        of_rows: list[Domain] = [side for side in DOMAINS for _ in range(int(counts.get(side, 0)))]
        if not rows or len(of_rows) != len(rows) or not 3 <= len(rows[0]) <= 4:
            raise ValueError(f"{len(rows)} rows")
    except (GanpruneError, KeyError, ValueError, TypeError) as error:
        raise RunError(f"{path} cannot be used ({error}); run `ganprune compress` again to make it") from None
    found: list[PictureComparison] = []
    for side, row in zip(of_rows, rows, strict=True):
        pixels: list[Pixels] = [np.ascontiguousarray(cell.permute(1, 2, 0).numpy()) for cell in row]
        untuned = pixels[2] if len(pixels) == 4 else None
        found.append(PictureComparison(side, pixels[0], pixels[1], pixels[-1], untuned))
    return found


def lines_of(path: Path) -> list[dict[str, Any]]:
    """All whole lines of a .jsonl file; none where it is missing. Raises `RunError` for no text."""
    with sound(path, "make it again"):
        return read_lines(path)


def training_lines(run: Run) -> list[dict[str, Any]]:
    """Losses and validations of fine-tuning, in the order of steps."""
    lines = [*lines_of(run / "fine-tune" / "train.jsonl"), *lines_of(run / "fine-tune" / "validation.jsonl")]
    return sorted(lines, key=lambda line: line["step"])


def json_of(path: Path, shape: type[_T]) -> _T | None:
    """A JSON file of a type, see `fits`; None where there is none. Raises `RunError` for anything else."""
    if not path.is_file():
        return None
    with sound(path, "make it again"):
        return shaped(read_json(path), shape)


def widths_of(run: Run, side: Domain) -> tuple[dict[str, int], dict[str, int]]:
    """Filters by group of the original and of the slim generator.

    Raises `RunError` where the slim generator's file does not say them.
    """
    path = run / f"G_{side}.safetensors"
    told = read_metadata(path)
    try:
        whole, kept = parse_json(told["whole"]), parse_json(told["kept"])
        return {name: int(whole[name]) for name in kept}, {name: len(kept[name]) for name in kept}
    except (KeyError, ValueError, TypeError, AttributeError):
        raise RunError(f"{path} does not say how many filters there were; compress again") from None


def first_layer_of(run: Run, side: Domain) -> FirstLayer:
    """The first convolution of the original and of the finished slim generator.

    Raises `RunError` where the exported original is missing, or holds other filters than the slim generator
    was cut from: exporting may fold batch norm into them.
    """
    path = run / f"original_G_{side}.onnx"
    name, weights = first_weights(path)
    units = next(iter(widths_of(run, side)[0].values()))
    each = max(1, len(weights) // max(1, units))  # filters that go together, as those of a group norm's group
    kept = tuple(each * i + j for i in kept_of(run / f"G_{side}.safetensors") for j in range(each))
    files = {"tuned": run / f"G_{side}.safetensors", "cut": run / f"pruned_G_{side}.safetensors"}
    found = [tensor for file in files.values() if (tensor := read_tensors(file).get(name)) is not None]
    if len(found) < 2 or len(found[0]) != len(found[1]):
        raise RunError(f"{files['tuned']} is damaged; run `ganprune compress` again")
    tuned, cut = (tensor.float().numpy() for tensor in found)
    if max(kept, default=-1) >= len(weights) or not np.array_equal(weights[list(kept)], cut):
        raise RunError(
            f"{path} holds other first-layer filters than pruned_G_{side}.safetensors was cut from, as where "
            "batch norm was folded into them; they cannot be compared"
        )
    return FirstLayer(f"G_{side}", weights, kept, tuned if (run / "fine-tune").is_dir() else None)


def first_weights(path: Path) -> tuple[str, Weights]:
    """Name and filters of the first convolution of an ONNX file that ganprune exported as it is."""
    from onnx import numpy_helper

    graph = read_onnx(path).graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Conv" and node.input[1] in tensors:
            weights = numpy_helper.to_array(tensors[node.input[1]])
            return node.input[1], weights.astype(np.float32)
    raise RunError(
        f"{path} has no convolution with weights of its own; export it again: ganprune export --onnx"
    )


def kept_of(path: Path) -> tuple[int, ...]:
    """Kept filters of the first group, from the metadata of a slim generator's safetensors file."""
    try:
        return tuple(int(i) for i in next(iter(parse_json(read_metadata(path)["kept"]).values())))
    except (KeyError, ValueError, TypeError):
        raise RunError(
            f"{path} does not say which filters were kept; needed a file that `ganprune compress` wrote"
        ) from None


def quality_of(evaluation: Evaluation | None, network: str, kind: str) -> float | None:
    """KID of ``slim`` or ``original`` pictures by one network, from `EVALUATION`; None where unknown."""
    for part in evaluation["directions"] if evaluation else ():
        for row in part["rows"]:
            if part["network"] == network and row["pictures"] == kind and row.get("kid") is not None:
                return float(row["kid"])
    return None


def last_losses(lines: Sequence[dict[str, Any]], side: Domain) -> dict[str, float]:
    """L_DisA and L_cyc of the best genome at the search's end; empty without a search."""
    best = lines[-1].get(side, {}) if lines else {}
    return {key: float(best[key]) for key in ("L_DisA", "L_cyc") if key in best}


def distance_of(run: Run, side: Domain) -> Distance | None:
    """How far a slim generator's pictures are from the original's: the best that the run's files know.

    That is what ``evaluate`` found on test pictures, or ``compress``; else, of an older run, the validation
    that fine-tuning took its weights from, or the end of the search. None where none of them is there.
    """
    evaluation, quality = json_of(run / EVALUATION, Evaluation), json_of(run / QUALITY, Quality)
    for part in evaluation["directions"] if evaluation else ():
        rows = {row["pictures"]: row for row in part["rows"] if row.get("L_GenA") is not None}
        if part["network"] == f"G_{side}" and "slim" in rows:
            inputs = rows["inputs"]["L_GenA"] if "inputs" in rows else None
            said = verdict(rows) if {"inputs", "original, mirrored"} <= rows.keys() else ""
            return Distance(float(rows["slim"]["L_GenA"]), inputs and float(inputs), "test pictures", said)
    if quality and (found := quality["networks"].get(f"G_{side}")):
        slim, inputs = found["slim"]["L_GenA"], found["inputs"]["L_GenA"]
        return Distance(slim, inputs, f"{found['number']} {quality['pictures']} pictures", found["verdict"])
    lines = lines_of(run / "search.jsonl")
    controls = lines[0].get("controls", {}).get(side, {}) if lines else {}
    inputs = float(controls["inputs"]["L_GenA"]) if "inputs" in controls else None
    settings = run.config["settings"]
    if settings.get("reduction", "mean") != "mean":
        return None
    decided = "L_GenA" if settings.get("recipe") == "distil" else "L_DisA"
    validated = [
        (float(line.get(f"{prefix}{decided}_{side}", line[key])), float(line[key]))
        for line in lines_of(run / "fine-tune" / "validation.jsonl")
        for prefix in ("", "average_")
        if (key := f"{prefix}L_GenA_{side}") in line
    ]
    if validated:
        return Distance(min(validated)[1], inputs, "after fine-tuning, validation pictures")
    if lines and "L_GenA" in lines[-1].get(side, {}):
        return Distance(float(lines[-1][side]["L_GenA"]), inputs, "before fine-tuning, the search's pictures")
    return None
