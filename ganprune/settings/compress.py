"""All settings of ``ganprune compress``, and their flat form: one key a setting, spelled as the CLI does.

Command line, ``--config`` files, presets and a run's ``config.toml`` all speak the flat form
(``population = 16``, ``target-macs = 0.25``). Later layers override earlier ones key by key.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from ganprune.errors import UsageError
from ganprune.settings import words
from ganprune.settings.budget import Budget
from ganprune.settings.fields import Setting, check_fields, flat, like, nearest, setting, settings_of, spelled
from ganprune.settings.search import TRAINING, WHAT, WHERE, SearchSettings
from ganprune.settings.training import DistilSettings, TrainSettings

LEAST = 64
"""Pixels; of smaller squares a network's maps are mostly border."""


@dataclass(frozen=True, slots=True)
class PictureSettings:
    """Which pictures the search looks at, and how."""

    size: int = setting(256, within=words.SIZES, panel=WHAT)
    """Height and width of pictures, pixels."""
    pictures: int = setting(8, least=1)
    """Validation pictures of each domain that every individual is scored on."""
    gram_pictures: int = setting(24, least=0)
    """Training pictures of each domain that filters are weighed and individuals refitted by: others than they
    are scored on, so that scores tell nothing learnt by heart; 0: those that they are scored on."""
    crops: int = setting(1, least=1, most=8)
    """Individuals are scored on squares of 1/crops of the pictures' height and width, cut at random places
    out of crops² as many pictures: as much work, and less is left to chance. 1: on whole pictures, as where
    squares would be smaller than 64 pixels or than networks take."""
    gena_mean: words.Mean = "arithmetic"
    """How L_GenA is averaged over pictures; geometric: a few hard ones do not outweigh the others."""
    picture_statistics: bool = False
    """Batch norm by each picture's own statistics, as CycleGAN's test.py without --eval, from the search to
    the export; see `ganprune.models.picture_statistics`."""
    paired: bool = False
    """Pictures of A and B belong together, as pix2pix's: the same name, or both in one file, side by side."""
    lost_by: str | None = None
    """A file of the network of features that ``max_lost`` is measured by; none: that of GANPRUNE_FEATURES."""
    reduction: words.Reduction = "mean"
    """What ‖v‖² means in Eq. 4-6: the mean over a picture's elements, or their sum."""
    tune_steps: int = setting(0, least=0)
    """Steps that every individual is fine-tuned for before its score, on a tenth of the training pictures."""

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def squares(self) -> tuple[int, int]:
        """How many pictures of a domain individuals are scored on, and their height and width, pixels."""
        side, rest = divmod(self.size, self.crops)
        return (self.pictures, self.size) if rest or side < LEAST else (self.pictures * self.crops**2, side)


