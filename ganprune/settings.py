"""All settings of ``ganprune compress``, and their flat form: one key an option, spelled as the CLI does.

Command line, ``--config`` files, presets and a run's ``config.toml`` all speak the flat form
(``population = 16``, ``target-macs = 0.25``). Later layers override earlier ones key by key.
"""

import difflib
import types
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from ganprune.checkpoints import NET_NAMES
from ganprune.errors import UsageError
from ganprune.images.sizes import check_size
from ganprune.images.sources import DOMAINS, Domain
from ganprune.pruning.fitness import Reduction
from ganprune.scoring import MOST_ACTORS, MOST_WORKERS, checked_address
from ganprune.search.settings import SearchSettings
from ganprune.system.device import checked_threads
from ganprune.training.budget import Budget
from ganprune.training.distillation import DistilSettings
from ganprune.training.process_group import ProcessGroup, checked_processes
from ganprune.training.settings import TrainSettings


@dataclass(frozen=True, slots=True)
class PictureSettings:
    """Which pictures the search looks at, and how."""

    size: int = 256
    """Height and width of every picture, pixels; a multiple of 4."""
    pictures: int = 8
    """Validation pictures of each domain that every individual is scored on."""
    picture_statistics: bool = False
    """Generators of batch norm normalise each picture by its own statistics, from the search to the export;
    see `ganprune.models.picture_statistics`."""
    paired: bool = False
    """Pictures of A and B belong together, as pix2pix's: the same name, or both in one file, side by side."""
    lost_by: str | None = None
    """A file of the network of features that ``max_lost`` is measured by; none: that of GANPRUNE_FEATURES."""
    reduction: Reduction = "mean"
    """What ‖v‖² means in Eq. 4-6: the mean over a picture's elements, or their sum."""
    tune_steps: int = 0
    """Steps that every individual is fine-tuned for before its score, on a tenth of the training pictures."""

    def __post_init__(self) -> None:
        check_size(self.size)
        if self.pictures < 1:
            raise UsageError(f"--pictures must be 1 or more, found {self.pictures}")
        if self.tune_steps < 0:
            raise UsageError(f"--tune-steps must be 0 or more, found {self.tune_steps}")
        if self.reduction not in ("mean", "sum"):
            raise UsageError(f"--reduction must be mean or sum, found {self.reduction!r}")


@dataclass(frozen=True, slots=True)
class ComputeSettings:
    """What to compute on. Once a run has begun, what ``auto`` came to is written down and kept."""

    device: str = "auto"
    """cpu, cuda, cuda:N, or auto: cuda where there is one."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the networks while they are scored; auto: bfloat16 where the hardware computes it natively."""
    threads: int | None = None
    """CPU threads, of each worker too; none: all cores this process may use, and one thread a worker."""
    batch: int | None = None
    """Pictures a forward pass; none: 1 on a CPU, 16 on CUDA."""
    workers: int | None = None
    """Processes that score individuals; none: this one alone. Any number of them comes to the same result,
    so it may change while a run goes on."""
    ray: str | None = None
    """Score on a running Ray cluster: auto, or HOST:PORT of its head node; ``workers`` is then how many at
    most. The result is the same, so this too may change while a run goes on."""
    processes: int = 1
    """Processes that fine-tune together, each on its share of ``tune_batch``, and on CUDA on a GPU of its
    own. Any number of them comes to the same result up to rounding, so it may change while a run goes on."""

    def __post_init__(self) -> None:
        if self.precision not in ("auto", "float32", "bfloat16"):
            raise UsageError(f"--precision must be auto, float32 or bfloat16, found {self.precision!r}")
        if self.threads is not None:
            checked_threads(self.threads)
        if self.batch is not None and self.batch < 1:
            raise UsageError(f"--batch must be 1 or more, found {self.batch}")
        most = MOST_WORKERS if self.ray is None else MOST_ACTORS
        if self.workers is not None and not 1 <= self.workers <= most:
            raise UsageError(f"--workers must be 1 to {most}, found {self.workers}")
        if self.ray is not None:
            checked_address(self.ray)
        checked_processes(self.processes)


