"""Slim networks of several runs beside their originals, in one interleaved measurement."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ganprune.bench import BenchSettings, Candidate, bench
from ganprune.channels import graph_of
from ganprune.checkpoints import Own, load_generator
from ganprune.checkpoints.own import READERS_ALONE
from ganprune.exporter import VERIFIED_PICTURES, Exporter
from ganprune.images import to_float
from ganprune.reporting import Reporter
from ganprune.runs import write_json
from ganprune.settings.words import Domain
from ganprune.storage.files import sha256
from ganprune.storage.plain import NUMBER, Shape, known_json, read_json, shaped, sound

TIMING, EXPORTS = "timing.json", "exports.json"
ORIGINAL, BY_WIDTHS = "original", "by its widths: "
_KNOWN: Shape = {
    "files": {str: str}, "timings": {str: {str: {str: NUMBER}}}, "threads": int,
    "machine": {"cpu": str, "cores": int, "system": str, "onnxruntime": str, "ganprune": str},
}  # fmt: skip


def time_together(
    folder: Path,
    originals: Mapping[Domain, nn.Module],
    slim: Mapping[str, Path | nn.Module],
    pictures: Mapping[Domain, Tensor],
    size: int,
    settings: BenchSettings,
    exporter: Exporter,
    reporter: Reporter,
    own: Own = READERS_ALONE,
) -> dict[str, Any]:
    """Export ``slim``, generators by names such as ``thinet.G_A``, and time all in turns.

    own: the user's modules that files are of. slim: files, or for those that are no longer there networks of
    the same widths. pictures: uint8 of both domains, to verify the ONNX files on. What is found is kept
    in timing.json, and is read from there while it knows all of ``slim``, files by their contents, in as
    many threads. Returns ``timings``: name before the dot → side → milliseconds and speed-up; and
    ``files``: what each network was.
    """
    path, here = folder / TIMING, {name: _identity(network) for name, network in slim.items()}
    known = known_times(folder)
    if not here or (
        known.get("threads") == settings.threads[0]
        and all(_same(known["files"].get(name), what) for name, what in here.items())
    ):
        return known
    networks = {f"{ORIGINAL}.G_{side}": G for side, G in originals.items()}
    networks |= {name: load_generator(G, own) if isinstance(G, Path) else G for name, G in slim.items()}
    files = _exported(folder / "onnx", networks, pictures, size, exporter, reporter)
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
    write_json(path, result, over="own")
    return result


def known_times(folder: Path) -> dict[str, Any]:
    """What `time_together` has found in a folder; empty where it was not there."""
    path = folder / TIMING
    if not path.exists():
        return {}
    with sound(path, "delete it to measure again"):
        found = shaped(read_json(path), _KNOWN)
        if not all(str(told).isprintable() for told in found["machine"].values()):
            raise ValueError("a name of its machine cannot be shown")
        return found


def by_widths(timed: Mapping[str, Any]) -> list[str]:
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
    folder: Path,
    networks: Mapping[str, nn.Module],
    pictures: Mapping[Domain, Tensor],
    size: int,
    exporter: Exporter,
    reporter: Reporter,
) -> dict[str, Path]:
    """Verified ONNX files: originals as PyTorch exports them, slim ones through the passes, as in a run.

    Those of networks that were exported before are left as they are.
    """
    files = {name: folder / f"{name}.onnx" for name in networks}
    known: dict[str, Any] = known_json(folder / EXPORTS, dict) or {}  # a damaged one is forgotten
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