@dataclass(frozen=True, slots=True)
class ComputeSettings:
    """What to compute on. Once a run has begun, what ``auto`` came to is written down and kept."""

    device: str = setting("auto", panel=WHERE, metavar="DEV")
    """cpu, cuda, cuda:N, or auto: cuda where there is one."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the networks while they are scored; auto: bfloat16 where the hardware computes it natively."""
    threads: int | None = setting(None, least=1, most=words.MOST_THREADS, panel=WHERE)
    """CPU threads, of each worker too; none: all cores, and one thread a worker."""
    batch: int | None = setting(None, least=1)
    """Pictures a forward pass; none: 1 on a CPU, 16 on CUDA."""
    workers: int | None = setting(None, least=1, most=words.MOST_ACTORS, panel=WHERE)
    """Score in N processes; any N gives the same result."""
    ray: str | None = setting(None, metavar="auto|HOST:PORT")
    """Score on all CPUs of a running Ray cluster, with cuda on its GPUs, on --workers N at most: auto, or the
    address of its head node. The result is the same, so this may change while a run goes on."""
    processes: int = setting(1, least=1, most=words.MOST_PROCESSES)
    """Processes that fine-tune together, each on its share of tune-batch, and on CUDA on a GPU of its
    own. Any number of them comes to the same result up to rounding, so it may change while a run goes on."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.ray is not None:
            from ganprune.scoring import checked_address

            checked_address(self.ray)
        elif self.workers is not None and self.workers > words.MOST_WORKERS:
            raise UsageError(
                f"--workers must be 1 to {words.MOST_WORKERS}, found {self.workers}; more need --set ray=auto"
            )


@dataclass(frozen=True, slots=True)
class RecoverySettings:
    """What to do about networks that the checkpoint lacks."""

    recover_discriminators: bool = False
    """First train the networks that the checkpoint lacks."""
    recover_budget: str = "5m"
    """Time for recover-discriminators, spelled as budget; a generator that is trained from nothing
    needs many hours."""

    def __post_init__(self) -> None:
        if not Budget.parse(self.recover_budget).amount:
            raise UsageError(f"--set recover-budget must be more than 0, found {self.recover_budget}")


@dataclass(frozen=True, slots=True)
class FineTuneSettings:
    """How the slim generators are trained after the search."""

    refit_pictures: int = setting(48, least=0)
    """Training pictures that the slim generators are refitted to the originals on, by least squares, before
    they are trained; 0: they are trained as they were cut. See `ganprune.refit`."""
    budget: str = setting("20m", panel=TRAINING, metavar="TIME")
    """For fine-tuning: 90s, 20m, 1h30m, 5epochs or 500steps; 0: none."""
    races: int = setting(0, least=0)
    """How many individuals of the search, the fittest of unlike widths, are trained for a few hundred steps,
    the better half of them for as many more, and so on, until one is left, which is trained to its end; 0:
    none but the fittest. See `ganprune.stages.racing`."""
    recipe: Literal["distil", "paper"] = "distil"
    """distil: learn to draw what the originals draw; paper: CycleGAN's own recipe, as the paper does."""
    distil_pixels: float = like(DistilSettings, "pixels")
    """Weight of the difference to the originals' pictures."""
    distil_maps: float = like(DistilSettings, "maps")
    """Weight of the difference to the maps of the originals' trunk; 0: not computed."""
    distil_features: float = like(DistilSettings, "features")
    """Weight of the difference in the original discriminators' first layers; 0: not computed."""
    vgg: str | None = setting(None, metavar="FILE")
    """A file of torchvision's VGG16, whose maps are compared too; none: without."""
    distil_vgg: float = like(DistilSettings, "vgg")
    """Weight of the difference in VGG16's maps, with vgg."""
    distil_gan: float = like(DistilSettings, "gan")
    """Weight of discriminators that learn along, beside the originals; 0: none."""
    distil_repeats: int = like(DistilSettings, "repeats")
    """How often each picture is shown, which the original has to translate once; 1: as many as there are."""
    distil_adapters: bool = False
    """Compare maps through 1×1 convolutions with all channels of the original, not with the kept ones."""
    tune_lr: float | None = setting(None, above=0)
    """Learning rate of Adam; none: CycleGAN's 2e-4, which builds on a refit; 5e-4 to distil without one."""
    tune_batch: int = like(TrainSettings, "batch")
    """Pictures of each domain a step, over all processes together."""
    average: float = like(TrainSettings, "average", 0.998)
    """Decay of the generators' running averages, a step; 0: none. The better of the two is exported."""
    validations: int = like(TrainSettings, "validations", 10)
    """How often, on the search's pictures, the generators are scored; the best are exported. 0: never."""
    patience: int | None = like(TrainSettings, "patience")
    """Stop after this many validations in a row without a better one; none: make all steps."""

    def __post_init__(self) -> None:
        check_fields(self)
        trained = Budget.parse(self.budget).amount > 0
        if self.races == 1:
            raise UsageError("--set races must be 0, or 2 or more, found 1")
        if self.races and not trained:
            raise UsageError(f"--set races={self.races} needs training, found --budget {self.budget}")
        if self.patience is not None and not self.validations:
            raise UsageError(f"--set patience={self.patience} needs validations, found none")
        _ = self.distil  # checks that something is compared

    @property
    def distil(self) -> DistilSettings | None:
        """How the originals teach; None: they do not."""
        if self.recipe == "paper":
            return None
        return DistilSettings(
            pixels=self.distil_pixels, maps=self.distil_maps, features=self.distil_features,
            vgg=self.distil_vgg, gan=self.distil_gan, repeats=self.distil_repeats,
            adapters=self.distil_adapters,
        )  # fmt: skip

    def training(self, base: TrainSettings, sides: Sequence[words.Domain]) -> TrainSettings:
        """What to train the slim generators of ``sides`` by.

        ``base`` has the pictures' size, the seed, device and precision.
        """
        kinds = "GD" if self.recipe == "paper" or self.distil_gan else "G"
        learn = {f"{kind}_{side}" for kind in kinds for side in sides}
        common = replace(
            base,
            trained=tuple(name for name in words.NET_NAMES if name in learn),
            average=self.average,
            validations=self.validations,
            patience=self.patience,
            batch=self.tune_batch,
            lr=self.tune_lr or (5e-4 if self.recipe == "distil" and not self.refit_pictures else base.lr),
        )
        if self.distil is None:
            return common
        # Mirrored pictures need translations of their own, which cost as much again and bring nothing.
        return replace(common, distil=self.distil, beta1=0.9, flip=False)


