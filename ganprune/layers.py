"""Settings from their layers: preset, then --config file, then options."""

from collections.abc import Mapping
from pathlib import Path

from ganprune.presets import DEFAULT_PRESET, preset
from ganprune.settings import CompressSettings, read_config
from ganprune.settings.search import TARGETS


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
