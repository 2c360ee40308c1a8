"""Settings from their layers: a preset, then a --config file, then options."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from ganprune.errors import UsageError
from ganprune.settings import CompressSettings, read_config
from ganprune.settings.search import TARGETS


@dataclass(frozen=True, slots=True)
class Preset:
    """A name for some settings."""

    summary: str  # what it is for, one line
    settings: Mapping[str, object]
    """Flat settings, see `ganprune.settings`; what is not named keeps its default."""


NEAREST: Mapping[str, object] = MappingProxyType(
    {"loss": "gena", "lambda-cycle": 0.0, "crops": 2, "gena-mean": "geometric"}
)
"""Fitness by how near a network's pictures are to the original's, Eq. 4. Of refitted networks equally fast it
finds nearer ones than what the discriminator sees and the way back do, in less time
(docs/results/claims.md)."""
JUDGED: Mapping[str, object] = MappingProxyType({"loss": "disa", "lambda-cycle": 1.0})
"""Fitness as in Eq. 11, for refitted networks: their L_cyc is mostly the original's own, and at the paper's λ
of 10 its last digits outweigh all that the discriminator sees."""
_MINUTES: Mapping[str, object] = MappingProxyType(
    {"population": 12, "generations": 6, "pictures": 8, "align": 16}
)

PRESETS: Mapping[str, Preset] = MappingProxyType({
    "fast": Preset(
        "about four times as fast, at most a quarter of the arithmetic, a search of minutes (default)",
        {**_MINUTES, **NEAREST, "speed-up": 4.2},
    ),
    "co-evolution": Preset(
        "as fast, chosen by what the discriminators see and by the way back, as the paper does",
        {**_MINUTES, **JUDGED, "speed-up": 4.2},
    ),
    "paper": Preset(
        "Algorithm 1 with the paper's numbers; individuals are fine-tuned first, which takes GPUs and long",
        {"population": 32, "generations": 100, "pictures": 16, "gamma": 10.0, "lambda-cycle": 10.0}
        | {"weigh-size": "always"}
        | {"parents": 1.0, "p-select": 0.2, "p-crossover": 0.7, "cycle": "whole"}
        | {"mutation": "flip", "mutation-rate": 0.02, "tune-steps": 100, "recipe": "paper"}
        | {"refit": False, "refit-pictures": 0, "remove-blocks": False},
    ),
    "tiny": Preset(
        "about 13 times as fast, at most a fifteenth of the arithmetic, for phones",
        {**_MINUTES, **NEAREST, "speed-up": 14.5},
    ),
    "demo": Preset(
        "for the packaged example: small pictures, small networks, so one thread; 90 s of fine-tuning",
        {"population": 12, "generations": 10, "pictures": 6, "target-macs": [0.35, 0.35], "align": 8}
        | {"size": 96, "budget": "90s", "threads": 1, "precision": "float32", "recipe": "paper"}
        | {"remove-blocks": False},
    ),
    "smoke": Preset(
        "a search of seconds to see that everything works; its networks are no good",
        {"population": 4, "generations": 2, "pictures": 2, "target-macs": [0.25, 0.25], "align": 16}
        | {"budget": "0"},
    ),
})  # fmt: skip

DEFAULT_PRESET = "fast"


def preset(name: str) -> Preset:
    """The preset of a name. Raises `UsageError` for an unknown one."""
    if name not in PRESETS:
        raise UsageError(f"--preset {name} is not known; there are {', '.join(PRESETS)}")
    return PRESETS[name]


def compress_settings(
    preset_name: str | None, config: Path | None, given: Mapping[str, object]
) -> CompressSettings:
    """Merge the layers. ``given``: flat keys from the command line, None where unset.

    Of the settings, those of the file and of the command line count as asked for; a preset's do not, and
    its target goes where another one was asked for.

    A config file stands alone unless --preset is given too: it is not mixed with the default preset.
    Raises `UsageError` for an unknown preset, a bad file, unknown keys and values out of range.
    """
    flat: dict[str, object] = {}
    asked: dict[str, object] = {}
    if preset_name is not None or config is None:
        flat |= preset(preset_name or DEFAULT_PRESET).settings
    if config is not None:
        from_file = read_config(config)
        CompressSettings.from_flat(from_file, source=str(config))
        asked |= from_file
    asked |= {key.replace("_", "-"): value for key, value in given.items() if value is not None}
    if any(target in asked for target in TARGETS):
        flat = {key: value for key, value in flat.items() if key not in TARGETS}
    return CompressSettings.from_flat(flat | asked, given=asked)
