"""Slim networks of several runs beside their originals, in one interleaved measurement."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor

from ganprune.bench import BenchSettings, Candidate, bench
from ganprune.checkpoints import load_generator
from ganprune.errors import RunError
from ganprune.evaluation import Side
from ganprune.files import sha256
from ganprune.networks import Generator
from ganprune.reporting import Reporter
from ganprune.runs import write_json
from ganprune_cli.onnx_files import few_of
from ganprune_exporters import ExportSettings, export_onnx

TIMING = "timing.json"
ORIGINAL = "original"


def time_together(
    folder: Path,
    originals: Mapping[Side, Generator],
    slim: Mapping[str, Path],
    pictures: Mapping[Side, Tensor],
    size: int,
    settings: BenchSettings,
    reporter: Reporter,
) -> dict[str, Any]:
    """Export ``slim``, files of generators by names such as ``thinet.G_A``, and time all in turns.

    pictures: uint8 of both domains, to verify the ONNX files on. What is found is kept in timing.json, and is
    read from there while it knows all of ``slim`` by their contents; networks that are no longer there then
    keep their times. Returns ``timings``: name before the dot → side → milliseconds and speed-up.
    """
    path, here = folder / TIMING, {name: sha256(file) for name, file in slim.items()}
    known = _known(path)
    if not here or known.get("files", {}).items() >= here.items():
        return known
    networks = {f"{ORIGINAL}.G_{side}": G for side, G in originals.items()}
    networks |= {name: load_generator(file) for name, file in slim.items()}
    files = _exported(folder / "onnx", networks, pictures, size, reporter)
    candidates = [Candidate(name, file, _original_of(name)) for name, file in files.items()]
    measured, timings = bench(candidates, settings, reporter), dict[str, dict[str, dict[str, float]]]()
    for timing in measured.timings:
        name, _, net = timing.network.rpartition(".")
        found, ratio = {"ms": timing.times.median}, timing.speedup
        if ratio is not None:
            found |= {"speedup": ratio.value, "speedup_margin": ratio.margin}
        timings.setdefault(name, {})[net[-1]] = found
    result: dict[str, Any] = {
        "files": here, "timings": timings, "machine": asdict(measured.machine),
        "threads": settings.threads[0],
    }  # fmt: skip
    write_json(path, result)
    return result


def _known(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {"files": dict(found["files"]), "timings": dict(found["timings"])} | found
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is damaged ({error!r}); delete it to measure again") from None


def _original_of(name: str) -> str | None:
    method, _, net = name.rpartition(".")
    return None if method == ORIGINAL else f"{ORIGINAL}.{net}"


def _exported(
    folder: Path,
    networks: Mapping[str, Generator],
    pictures: Mapping[Side, Tensor],
    size: int,
    reporter: Reporter,
) -> dict[str, Path]:
    """Verified ONNX files: originals as PyTorch exports them, slim ones through the passes, as in a run."""
    files = {name: folder / f"{name}.onnx" for name in networks}
    shown = few_of(pictures, ("G_A", "G_B"))
    with reporter.task("export", len(networks)) as task:
        for name, network in networks.items():
            how = ExportSettings(size)
            if _original_of(name) is None:
                how = ExportSettings(size, passes=())
            export_onnx(network, files[name], how, pictures=shown[name.rpartition(".")[2]])
            task.advance()
    return files