@dataclass(frozen=True, slots=True)
class RecoverySettings:
    """What to do about networks that the checkpoint lacks."""

    recover_discriminators: bool = False
    """Train them before the search: discriminators, and the other generator where there is only one."""
    recover_budget: str = "5m"
    """Time for that, spelled as ``budget``; a generator that is trained from nothing needs many hours."""

    def __post_init__(self) -> None:
        if not Budget.parse(self.recover_budget).amount:
            raise UsageError(f"--recover-budget must be more than 0, found {self.recover_budget}")


_DISTIL = DistilSettings()


@dataclass(frozen=True, slots=True)
class FineTuneSettings:
    """How the slim generators are trained after the search."""

    refit_pictures: int = 48
    """Training pictures that the slim generators are refitted to the originals on, by least squares, before
    they are trained; 0: they are trained as they were cut. See `ganprune.refit`."""
    budget: str = "20m"
    """A time such as 90s, 20m or 1h30m, or 5epochs, or 500steps; 0: no fine-tuning."""
    races: int = 0
    """How many individuals of the search, the fittest of unlike widths, are trained for a few hundred steps,
    the better half of them for as many more, and so on, until one is left, which is trained to its end; 0:
    none but the fittest. See `ganprune.stages.racing`."""
    recipe: Literal["distil", "paper"] = "distil"
    """distil: learn to draw what the originals draw; paper: CycleGAN's own recipe, as the paper does."""
    distil_pixels: float = _DISTIL.pixels
    """See `ganprune.training.distillation.DistilSettings`; so for the others."""
    distil_maps: float = _DISTIL.maps
    distil_features: float = _DISTIL.features
    vgg: str | None = None
    """A file of torchvision's VGG16, whose maps are compared too; none: without."""
    distil_vgg: float = _DISTIL.vgg
    distil_gan: float = _DISTIL.gan
    distil_adapters: bool = _DISTIL.adapters
    tune_lr: float | None = None
    """Learning rate of Adam; none: CycleGAN's 2e-4, which builds on a refit; 5e-4 to distil without one."""
    tune_batch: int = 1
    """Pictures of each domain a step, over all processes together."""
    average: float = 0.998
    """Decay of the generators' running averages, a step; 0: none. The better of the two is exported."""
    validations: int = 10
    """How often, on the search's pictures, the generators are scored; the best are exported. 0: never."""
    patience: int | None = None
    """Stop after this many validations in a row without a better one; none: make all steps."""

    def __post_init__(self) -> None:
        trained = Budget.parse(self.budget).amount > 0
        if self.races < 0 or self.races == 1:
            raise UsageError(f"--races must be 0, or 2 or more, found {self.races}")
        if self.races and not trained:
            raise UsageError(f"--races {self.races} needs training, found --budget {self.budget}")
        if self.recipe not in ("distil", "paper"):
            raise UsageError(f"--recipe must be distil or paper, found {self.recipe!r}")
        if self.refit_pictures < 0:
            raise UsageError(f"--refit-pictures must be 0 or more, found {self.refit_pictures}")
        if self.tune_batch < 1:
            raise UsageError(f"--tune-batch must be 1 or more, found {self.tune_batch}")
        self.training(TrainSettings(), DOMAINS)  # checks the rest

    def training(self, base: TrainSettings, sides: Sequence[Domain]) -> TrainSettings:
        """What to train the slim generators of ``sides`` by.

        ``base`` has the pictures' size, the seed, device and precision.
        """
        kinds = "GD" if self.recipe == "paper" or self.distil_gan else "G"
        learn = {f"{kind}_{side}" for kind in kinds for side in sides}
        common = replace(
            base,
            trained=tuple(name for name in NET_NAMES if name in learn),
            average=self.average,
            validations=self.validations,
            patience=self.patience,
            batch=self.tune_batch,
            lr=self.tune_lr or (5e-4 if self.recipe == "distil" and not self.refit_pictures else base.lr),
        )
        if self.recipe == "paper":
            return common
        distil = DistilSettings(
            pixels=self.distil_pixels, maps=self.distil_maps, features=self.distil_features,
            vgg=self.distil_vgg, gan=self.distil_gan, adapters=self.distil_adapters,
        )  # fmt: skip
        # Mirrored pictures need translations of their own, which cost as much again and bring nothing.
        return replace(common, distil=distil, beta1=0.9, decay=0.9, flip=False)


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
        if "tune-batch" in self.given:
            ProcessGroup(size=self.compute.processes).check(self.tuning.tune_batch, "--tune-batch")

    @classmethod
    def from_flat(
        cls,
        flat: Mapping[str, object],
        source: str = "the settings",
        given: Collection[str] | None = None,
    ) -> "CompressSettings":
        """Build and check. Raises `UsageError` for unknown keys and values out of range.

        given: keys of what was asked for; None: of all.
        """
        sections: dict[str, dict[str, object]] = {section: {} for section in _SECTIONS}
        for key, value in flat.items():
            if key not in KEYS:
                near = difflib.get_close_matches(key, KEYS, n=1)
                hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(KEYS)}"
                raise UsageError(f"{source}: unknown setting {key!r}; {hint}")
            section, name, kind = KEYS[key]
            sections[section][name] = _parse(key, value, kind)
        built: dict[str, Any] = {name: _SECTIONS[name](**values) for name, values in sections.items()}
        return cls(**built, given=frozenset(KEYS if given is None else given))

    @property
    def pix2pix(self) -> bool:
        """Whether networks are trained by pix2pix's recipe: one generator alone, and pairs of pictures."""
        return self.pictures.paired and self.search.direction != "both" and not self.search.lambda_cycle

    def changed(self, flat: Mapping[str, object]) -> "CompressSettings":
        """The same with other values, which nobody asked for."""
        return CompressSettings.from_flat(self.to_flat() | dict(flat), given=self.given)

    def to_flat(self) -> dict[str, object]:
        """The reverse of `from_flat`, in values that TOML and JSON hold; None is spelled "none"."""
        flat: dict[str, object] = {}
        for key, (section, name, _) in KEYS.items():
            value = getattr(getattr(self, section), name)
            flat[key] = "none" if value is None else list(value) if isinstance(value, tuple) else value
        return flat


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


