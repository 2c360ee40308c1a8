"""What ``translate`` does with its options."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from ganprune import translation
from ganprune.checkpoints import Own
from ganprune.errors import UsageError
from ganprune.onnx_files.cost import DEFAULT_SIZE
from ganprune.reporting import Reporter, duration
from ganprune.runs import Run, find_run, is_run
from ganprune.settings.translate import TranslateOptions
from ganprune.stages.job import made_by
from ganprune.stages.quality import read_quality
from ganprune.system.device import cpu_threads, resolve_device, resolve_precision, resolve_threads
from ganprune.system.shell import command_line
from ganprune_cli.asking import features_words


def _settings(wishes: TranslateOptions) -> translation.TranslateSettings:
    """What does not depend on the source."""
    return translation.TranslateSettings(
        save=tuple(cast(translation.Kind, kind.strip()) for kind in wishes.save.split(",")),
        upright=not wishes.as_stored,
        keep_alpha=wishes.keep_alpha,
        tile=wishes.tile,
        existing="overwrite" if wishes.overwrite else "resume" if wishes.resume else "refuse",
    )


def translate_source(
    source: Path, pictures: Path, output: Path, wishes: TranslateOptions, reporter: Reporter
) -> tuple[dict[str, Any], str]:
    """Translate pictures by what ``source`` is. Returns what was done, and the command to run next."""
    settings = _settings(wishes)
    if not source.exists():
        raise UsageError(
            f"{source} does not exist; give a run, a CycleGAN folder, one of its files, or an ONNX file"
        )
    run = find_run(source) if is_run(source) else None
    path, size, paired = (source, DEFAULT_SIZE, False) if run is None else _finished(run, wishes.own)
    device, precision = wishes.device, wishes.precision
    if path.suffix == ".onnx":  # for which there is one device and one precision
        device = "cpu" if device == "auto" else device
        precision = "float32" if precision == "auto" else precision
    device = resolve_device(device)
    threads = resolve_threads(wishes.threads)
    opened = translation.open_source(
        path, wishes.direction, both="rec" in settings.save,
        device=device, precision=resolve_precision(precision, device), threads=threads,
        picture_statistics=wishes.picture_statistics, own=wishes.own,
    )  # fmt: skip
    opened = replace(opened, in_pairs=opened.in_pairs or paired)
    for note in opened.notes:
        reporter.info(note)
    video = translation.is_video(pictures)
    free = video and wishes.size is None and not (opened.takes and any(opened.takes.dims[2:]))
    mode = wishes.preprocess if wishes.preprocess != "auto" else "none" if free else "resize"
    prepare = translation.preparation_for(mode, wishes.size, opened.takes, size, wishes.tile, opened.stride)
    if wishes.tile is not None:
        reporter.info(
            f"in tiles of {wishes.tile}×{wishes.tile} pixels that overlap by a quarter: instance norm takes "
            "its statistics from each tile, so tones may differ between tiles, and from those of the whole"
        )
    batch = wishes.batch or (16 if device.startswith("cuda") else 1)
    with cpu_threads(threads):
        done = (translation.translate_video if video else translation.translate_pictures)(
            opened, pictures, output, replace(settings, prepare=prepare, batch=batch), reporter
        )
    found = {
        "source": str(source if run is None else run.folder), "network": str(opened.network),
        "direction": opened.direction, "folder": str(output), "pictures": done.pictures,
        "translated": done.translated, "files": done.files, "skipped": done.skipped,
        "unreadable": [str(path) for path in done.unreadable], "seconds": round(done.seconds, 3),
        "pictures_per_second": round(done.pictures_per_second, 3),
    }  # fmt: skip
    if run is None and path.suffix != ".onnx":
        return found, command_line("compress", source, *wishes.own.words(), "--data", "DIR")
    following = ("bench", "--cpu", source)
    if run is not None:  # evaluate needs test pictures, of what the network draws, too
        quality = read_quality(run)
        tested = quality is not None and quality["pictures"] == "test"
        following = ("report", run.folder, "--serve")
        if tested:
            following = ("evaluate", run.folder, *wishes.own.words(), *features_words())
    return found, command_line(*following)


def _finished(run: Run, own: Own) -> tuple[Path, int, bool]:
    """A slim generator of a finished run, the size of its pictures, and if they are pairs; see `made_by`."""
    settings = made_by(run, own)
    return run / f"G_{settings.search.sides[0]}.safetensors", settings.pictures.size, settings.pictures.paired


def summary(found: Mapping[str, Any], pictures: Path) -> str:
    """One line on what `translate_source` did to pictures, or to the frames of a video."""
    kind = "frames" if translation.is_video(pictures) else "pictures"
    many = f"{found['files']} file{'s' if found['files'] != 1 else ''}"
    parts = [f"{many} for {found['translated']} {kind} in {found['folder']}"]
    parts.append(f"{found['direction']} by {found['network']}")
    if found["skipped"]:
        parts.append(f"{found['skipped']} were there already")
    if found["unreadable"]:
        parts.append(f"{len(found['unreadable'])} could not be read")
    if found["translated"]:
        parts.append(f"{duration(found['seconds'])}, {found['pictures_per_second']:.3g} {kind} a second")
    return "; ".join(parts)
