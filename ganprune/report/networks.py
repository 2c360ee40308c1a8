"""What the page that translates needs to know of a run: its networks in plain words, and its domains."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ganprune.errors import InputError, UsageError
from ganprune.images import DataSource
from ganprune.images.sources import Domain
from ganprune.onnx_files.cost import picture_input, read_onnx
from ganprune.runs import Run
from ganprune.system.shell import command_line

_FORMS = {"rewritten": "rewritten for speed", "fp16": "float16 weights"}
"""What follows a network's name in the name of its file, where it needs another word."""


def plain_name(stem: str) -> str:
    """``original_G_A.rewritten`` → "original, rewritten for speed"; a name of another kind stays as it is."""
    base, *forms = stem.split(".")
    if base.removeprefix("original_") not in ("G", "G_A", "G_B"):
        return stem
    if base.startswith("original_"):
        return ", ".join(["original", *(_FORMS.get(form, form) for form in forms)])
    return ", ".join(["slim", *(_FORMS.get(form, form) for form in forms or ["float32"])])


def domain_names(run: Run) -> dict[Domain, str]:
    """The domains as the checkpoint or its folder is called, "horse" and "zebra" of ``horse2zebra``, or as
    the run's data are; else A and B."""
    try:
        config = run.config
        checkpoint = Path(str(config.get("checkpoint", "")))
        for name in (checkpoint.name, checkpoint.parent.name):
            if found := re.fullmatch(r"([a-z]{2,})2([a-z]{2,})(_pretrained)?", name, re.ASCII):
                return {"A": found[1], "B": found[2]}
        return DataSource.of_config(config["data"]).domain_names
    except InputError:
        return {"A": "A", "B": "B"}


def networks_of(run: Run, samples: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """Every network of a run that a browser can use: slim ones first, in their plain form.

    Files that take no pictures are left out, and those that take others than grey or RGB, which no browser
    has. Raises `UsageError` where none is left. samples: addresses of pictures, see `ganprune.report.server`.
    """
    found, odd = list[dict[str, Any]](), set[int]()
    paths = sorted(
        (p.stem.startswith("original"), "." in p.stem, p.stem, p) for p in run.folder.glob("*.onnx")
    )
    for *_, path in paths:
        try:
            takes = picture_input(read_onnx(path), path)
        except InputError:
            continue
        last = takes.channels_last
        channels = takes.dims[3 if last else 1] or 3
        if channels not in (1, 3):
            odd.add(channels)
            continue
        network = path.stem.removeprefix("original_").partition(".")[0]
        sample = f"/sample-{network}.png"
        found.append({
            "name": path.stem, "label": plain_name(path.stem), "url": f"/models/{quote(path.name)}",
            "side": "B" if network == "G_B" else "A", "original": path.stem.startswith("original_"),
            "bytes": path.stat().st_size, "dtype": takes.dtype, "channels_last": last, "channels": channels,
            "height": takes.dims[1 if last else 2], "width": takes.dims[2 if last else 3],
            "sample": sample if sample in samples else None,
        })  # fmt: skip
    if odd and not found:
        raise UsageError(
            f"a browser has grey and RGB pictures, the networks of {run.folder} take "
            f"{' and '.join(map(str, sorted(odd)))} channels; translate .npy files with `ganprune translate`"
        )
    if not found:
        export = command_line("export", "--onnx", run.folder)
        raise UsageError(f"{run.folder} holds no ONNX file; make some with `{export}`")
    return found