def spelled(value: object) -> str:
    """A flat value as the command line takes it."""
    if isinstance(value, list):
        return ",".join(map(spelled, cast("list[object]", value)))
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _parse(key: str, value: Any, kind: Any) -> object:
    """Check one value against the type of its field; strings are read as numbers where needed."""
    options = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    if type(None) in options and (value is None or str(value).lower() == "none"):
        return None
    wanted = next(option for option in options if option is not type(None))
    try:
        if get_origin(wanted) is tuple:
            parts = (
                value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
            )
            numbers = [float(part) for part in parts]
            if len(numbers) not in (1, 2) or any(isinstance(part, bool) for part in parts):
                raise ValueError
            return (numbers[0], numbers[-1])
        if wanted is bool:
            if not isinstance(value, bool):
                raise ValueError
            return value
        if wanted is int:
            if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
                raise ValueError
            return int(value)
        if wanted is str:
            return str(value)
        if wanted is float:
            if isinstance(value, bool):
                raise ValueError
            return float(value)
    except (TypeError, ValueError):
        names: dict[Any, str] = {int: "a whole number", float: "a number", bool: "true or false"}
        raise UsageError(
            f"--{key} must be {names.get(wanted, 'one number or two')}, found {value!r}"
        ) from None
    return value


_SECTIONS: dict[str, type] = {
    "search": SearchSettings,
    "pictures": PictureSettings,
    "recovery": RecoverySettings,
    "tuning": FineTuneSettings,
    "compute": ComputeSettings,
}

KEYS: dict[str, tuple[str, str, Any]] = {
    name.replace("_", "-"): (section, name, kind)
    for section, cls in _SECTIONS.items()
    for name, kind in get_type_hints(cls).items()
}
"""Flat key → (section, field, type), read off the dataclasses."""
