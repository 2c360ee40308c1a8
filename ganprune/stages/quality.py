"""Are the pictures still good? The slim generators beside their originals, on test pictures."""

import copy
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import nn

from ganprune.figures.of_run import QUALITY
from ganprune.images import load_pictures
from ganprune.metrics.controls import lost
from ganprune.metrics.extractor import features_of
from ganprune.metrics.telling import Distances, Quality, quality_advice, verdict
from ganprune.metrics.translations import MIRRORED, ComparedNetworks, Translated, translated
from ganprune.pruning.fitness import psnr
from ganprune.report.showcase import SHOWN, save_comparison
from ganprune.reporting import SILENT
from ganprune.runs import Run, write_json
from ganprune.settings.words import Domain
from ganprune.stages.job import Job
from ganprune.stages.sizing import feature_network
from ganprune.storage.plain import known_json
from ganprune.system.device import cpu_threads

MOST_PICTURES = 24  # of each domain; more tell hardly more of a mean distance, and originals take long
CONTROLS = ("inputs", MIRRORED)
"""What slim networks are seen beside: untranslated pictures, and the original between two mirrors."""


def measure_quality(job: Job, slim: Mapping[Domain, nn.Module]) -> Quality:
    """Write quality.json: distances of the slim generators to the originals, on test pictures.

    Validation pictures, those that the search was scored on, where there are no test pictures. ``networks``
    holds, for each of the slim generators and by the names slim, inputs and "original, mirrored": ``psnr`` in
    dB between pictures in a range of 2 (null: not a bit apart), ``L_GenA`` (Eq. 4) and, where there is a
    discriminator, ``L_DisA`` (Eq. 5), means over the pictures, and with ``max_lost`` `ganprune.metrics.lost`;
    beside them a ``verdict``, see `ganprune.metrics.telling.verdict`.
    """
    run, size, channels = job.run, job.settings.pictures.size, job.folders.channels
    inputs = [run / f"G_{side}.safetensors" for side in slim]
    known = read_quality(run)
    if known is not None and run.finished("quality", inputs):
        return known
    started = time.monotonic()
    seen = feature_network(job.settings, job.resolved.device, job.resolved.threads)
    tested = all(job.folders.pictures("test", side) for side in slim)
    found: Quality = {"schema": 1, "pictures": "test" if tested else "validation", "networks": {}}
    with cpu_threads(job.resolved.threads), job.reporter.task("looking at the pictures", len(slim)) as task:
        for side, network in slim.items():
            files = _evenly(job.folders.pictures("test", side), MOST_PICTURES)
            pictures = load_pictures(files, size, channels=channels[side]) if tested else job.pictures[side]
            three = (job.originals[side], network, job.discriminators.get(side))
            original, own, discriminator = copy.deepcopy(three)  # which move to the device
            nets = ComparedNetworks(original, own, None, None, discriminator)
            by = translated(pictures, nets, job.resolved.device, SILENT)
            rows = {name: _figures(by[name]) for name in ("slim", *CONTROLS)}
            if seen is not None:
                features = {name: features_of(seen, by[name].pictures) for name in ("original", *rows)}
                for name, row in rows.items():
                    row["lost"] = lost(features[name], features["original"], features["inputs"])
            found["networks"][f"G_{side}"] = {
                "number": len(pictures), "verdict": verdict(rows), "slim": rows["slim"],
                "inputs": rows["inputs"], "original, mirrored": rows[MIRRORED],
            }  # fmt: skip
            task.advance()
    found["advice"] = quality_advice(found)
    write_json(run / QUALITY, found)
    run.finish("quality", [run / QUALITY], time.monotonic() - started, inputs)
    return found


def read_quality(run: Run) -> Quality | None:
    """What `measure_quality` wrote; None where it has not, or the file is not as it writes it."""
    return known_json(run / QUALITY, Quality)


def _figures(of: Translated) -> Distances:
    found: Distances = {"psnr": psnr(of.L_GenA), "L_GenA": of.L_GenA}
    if of.L_DisA is not None:
        found["L_DisA"] = of.L_DisA
    return found


def _evenly(files: Sequence[Path], n: int) -> Sequence[Path]:
    return [files[i * len(files) // n] for i in range(n)] if len(files) > n else files


def show(job: Job, refitted: Mapping[Domain, nn.Module], slim: Mapping[Domain, nn.Module]) -> None:
    """Write pictures.png: validation pictures through the originals and the slim generators."""
    run, pictures = job.run, job.pictures
    inputs = [run / f"G_{side}.safetensors" for side in slim]
    if run.finished("show", inputs):
        return
    started = time.monotonic()
    whole: dict[Domain, nn.Module] = {side: job.originals[side] for side in slim}
    kinds: dict[str, Mapping[Domain, nn.Module]] = {"original": whole, "slim": refitted}
    if run.finished("fine-tune"):
        kinds |= {"slim, fine-tuned": slim}
    save_comparison(run / "pictures.png", pictures, kinds)
    rows = {side: min(len(pictures[side]), SHOWN) for side in slim}
    run.finish("show", [run / "pictures.png"], time.monotonic() - started, inputs, rows=rows)
