"""What ``export`` is given: a run, a checkpoint folder, or one file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ganprune.checkpoints import NetName, Own, load_generator, load_generators
from ganprune.checkpoints.layouts import locate
from ganprune.checkpoints.options import read_options
from ganprune.checkpoints.own import READERS_ALONE
from ganprune.errors import GanpruneError, UsageError
from ganprune.images import DataSource
from ganprune.images.sources import Domain
from ganprune.models.picture_statistics import told_of
from ganprune.models.traits import channels_by_domain
from ganprune.reporting import SILENT, Reporter
from ganprune.runs import Run, find_run, is_run
from ganprune.settings import CompressSettings
from ganprune.settings.words import DOMAINS
from ganprune.stages import search_pictures
from ganprune.stages.job import made_by
from ganprune.stages.originals import originals_of
from ganprune.stages.preparing import domains_of
from ganprune.storage.locking import writing_to
from ganprune.system.hub import local
from ganprune.system.shell import command_line
from ganprune_exporters.files import (
    check_calibrated,
    export_all,
    few_of,
    names_of,
    pictures_for,
    write_variants,
)
from ganprune_exporters.remembered import remembered
from ganprune_exporters.report import ExportedFile
from ganprune_exporters.runs import export_run, run_networks
from ganprune_exporters.settings import ExportSettings, Variants
from ganprune_exporters.variants import VariantReport


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    files: Sequence[ExportedFile] = ()
    variants: Sequence[VariantReport] = ()  # beside them


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What was asked for."""

    given: dict[str, Any] = field(default_factory=dict[str, Any])  # fields of `ExportSettings` that were set
    variants: Variants = field(default_factory=Variants)
    own: Own = READERS_ALONE

    def settings(self, size: int) -> ExportSettings:
        """With ``size`` where none was set."""
        values: dict[str, Any] = {"size": size} | self.given
        return ExportSettings(**values)

    def reporter(self, reporter: Reporter) -> Reporter:
        """For the reading of pictures: fewer of them than would be best for 8 bits are no news."""
        return SILENT if self.variants.int8 else reporter


def export_source(
    source: Path | None,
    output: Path | None,
    data: DataSource | None,
    wishes: ExportOptions,
    reporter: Reporter,
) -> tuple[Exported, str]:
    """Export what ``source`` is. Returns what was written, and the command to run next."""
    if output is not None and (output.suffix == ".onnx" or output.is_file()):
        raise UsageError(
            f"-o needs a folder, found {output}; files get names of their own: give `-o` a folder"
        )
    if source is None or is_run(source):
        return _export_run(find_run(source), output, data, wishes, reporter)
    networks = generators_of(source, wishes.own)
    settings = wishes.settings(ExportSettings().size)
    _tell_norm(networks, settings, reporter)
    folder = output or Path()
    taken = [name for name in networks if output is None and Path(f"{name}.onnx").exists()]
    if taken:
        raise UsageError(
            f"{taken[0]}.onnx is already in this folder; give `-o` another, or `-o .` to replace one that "
            "ganprune made"
        )
    pictures = None
    if data is None:
        check_calibrated(wishes.variants, None)
        reporter.warn("no --data was given: the files are verified on noise, not on pictures")
    else:
        few = {"size": settings.size, "pictures": pictures_for(wishes.variants)}
        wanted = CompressSettings.from_flat(few, given=())
        sides: list[Domain] = [side for side in DOMAINS if f"G_{side}" in networks] or ["A"]
        folders = domains_of(_options(source), data, domains=sides, channels=channels_by_domain(networks))
        pictures = search_pictures(folders, wanted, wishes.reporter(reporter))
    with writing_to(folder, names_of(networks, wishes.variants)):
        reports = export_all(folder, networks, few_of(pictures, networks), settings, reporter)
        files = [report.to_json() for report in reports]
        variants = write_variants(files, networks, pictures, settings, wishes.variants, reporter)
    written = [report.path for report in (*reports, *variants)]
    return Exported(files, variants), command_line("bench", "--cpu", *written)


def generators_of(source: Path, own: Own = READERS_ALONE) -> dict[str, nn.Module]:
    """G_A and G_B of a checkpoint folder or a bundle, or the one generator of a file, called G."""
    if not source.exists():
        raise UsageError(f"{source} does not exist; give a run, a CycleGAN folder or a generator's file")
    return load_generators(source, own)


def _export_run(
    run: Run, output: Path | None, data: DataSource | None, wishes: ExportOptions, reporter: Reporter
) -> tuple[Exported, str]:
    settings = made_by(run, wishes.own)
    export_settings, sides = wishes.settings(settings.pictures.size), settings.search.sides
    slim: dict[Domain, nn.Module] = {
        side: load_generator(run / f"G_{side}.safetensors", wishes.own) for side in sides
    }
    used: list[NetName] = ["G_A" if side == "A" else "G_B" for side in sides]
    whole = originals_of(run, settings, wishes.own, used).generators
    originals: dict[Domain, nn.Module] = {side: whole[side] for side in sides}
    slim_by_name = {f"G_{side}": network for side, network in slim.items()}
    pictures = _run_pictures(run.config, slim_by_name, data, settings, wishes, reporter)
    networks = run_networks(originals, slim)
    _tell_norm(slim_by_name, export_settings, reporter)
    if output is None or output.resolve() == run.folder.resolve():
        with run.locked():
            files = export_run(run, originals, slim, pictures, export_settings, reporter)
            written = write_variants(files, networks, pictures, export_settings, wishes.variants, reporter)
        return Exported(files, written), command_line("bench", "--cpu", run.folder)
    chosen = {name: remembered(run, name, network, export_settings) for name, network in networks.items()}
    shown = few_of(pictures, networks)
    with writing_to(output, names_of(networks, wishes.variants)):
        reports = export_all(output, networks, shown, export_settings, reporter, chosen)
        files = [report.to_json() for report in reports]
        written = write_variants(files, networks, pictures, export_settings, wishes.variants, reporter)
    return Exported(files, written), command_line("bench", "--cpu", output)


def _tell_norm(networks: Mapping[str, nn.Module], settings: ExportSettings, reporter: Reporter) -> None:
    if note := told_of(networks, settings.picture_statistics):
        reporter.info(note)


def _options(checkpoint: Path) -> dict[str, str]:
    """The options of the training that a checkpoint is of."""
    return read_options(checkpoint if checkpoint.is_dir() else checkpoint.parent)


def _run_pictures(
    config: Mapping[str, Any],
    networks: Mapping[str, nn.Module],
    data: DataSource | None,
    settings: CompressSettings,
    wishes: ExportOptions,
    reporter: Reporter,
) -> dict[Domain, Tensor] | None:
    """The search's pictures at the size of the export; None, with a warning, where they are gone."""
    flat = settings.to_flat() | {
        "size": wishes.settings(settings.pictures.size).size,
        "pictures": pictures_for(wishes.variants),
    }
    try:
        source = data or DataSource.of_config(config["data"])
        checkpoint, sides = local(Path(config["checkpoint"])), settings.search.sides
        alone = checkpoint.exists() and locate(checkpoint).alone  # it has the direction of its data
        options = {} if alone else _options(checkpoint)
        pairs, channels = settings.pictures.paired, channels_by_domain(networks)
        folders = domains_of(options, source, domains=sides, paired=pairs, channels=channels)
        return search_pictures(folders, CompressSettings.from_flat(flat, given=()), wishes.reporter(reporter))
    except GanpruneError as error:
        reporter.warn(f"the files are verified on noise, not on pictures: {error}")
        return None
