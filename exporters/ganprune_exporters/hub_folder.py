"""A folder of a run that is ready for Hugging Face: slim networks, pictures, and a model card about them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganprune.bench.report import Timed
from ganprune.checkpoints import load_generator
from ganprune.errors import GanpruneError, InputError, UsageError
from ganprune.figures.of_run import sides_of
from ganprune.images.sources import Domain
from ganprune.metrics.telling import Quality, decibels
from ganprune.models.cyclegan import Generator
from ganprune.onnx_files.cost import PictureInput, cost_of, picture_input, read_onnx
from ganprune.report.networks import domain_names
from ganprune.report.wording import searched
from ganprune.runs import Run, is_run
from ganprune.settings.words import OTHER
from ganprune.stages.benching import read_bench
from ganprune.stages.quality import read_quality
from ganprune.storage.files import write_atomically
from ganprune.storage.locking import writing_to
from ganprune.storage.tables import in_threads, number, table_of
from ganprune.system.hub import repository
from ganprune.system.installed import version_of
from ganprune.system.shell import command_line

CARD = "README.md"
PICTURES = "pictures.png"
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # Pillow's names of pictures of so many channels


def check_hub_source(source: Path | None, output: Path | None) -> None:
    """Raise `UsageError` for what such a folder cannot be made of: it tells of a run's own files."""
    if source is not None and not is_run(source):
        raise UsageError(f"--hf tells a run's figures and pictures, found {source}; compress it first")
    if output is not None:
        raise UsageError("--hf takes the run's own files; leave -o out")


def write_hub_folder(run: Run, folder: Path) -> list[Path]:
    """Write README.md, the slim generators as ONNX and safetensors, and the run's pictures into ``folder``.

    The card has the figures that the run's files hold, and lines that run the networks; a licence is for
    their owner to fill in. Files that ganprune did not make are not replaced. Returns what was written.
    Raises `InputError` where the run has no exported file.
    """
    sides = sides_of(run)
    exported = [path for side in sides for path in sorted(run.folder.glob(f"G_{side}*.onnx"))]
    lacking = [f"G_{side}.onnx" for side in sides if run / f"G_{side}.onnx" not in exported]
    if lacking:
        again = command_line("export", "--onnx", run.folder)
        raise InputError(f"{run.folder} needs {lacking[0]}; run `{again}` first")
    files = [*exported, *(run / f"G_{side}.safetensors" for side in sides), run / PICTURES]
    content = {path.name: path.read_bytes() for path in files if path.is_file()}
    content[CARD] = _card(run, sides, folder, list(content)).encode()
    with writing_to(folder, content):
        for name, data in content.items():
            write_atomically(folder / name, data)
    return [folder / name for name in content]


@dataclass(frozen=True, slots=True)
class _Told:
    """One slim generator, as the card tells of it."""

    name: str
    direction: str
    psnr: str
    untouched: str  # PSNR of the untouched input
    verdict: str  # of its pictures, and on which that was measured; empty: unknown


def _card(run: Run, sides: Sequence[Domain], folder: Path, files: Sequence[str]) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    names, quality = domain_names(run), read_quality(run)
    networks = [
        _Told(f"G_{side}", f"{names[side]} → {names[OTHER[side]]}", *_quality(quality, f"G_{side}"))
        for side in sides
    ]
    base = repository(Path(run.config["checkpoint"]))
    takes = picture_input(read_onnx(run / f"{networks[0].name}.onnx"), run / f"{networks[0].name}.onnx")
    size = int(run.config["settings"].get("size", 256))
    timed = read_bench(run)
    template = Environment(
        loader=PackageLoader("ganprune_exporters", "."), undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True,
    ).get_template("card.md")  # fmt: skip
    return template.render(
        title=folder.resolve().name, base=json.dumps(base) if base else "", tag=_tag(run, sides),
        searched=searched(run.config["settings"]), networks=networks, table=_table(run, networks, timed),
        machine=_machine(timed), pictures=PICTURES if PICTURES in files else "", files=files,
        lines=_lines(takes, size), first=networks[0].name, version=version_of("ganprune"),
    )  # fmt: skip


def _tag(run: Run, sides: Sequence[Domain]) -> str:
    """What kind of networks these are, as tags call it; empty: none that is known, as of a user's module."""
    try:
        network = load_generator(run / f"G_{sides[0]}.safetensors")
    except GanpruneError:
        return ""
    if isinstance(network, Generator):  # CUT has such, too, one alone
        return "cyclegan" if {"G_A", "G_B"} <= run.config["sha256"].keys() else "resnet"
    return {"ResNet": "resnet", "U-Net": "unet"}.get(getattr(network, "family", ""), "")


def _table(run: Run, networks: Sequence[_Told], timed: Timed | None) -> str:
    """Size, work, time and quality of each original and its slim network, as far as they are known."""
    rows = list[tuple[str, ...]]()
    for network in networks:
        if network.untouched:
            rows.append((f"untouched input, {network.direction}", *["–"] * 4, network.untouched))
        for label, stem, psnr in (
            (f"{network.direction}, original", f"original_{network.name}", ""),
            (f"{network.direction}, slim: {network.name}.onnx", network.name, network.psnr),
        ):
            path = run / f"{stem}.onnx"
            if not path.is_file():
                continue
            cost = cost_of(path)
            giga = None if cost.macs_true is None else cost.macs_true / 1e9
            size = path.stat().st_size / 2**20
            rows.append(
                (label, f"{cost.params:,}", number(size), number(giga), _times(timed, stem), psnr or "–")
            )
    headings = ("network", "parameters", "MiB", "GMACs", "ms a picture", "PSNR to the original, dB")
    columns = zip(headings, zip(*rows, strict=True), strict=True)
    return table_of("Before and after", list(columns)).markdown()


def _times(timed: Timed | None, name: str) -> str:
    """Median milliseconds in the fewest threads that were timed."""
    rows = [row for row in (timed["timings"] if timed else ()) if row["network"] == name]
    return f"{min(rows, key=lambda row: row['threads'])['median_ms']:.1f}" if rows else "–"


def _machine(timed: Timed | None) -> str:
    if timed is None or not timed["timings"]:
        return ""
    threads = min(row["threads"] for row in timed["timings"])
    return f"{timed['machine']['cpu']}, {in_threads(threads)}, onnxruntime {timed['machine']['onnxruntime']}"


def _quality(found: Quality | None, name: str) -> tuple[str, str, str]:
    """PSNR in dB, that of the untouched input, and the verdict with what it was measured on."""
    if found is None or name not in found["networks"]:
        return "", "", ""
    network = found["networks"][name]
    psnr = network["slim"]["psnr"]
    verdict = f"{network['verdict']}, measured on {network['number']} {found['pictures']} pictures"
    return "identical" if psnr is None else f"{psnr:.1f}", decibels(network["inputs"]), verdict


def _lines(takes: PictureInput, size: int) -> dict[str, Any]:
    """What the lines that run a network need to know of it; no mode: it takes no pictures of Pillow's."""
    channels = takes.dims[3 if takes.channels_last else 1] or 3
    height, width = (side or size for side in takes.dims[1 if takes.channels_last else 2 :][:2])
    return {
        "mode": _MODES.get(channels, ""), "channels": channels, "height": height, "width": width,
        "bytes": takes.dtype == "uint8",
    }  # fmt: skip
