"""Slim networks of several runs beside their originals, in one interleaved measurement."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

from torch import nn

from ganprune.bench import BenchSettings, Candidate, bench
from ganprune.bench.machine import MachineFacts
from ganprune.channels import graph_of
from ganprune.checkpoints import load_generator
from ganprune.comparing.contest import Contest
from ganprune.comparing.record import as_named
from ganprune.exporter import VERIFIED_PICTURES, Exporter
from ganprune.images import to_float
from ganprune.reporting import Reporter
from ganprune.runs import write_json
from ganprune.settings.words import Domain
from ganprune.stages import search_pictures
from ganprune.storage.files import sha256
from ganprune.storage.plain import known_json, read_json, shaped, sound

TIMING, EXPORTS = "timing.json", "exports.json"
ORIGINAL, BY_WIDTHS = "original", "by its widths: "


class Together(TypedDict):
    """What was measured of all networks in turns."""

    files: dict[str, str]  # what each network was
    timings: dict[str, dict[Domain, dict[str, float]]]
    """Row → side → ``median_ms``; ``speedup`` and ``speedup_margin`` where there is an original."""
    machine: MachineFacts
    threads: int


def time_together(
    found: Contest,
    slim: Mapping[str, Path | nn.Module],
    settings: BenchSettings,
    exporter: Exporter,
    reporter: Reporter,
) -> Together | None:
    """Export ``slim``, generators by names such as ``thinet.G_A``, and time all in turns.

    slim: files, or for those that are no longer there networks of the same widths. What is found is kept
    in timing.json, and is read from there while it knows all of ``slim``, files by their contents, in as
    many threads.
    """
    path, here = found.folder / TIMING, {name: _identity(network) for name, network in slim.items()}
    known = known_times(found.folder)
    if not here or (
        known
        and known["threads"] == settings.threads[0]
        and all(_same(known["files"].get(name), what) for name, what in here.items())
    ):
        return known
    networks = {f"{ORIGINAL}.G_{side}": G for side, G in found.originals.items()}
    for name, G in slim.items():
        networks[name] = load_generator(G, found.job.own) if isinstance(G, Path) else G
    files = _exported(found, networks, exporter, reporter)
    candidates = [Candidate(name, file, _original_of(name)) for name, file in files.items()]
    measured, timings = bench(candidates, settings, reporter), dict[str, dict[Domain, dict[str, float]]]()
    for timing in measured.timings:
        name, _, net = timing.network.rpartition(".")
        told, ratio = {"median_ms": timing.times.median}, timing.speedup
        if ratio is not None:
            told |= {"speedup": ratio.value, "speedup_margin": ratio.margin}
        timings.setdefault(name, {})["B" if net.endswith("B") else "A"] = told
    result: Together = {
        "files": here, "timings": timings, "machine": measured.machine.to_json(),
        "threads": settings.threads[0],
    }  # fmt: skip
    write_json(path, result, over="own")
    return result


def known_times(folder: Path) -> Together | None:
    """What `time_together` has found in a folder; None where it was not there."""
    path = folder / TIMING
    if not path.exists():
        return None
    with sound(path, "delete it to measure again"):
        found = shaped(read_json(path), Together)
        if not all(str(told).isprintable() for told in found["machine"].values()):
            raise ValueError("a name of its machine cannot be shown")
        for row, sides in found["timings"].items():
            found["timings"][row] = {side: as_named(part) for side, part in sides.items()}
        return found


def by_widths(timed: Together) -> list[str]:
    """Which of the methods that `time_together` has timed were not there any more."""
    gone = (name.rpartition(".")[0] for name, what in timed["files"].items() if what.startswith(BY_WIDTHS))
    return list(dict.fromkeys(gone))


def _identity(network: Path | nn.Module) -> str:
    if isinstance(network, Path):
        return sha256(network)
    return BY_WIDTHS + "-".join(str(width) for width in graph_of(network).sizes.values())


def _same(before: str | None, now: str) -> bool:
    """Whether a network was timed; one that is gone may have been there at the time."""
    gone = now.startswith(BY_WIDTHS)
    return before == now or (gone and before is not None and not before.startswith(BY_WIDTHS))


def _original_of(name: str) -> str | None:
    method, _, net = name.rpartition(".")
    return None if method == ORIGINAL else f"{ORIGINAL}.{net}"


def _exported(
    found: Contest, networks: Mapping[str, nn.Module], exporter: Exporter, reporter: Reporter
) -> dict[str, Path]:
    """Verified ONNX files: originals as PyTorch exports them, slim ones through the passes, as in a run.

    Those of networks that were exported before are left as they are.
    """
    folder, size = found.folder / "onnx", found.size
    pictures = search_pictures(found.job.folders, found.job.settings)
    files = {name: folder / f"{name}.onnx" for name in networks}
    known = known_json(folder / EXPORTS, dict[str, Any]) or {}  # a damaged one is forgotten
    with reporter.task("export", len(networks)) as task:
        for name, network in networks.items():
            rewritten = _original_of(name) is not None
            made = _content(network, exporter.recipe(size, rewritten=rewritten))
            if not files[name].is_file() or known.get(name) != [made, sha256(files[name])]:
                side: Domain = "B" if name.endswith("B") else "A"
                shown = to_float(pictures[side][:VERIFIED_PICTURES])
                exporter.export(network, files[name], size, shown, rewritten=rewritten)
                known[name] = [made, sha256(files[name])]
                write_json(folder / EXPORTS, known, over="own")
            task.advance()
    return files


def _content(network: nn.Module, recipe: str) -> str:
    """A hash of the weights and of how they are exported."""
    digest = hashlib.sha256(recipe.encode())
    for key, tensor in network.state_dict().items():
        digest.update(f"{key} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
