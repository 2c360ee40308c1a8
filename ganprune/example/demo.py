"""The packaged example through the whole job, and what became of the animals' coats."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import nn

from ganprune.bench import BenchSettings
from ganprune.checkpoints import load_generator
from ganprune.compression import compress
from ganprune.example import CHECKPOINT, PICTURES, coats_of
from ganprune.images.sources import DOMAINS, Domain
from ganprune.presets import compress_settings
from ganprune.reporting import Reporter
from ganprune.system.device import cpu_threads

BENCH = BenchSettings(seconds=8)


def run_demo(folder: Path, given: Mapping[str, object], command: str, reporter: Reporter) -> dict[str, Any]:
    """Compress the packaged CycleGAN into ``folder``, measure the coats."""
    settings = compress_settings("demo", None, given)
    found = compress(
        CHECKPOINT, PICTURES, output=folder, settings=settings, reporter=reporter, bench=BENCH,
        command=command,
    )  # fmt: skip
    kinds: dict[str, Mapping[Domain, nn.Module]] = {
        "original": found.originals,
        "slim": {side: load_generator(folder / f"pruned_G_{side}.safetensors") for side in DOMAINS},
        "slim, fine-tuned": found.slim,
    }
    with cpu_threads(found.resolved.threads):
        measured = coats_of(kinds)
    coats = {kind: {side: asdict(coat) for side, coat in pair.items()} for kind, pair in measured.items()}
    return found.to_json() | {"coats": coats, "pictures": str(folder / "pictures.png")}