@dataclass(frozen=True, slots=True)
class CompressSettings:
    """Everything that decides what ``compress`` makes of a checkpoint and a data folder."""

    search: SearchSettings = field(default_factory=SearchSettings)
    pictures: PictureSettings = field(default_factory=PictureSettings)
    recovery: RecoverySettings = field(default_factory=RecoverySettings)
    tuning: FineTuneSettings = field(default_factory=FineTuneSettings)
    compute: ComputeSettings = field(default_factory=ComputeSettings)
    given: frozenset[str] = field(default_factory=lambda: frozenset(KEYS), compare=False)
    """Flat keys of what somebody asked for: that is binding. The others adapt, see
    `ganprune.stages.adapting`."""

    def __post_init__(self) -> None:
        if "tune-batch" in self.given and self.compute.processes > 1:
            from ganprune.training.process_group import ProcessGroup

            ProcessGroup(size=self.compute.processes).check(self.tuning.tune_batch, "--set tune-batch")

    @classmethod
    def from_flat(
        cls,
        values: Mapping[str, object],
        source: str = "the settings",
        given: Collection[str] | None = None,
    ) -> "CompressSettings":
        """Build and check. Raises `UsageError` for unknown keys and values out of range.

        given: keys of what was asked for; None: of all.
        """
        sections: dict[str, dict[str, object]] = {section: {} for section in _SECTIONS}
        for key, value in values.items():
            if key not in KEYS:
                raise UsageError(f"{source}: unknown setting {key!r}; {nearest(key, KEYS)}")
            section, one = KEYS[key]
            sections[section][one.name] = one.read(value)
        built: dict[str, Any] = {name: _SECTIONS[name](**values) for name, values in sections.items()}
        return cls(**built, given=frozenset(KEYS if given is None else given))

    @property
    def pix2pix(self) -> bool:
        """Whether networks are trained by pix2pix's recipe: one generator alone, and pairs of pictures."""
        return self.pictures.paired and self.search.direction != "both" and not self.search.lambda_cycle

    def changed(self, values: Mapping[str, object]) -> "CompressSettings":
        """The same with other values, which nobody asked for."""
        return CompressSettings.from_flat(self.to_flat() | dict(values), given=self.given)

    def to_flat(self) -> dict[str, object]:
        """The reverse of `from_flat`, in values that TOML and JSON hold; None is spelled "none"."""
        return {key: flat(getattr(getattr(self, section), one.name)) for key, (section, one) in KEYS.items()}


def read_config(path: Path) -> dict[str, object]:
    """The flat settings of a ``--config`` file, or of the ``[settings]`` table of a run's config.toml.

    Raises `UsageError` for a missing or malformed file.
    """
    from ganprune.storage.plain import read_toml

    if not path.is_file():
        what = "is no file" if path.exists() else "does not exist"
        raise UsageError(f"--config {path} {what}; `ganprune presets NAME` prints one to start from")
    try:
        table = read_toml(path)
    except ValueError as error:
        raise UsageError(f"--config {path} is no TOML file: {error}") from None
    flat = table.get("settings", table)
    if not isinstance(flat, dict):
        raise UsageError(f"--config {path}: [settings] must be a table, found {flat!r}")
    return flat


_SECTIONS: dict[str, type] = {
    "search": SearchSettings,
    "pictures": PictureSettings,
    "recovery": RecoverySettings,
    "tuning": FineTuneSettings,
    "compute": ComputeSettings,
}

KEYS: dict[str, tuple[str, Setting]] = {
    key: (section, one) for section, cls in _SECTIONS.items() for key, one in settings_of(cls).items()
}
"""Flat key → (section, what the field says)."""


def typed(key: str, value: object) -> str:
    """A setting as the command line takes it: ``--size 128``, or ``--set align=8``."""
    return KEYS[key][1].typed(value)


def schema() -> dict[str, Any]:
    """A JSON Schema of all settings, in their flat form."""
    from ganprune.presets import DEFAULT_PRESET, PRESETS

    usual = ", ".join(f"{key} {spelled(value)}" for key, value in PRESETS[DEFAULT_PRESET].settings.items())
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Settings of ganprune compress",
        "description": "Of files for --config, which stand alone. Without one, compress goes by preset "
        f"{DEFAULT_PRESET}: {usual}.",
        "type": "object",
        "additionalProperties": False,
        "properties": {key: one.schema() for key, (_, one) in KEYS.items()},
    }
