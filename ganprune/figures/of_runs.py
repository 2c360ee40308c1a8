"""The paper's figures and Pareto plots from several runs of the same CycleGAN, as SVG and PNG files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ganprune.bench.report import Timed
from ganprune.errors import UsageError
from ganprune.figures import of_run
from ganprune.figures.bars import widths_diagram
from ganprune.figures.filters import filter_figure
from ganprune.figures.pareto import Point, pareto
from ganprune.figures.sheets import SheetCell, draw_sheet, letter
from ganprune.figures.style import Pixels, to_png, to_svg
from ganprune.images.sources import Domain
from ganprune.metrics.telling import Evaluation
from ganprune.onnx_files.cost import cost_of
from ganprune.pruning.cost import mebibytes
from ganprune.runs import Run
from ganprune.storage.files import write_atomically
from ganprune.storage.locking import refuse_run
from ganprune.storage.made import check_all

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE = "MiB of float32 weights"
_SHOWN = 2  # pictures of each direction in the sheet of methods


@dataclass(frozen=True, slots=True)
class Labelled:
    """A run and what figures call it."""

    run: Run
    label: str


def labelled(runs: Sequence[Run], labels: Sequence[str] = ()) -> list[Labelled]:
    """Name runs: as given, else by γ where they all differ in it, else by their folders.

    Raises `UsageError` for another number of labels than of runs, or the same label twice.
    """
    if not labels:
        gammas = [f"γ = {run.config['settings'].get('gamma', 0):g}" for run in runs]
        names = [run.folder.resolve().name for run in runs]
        labels = gammas if len(runs) > 1 and len(set(gammas)) == len(runs) else names
    if len(labels) != len(runs) or len(set(labels)) != len(labels):
        raise UsageError(
            f"needed one --label for each of the {len(runs)} runs, all different, found {', '.join(labels)}"
        )
    return [Labelled(run, label) for run, label in zip(runs, labels, strict=True)]


def draw_figures(runs: Sequence[Labelled]) -> dict[str, "Figure"]:
    """Name of a file, without its ending, → figure. The first run is the one whose filters are shown.

    Raises `RunError` for a run that lacks what a figure needs, `UsageError` where runs show other pictures.
    """
    pictures = [of_run.comparisons_of(run.run) for run in runs]
    _check_same(runs, pictures)
    first = runs[0].run
    sides = of_run.sides_of(first)
    found = {
        "sizes": _sizes(runs, pictures, sides),
        "methods": _methods(runs, pictures, sides),
        "pareto": _pareto(runs),
    }
    for side in sides:
        others = {
            other.label: of_run.kept_of(other.run / f"G_{side}.safetensors")
            for other in runs[1:]
            if (other.run / f"G_{side}.safetensors").is_file()
        }
        found[f"filters-G_{side}"] = filter_figure(of_run.first_layer_of(first, side), others)
        found[f"layers-G_{side}"] = widths_diagram(f"G_{side}", *of_run.widths_of(first, side))
    return found


def write_figures(figures: Mapping[str, "Figure"], folder: Path) -> list[Path]:
    """Write every figure as SVG and PNG; returns the files."""
    refuse_run(folder)
    check_all(folder, (f"{name}.{ending}" for name in figures for ending in ("svg", "png")))
    found: list[Path] = []
    for name, figure in figures.items():
        for ending, data in (("svg", to_svg(figure).encode("utf-8", "replace")), ("png", to_png(figure))):
            found.append(folder / f"{name}.{ending}")
            write_atomically(found[-1], data)
    return found


def _check_same(runs: Sequence[Labelled], pictures: Sequence[Sequence[of_run.PictureComparison]]) -> None:
    """Figures put pictures of several runs in a row: they must be translations of the same ones."""
    for run, rows in zip(runs[1:], pictures[1:], strict=True):
        same = len(rows) == len(pictures[0]) and all(
            a.side == b.side and np.array_equal(a.input, b.input)
            for a, b in zip(pictures[0], rows, strict=True)
        )
        if not same:
            raise UsageError(
                f"{run.run.folder} shows other pictures than {runs[0].run.folder}; needed runs of the same "
                "--data, --size, --seed, --set pictures=N and --direction"
            )


def _sizes(
    runs: Sequence[Labelled], pictures: Sequence[Sequence[of_run.PictureComparison]], sides: Sequence[Domain]
) -> "Figure":
    """Figure 2: one row a direction; the original, then one column a run, with model sizes below."""
    firsts = [{row.side: row for row in reversed(rows)} for rows in pictures]

    def cell(pixels: Pixels, run: Labelled, network: str) -> SheetCell:
        return SheetCell(pixels, f"{_mib_of(run.run / f'{network}.onnx'):.2f} MiB")

    original = [cell(firsts[0][side].original, runs[0], f"original_G_{side}") for side in sides]
    columns = [
        (run.label, [cell(first[side].slim, run, f"G_{side}") for side in sides])
        for run, first in zip(runs, firsts, strict=True)
    ]
    names = [_direction(side) for side in sides]
    return draw_sheet(
        [("original", original), *columns], names, "Pictures by slim generators of several sizes"
    )


def _methods(
    runs: Sequence[Labelled], pictures: Sequence[Sequence[of_run.PictureComparison]], sides: Sequence[Domain]
) -> "Figure":
    """Figure 3: one row a picture; the input, the original, then one column a method, (a), (b), …"""
    rows = [
        i for side in sides for i in [i for i, row in enumerate(pictures[0]) if row.side == side][:_SHOWN]
    ]
    base = [pictures[0][i] for i in rows]
    columns = [
        ("input", [SheetCell(row.input) for row in base]),
        ("original", [SheetCell(row.original) for row in base]),
        *(
            (f"{letter(i)} {run.label}", [SheetCell(shown[row].slim) for row in rows])
            for i, (run, shown) in enumerate(zip(runs, pictures, strict=True))
        ),
    ]
    names = [_direction(row.side) if i % _SHOWN == 0 else "" for i, row in enumerate(base)]
    return draw_sheet(columns, names, "Pictures by method")


def _pareto(runs: Sequence[Labelled]) -> "Figure":
    """Quality is KID where every run was evaluated, else what the search ended with, before fine-tuning."""
    evaluations = [of_run.json_of(run.run / of_run.EVALUATION, Evaluation) for run in runs]
    quality = "KID" if all(evaluations) else "L_DisA before fine-tuning"
    points: list[Point] = []
    times = ""
    for i, (run, evaluation) in enumerate(zip(runs, evaluations, strict=True)):
        milliseconds, times = _milliseconds(run.run)
        for side in of_run.sides_of(run.run):
            values = {SIZE: _mib_of(run.run / f"G_{side}.onnx")}
            losses = of_run.last_losses(of_run.lines_of(run.run / "search.jsonl"), side)
            found = (
                of_run.quality_of(evaluation, f"G_{side}", "slim")
                if quality == "KID"
                else losses.get("L_DisA")
            )
            values |= {quality: found} if found is not None else {}
            if f"G_{side}" in milliseconds:
                values[times] = milliseconds[f"G_{side}"]
            points.append(Point(f"G_{side}", run.label, values))
            if i == 0:
                whole = {SIZE: _mib_of(run.run / f"original_G_{side}.onnx")}
                best = of_run.quality_of(evaluation, f"G_{side}", "original") if quality == "KID" else 0.0
                whole |= {quality: best} if best is not None else {}
                if f"original_G_{side}" in milliseconds:
                    whole[times] = milliseconds[f"original_G_{side}"]
                points.append(Point(f"original_G_{side}", "original", whole))
    return pareto(points, [(SIZE, quality), (times, quality), (SIZE, times)])


def _milliseconds(run: Run) -> tuple[dict[str, float], str]:
    """Median milliseconds of every network in the fewest threads; and what that axis is called."""
    timed = of_run.json_of(run / "bench.json", Timed)
    timings = timed["timings"] if timed else ()
    fewest = min((row["threads"] for row in timings), default=1)
    rows = {row["network"]: row["median_ms"] for row in timings if row["threads"] == fewest}
    return rows, f"ms a picture, {fewest} thread{'' if fewest == 1 else 's'}"


def _mib_of(path: Path) -> float:
    return mebibytes(cost_of(path).params)


def _direction(side: Domain) -> str:
    return "A → B" if side == "A" else "B → A"
