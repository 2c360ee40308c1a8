"""What ``--tune`` chose for a run, kept in its folder, so that a repeated export gives the same files."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypedDict

from torch import nn

from ganprune.models.traits import norm_of, widths_of
from ganprune.runs import Run, write_json
from ganprune.storage.plain import fits, read_json
from ganprune_exporters.settings import ExportSettings

FILE = "rewrites.json"
_Chosen = TypedDict("_Chosen", {"for": dict[str, Any], "passes": list[str]})


def remembered(run: Run, name: str, generator: nn.Module, settings: ExportSettings) -> ExportSettings:
    """The settings with the passes that were chosen for this file before, if ``tune`` was ever asked for."""
    if not settings.tune:
        return settings
    known = _read(run).get(name)
    if known is None or known["for"] != _key(generator, settings):
        return settings
    return replace(settings, tune=False, passes=tuple(known["passes"]))


def remember(
    run: Run, networks: Mapping[str, nn.Module], settings: ExportSettings, passes: Mapping[str, Sequence[str]]
) -> None:
    """Keep what was chosen for each file."""
    chosen: dict[str, _Chosen] = {
        name: {"for": _key(networks[name], settings), "passes": list(specs)} for name, specs in passes.items()
    }
    write_json(run / FILE, {"schema": 1, "files": _read(run) | chosen}, over="own")


def _key(generator: nn.Module, settings: ExportSettings) -> dict[str, Any]:
    """What a choice depends on, beside the machine: not on weights."""
    asked = {k: v for k, v in settings.to_json().items() if k not in ("tolerance", "tune")}
    return json.loads(json.dumps(asked | {"widths": widths_of(generator), "norm": norm_of(generator)}))


def _read(run: Run) -> dict[str, _Chosen]:
    """What was kept; nothing where the file is missing or damaged: it is measured again then."""
    try:
        files = read_json(run / FILE)["files"]
        return {name: entry for name, entry in files.items() if fits(entry, _Chosen)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
