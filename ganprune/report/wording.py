"""What a run did, in words: how filters were searched for, to what end; what individuals were chosen by."""

from collections.abc import Mapping, Sequence
from typing import Any

from ganprune.settings import PictureSettings
from ganprune.settings.words import Domain

_ASKED = {
    "speed-up": ("{:g}", "to run {} times as fast"),
    "target-macs": ("{:.0%}", "at most {} of the true MACs kept"),
    "target-params": ("{:.0%}", "at most {} of the parameters kept"),
    "target-ms": ("{:g}", "at most {} ms a picture"),
    "min-psnr": ("{:g}", "as fast as a PSNR of {} dB to the original's pictures allows"),
    "max-lost": ("{:g}", "as fast as a loss of {} of the translation allows"),
}
"""Targets: how a value is written, and what it asks for."""
_SEARCHERS = {"annealing": "simulated annealing", "swarm": "a particle swarm", "front": "NSGA-II"}


def what_was_done(config: Mapping[str, Any], sides: Sequence[Domain]) -> str:
    """In two sentences, from a run's config.toml. sides: that the run has."""
    settings = config["settings"]
    names = " and ".join(f"G_{side}" for side in sides)
    targets = list[str]()
    for key, (how, told) in _ASKED.items():
        if isinstance(value := settings.get(key), list | float | int):
            values = value if isinstance(value, list) else [value]
            targets.append(told.format(" and ".join(how.format(float(x)) for x in dict.fromkeys(values))))
    budget = str(settings.get("budget", "0")).replace("steps", " steps")
    own = settings.get("recipe") != "distil"
    recipe = "by CycleGAN's own recipe" if own else "taught by the originals"
    n, size = PictureSettings(
        size=settings["size"], pictures=settings["pictures"], crops=settings.get("crops", 1)
    ).squares
    tuning = "No fine-tuning." if budget == "0" else f"Fine-tuned for {budget}, {recipe}."
    return (
        f"{names} of {config['checkpoint']}, made slim by {searched(settings)}, "
        f"{' and '.join(targets) or 'γ alone deciding the size'}: "
        f"{settings['population']} individuals a generator, {settings['generations']} generations, "
        f"scored on up to {n} pictures a domain at {size}×{size} by {_scored_by(settings)}. {tuning}"
    )


def meets(settings: Mapping[str, Any]) -> bool:
    """`SearchSettings.meet`, of a run that may be older."""
    both = settings.get("direction", "both") == "both" and settings.get("partners") != "original"
    return both and bool(settings.get("lambda-cycle"))


def searched(settings: Mapping[str, Any]) -> str:
    """How filters were searched for. Two generators co-evolve where they meet."""
    known = _SEARCHERS.get(str(settings.get("searcher")))
    return known or ("co-evolution" if meets(settings) else "an evolutionary search")


def _scored_by(settings: Mapping[str, Any]) -> str:
    """What individuals were chosen by, besides their size."""
    seen = "L_GenA, their distance to the original's pictures"
    if settings.get("loss") != "gena":
        seen = "L_DisA, what the discriminator sees"
    return f"{seen}, and L_cyc, the way back" if settings.get("lambda-cycle") else seen
