"""A checkpoint, data and settings, read and fitted together before anything is written."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ganprune.checkpoints import Own, Quartet, load_quartet
from ganprune.checkpoints.direction import facing
from ganprune.checkpoints.own import READERS_ALONE
from ganprune.errors import MissingNetwork, UsageError
from ganprune.images import DataSource, PictureFolders, Split, find_domains
from ganprune.models.traits import stride_of
from ganprune.pruning.latency import LatencyTable
from ganprune.reporting import SILENT, Reporter
from ganprune.runs import Noting, open_run
from ganprune.settings import CompressSettings
from ganprune.settings.words import DOMAINS, OTHER, Domain
from ganprune.stages import Job, Resolved, check_target, needed_domains, needed_networks, search_pictures
from ganprune.stages.adapting import Adapted, adapted, adapted_to_speed, too_small
from ganprune.stages.job import recovered
from ganprune.stages.sizing import feature_network
from ganprune.storage.files import sha256
from ganprune.system.device import keep_freed_memory
from ganprune.system.hub import place_of
from ganprune.system.shell import command_line
from ganprune.training import Networks, TrainSettings, load_vgg16


@dataclass(frozen=True, slots=True)
class Prepared:
    """A checkpoint and data that were read and fit together, and what to do with them."""

    quartet: Quartet
    folders: PictureFolders
    settings: CompressSettings
    resolved: Resolved
    config: Mapping[str, Any]  # what the run folder's config.toml records
    own: Own = READERS_ALONE  # the user's modules, where the networks are of such

    def completed(self) -> Quartet:
        """With untrained networks for those that are trained first, to estimate what work with them costs."""
        return _completed(self.quartet, self.settings)

    def at_speed(self, tables: Mapping[Domain, LatencyTable] | None, reporter: Reporter) -> "Prepared":
        """The same on a machine of this speed: what nobody asked for adapts, with one note.

        tables: None without --target-ms, which changes nothing. Raises `UsageError` for one out of reach.
        """
        if not tables:
            return self
        generators = self.completed().generators
        fitting = adapted_to_speed(self.settings, generators, tables)
        check_target(generators, fitting.settings, tables)
        if not fitting.before:
            return self
        reporter.info(fitting.note)
        before = {**fitting.before, **self.config.get("adapted", {})}
        config = {**self.config, "settings": fitting.settings.to_flat(), "adapted": before}
        return replace(self, settings=fitting.settings, config=config)

    @contextmanager
    def opened(
        self,
        folder: Path,
        command: str,
        reporter: Reporter = SILENT,
        tables: Mapping[Domain, LatencyTable] | None = None,
    ) -> Generator[Job]:
        """Begin the job in a run folder, or go on with it there; no other process gets in meanwhile.

        A run goes by the settings that were adapted, and by what ``auto`` came to, when it began. command:
        what began it, for provenance.json. Raises as `open_run`, and `DataError` for pictures.
        """
        run = open_run(folder, self.config, command, self.settings.given)
        with run.locked():
            noting = Noting(reporter, run)
            settings = CompressSettings.from_flat(run.config["settings"], given=self.settings.given)
            resolved = Resolved.of_run(run)
            keep_freed_memory()
            pictures = search_pictures(self.folders, settings, noting)
            yield Job(run, self.quartet, self.folders, pictures, settings, resolved, noting, tables, self.own)


def prepare(
    checkpoint: Path | Quartet, data: DataSource | None, settings: CompressSettings, reporter: Reporter, *,
    recovers: bool = True, own: Own = READERS_ALONE,
) -> Prepared:  # fmt: skip
    """Read the checkpoint, find the pictures, and adapt to them what nobody asked for, with one note.

    checkpoint: a path, or the networks themselves. own: the user's modules that the networks are of.
    recovers: the command has --recover-discriminators. Raises `UsageError` for paths that do not exist, a
    missing --data and a target out of reach, `CheckpointError` and its kind for networks that are missing or
    cannot be used, `DataError` for the folders.
    """
    if isinstance(checkpoint, Quartet):
        quartet, place = _by_picture(checkpoint, settings), Path(checkpoint.naming)
    else:
        quartet, place = quartet_for(settings, checkpoint, own), checkpoint
    for note in quartet.notes:
        reporter.info(note)
    source = data_source(quartet, data, place, reporter)
    if not (quartet.G_A or quartet.G_B):
        quartet.require(*needed_networks(settings))

    fitting = fitted(settings, quartet, source)
    if fitting.note:
        reporter.info(fitting.note)
    settings = fitting.settings
    if settings.search.lambda_identity > 0 and quartet.channels["A"] != quartet.channels["B"]:
        raise UsageError(
            f"--set lambda-identity needs as many channels in A as in B, found "
            f"{quartet.channels['A']} and {quartet.channels['B']}; leave it out"
        )
    if settings.pictures.size % (stride := stride_of(quartet.generators.values())):
        raise UsageError(
            f"--size must be a multiple of {stride}, by which these generators make maps smaller, found "
            f"{settings.pictures.size}"
        )
    check_networks(quartet, settings, place, source, recovers)
    if scratch := [name for name in recovered(settings, quartet) if name in ("G_A", "G_B")]:
        way, judge = ("AtoB", "D_A") if scratch == ["G_B"] else ("BtoA", "D_B")
        reporter.warn(
            f"{scratch[0]} would be trained from nothing: of {settings.recovery.recover_budget} a whole "
            f"generator learns little; --direction {way} needs only {judge}"
        )
    folders = domains_of(
        quartet.options, source, domains=needed_domains(settings), paired=settings.pictures.paired,
        channels=quartet.channels,
    )  # fmt: skip
    if folders.note:
        reporter.info(folders.note)
    if "size" in settings.given and (told := too_small(settings, quartet, folders)):
        reporter.info(told)
    resolved = Resolved.of(settings.compute)
    config = {
        "checkpoint": place.name if isinstance(checkpoint, Quartet) else place_of(place),
        "data": source.resolved().config(),
        "settings": settings.to_flat(),
        "resolved": asdict(resolved),
        "sha256": {name: sha256(path) for name, path in quartet.files.items()} or quartet.weights_sha256(),
    }
    if own.names:
        config["own"] = dict(own.names)
    if fitting.before:
        config["adapted"] = dict(fitting.before)
    prepared = Prepared(quartet, folders, settings, resolved, config, own)
    check_target(prepared.completed().generators, settings)
    if settings.tuning.vgg is not None:
        load_vgg16(Path(settings.tuning.vgg))  # says now what would fail after the search
    feature_network(settings)  # likewise
    return prepared


def fitted(settings: CompressSettings, quartet: Quartet, source: DataSource) -> Adapted:
    """The settings that fit networks and pictures, see `adapted`."""

    def find(domains: Sequence[Domain]) -> PictureFolders:
        told = settings.pictures.paired if "paired" in settings.given else quartet.in_pairs or None
        return domains_of(quartet.options, source, (), domains, paired=told, channels=quartet.channels)

    return adapted(settings, quartet, _completed(quartet, settings).generators, find)


def quartet_for(settings: CompressSettings, checkpoint: Path, own: Own = READERS_ALONE) -> Quartet:
    """The networks of a checkpoint as a run of these settings takes them. Raises as `load_quartet`."""
    return _by_picture(facing(load_quartet(checkpoint, own=own), settings.search.direction), settings)


def _by_picture(quartet: Quartet, settings: CompressSettings) -> Quartet:
    return quartet.by_picture() if settings.pictures.picture_statistics else quartet


def _completed(quartet: Quartet, settings: CompressSettings) -> Quartet:
    if not recovered(settings, quartet):
        return quartet
    return replace(quartet, **dict(Networks.completed(quartet, TrainSettings()).items()))


def data_source(
    quartet: Quartet, given: DataSource | None, checkpoint: Path, reporter: Reporter
) -> DataSource:
    """--data, or where the training's options say that the pictures are. Raises `UsageError` without both."""
    if given is not None:
        return given
    if "dataroot" not in quartet.options:
        raise UsageError(
            "pictures are needed: give --data DIR, a folder with trainA and trainB (for a lone generator, of "
            "any pictures that it translates), or --data-a DIR and --data-b DIR (no train_opt.txt with a "
            f"dataroot beside {checkpoint})"
        )
    data = Path(quartet.options["dataroot"])
    reporter.info(f"--data {data}, from the checkpoint's options")
    return DataSource(data)


