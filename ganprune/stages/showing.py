"""The stage that shows what the networks make of pictures, before and after."""

import time
from collections.abc import Mapping

from torch import nn

from ganprune.images.sources import Domain
from ganprune.report.showcase import SHOWN, save_comparison
from ganprune.stages.job import Job


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