def domains_of(
    options: Mapping[str, str],
    source: DataSource,
    needs: Sequence[Split] = ("train",),
    domains: Sequence[Domain] = DOMAINS,
    bare: Split = "train",
    paired: bool | None = None,
    *,
    channels: Mapping[Domain, int],
) -> PictureFolders:
    """The pictures of a checkpoint's domains: its A are the pictures of B where it was trained BtoA.

    channels: that its networks see of each domain.

    options: the training's, see `read_options`. Two folders are of the checkpoint's own domains. Others: as
    of `find_domains`, which also says what is raised.
    """
    if options.get("direction") != "BtoA" or source.root is None:
        return replace(find_domains(source, needs, domains, bare, paired), channels=channels)
    swapped: list[Domain] = [OTHER[domain] for domain in domains]
    return replace(find_domains(source, needs, swapped, bare, paired).swapped(), channels=channels)


def check_networks(
    quartet: Quartet, settings: CompressSettings, checkpoint: Path, data: DataSource, recovers: bool
) -> None:
    """Raises `MissingNetwork`, with what can be done about it, unless all that is needed is there."""
    needed = needed_networks(settings)
    absent = [name for name in needed if name in quartet.missing()]
    if not (quartet.G_A or quartet.G_B):
        quartet.require(*needed)
    if not absent or settings.recovery.recover_discriminators:
        return
    words = ["--discriminators-for", checkpoint, *data.words()]
    if settings.search.direction != "both":
        words += ["--set", f"direction={settings.search.direction}"]
    found = ", ".join(f"{name} ({path.name})" for name, path in quartet.files.items())
    either = "add --recover-discriminators, which trains them first, or train them by themselves"
    raise MissingNetwork(
        f"needed {' and '.join(absent)}; found {found} in {checkpoint}; "
        f"{either if recovers else 'train them'}: {command_line('train', *words)}"
    )
