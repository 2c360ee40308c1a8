"""A training from its first step to its last, resumable after any interruption.

train.json                  what was asked for, the number of steps, and in the end what was written
train.jsonl, curves.svg     losses and learning rate
samples-<step>.png          input, translation and reconstruction at the start, halfway, at the end
train_state.pt              where an unfinished training stands; removed when it is finished
validation.jsonl            distances to the originals on pictures that no step sees, where asked for
latest_net_G_A.pth …        the trained networks, as CycleGAN names them; the best of those validated
last_net_G_A.pth …          those of the last step, where others were better
iter_<step>_net_G_A.pth …   the last good ones of a training that went wrong
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from torch import Tensor

from ganprune.checkpoints import NetName, load_quartet
from ganprune.errors import CheckpointError, UsageError
from ganprune.images import Domain
from ganprune.networks import Generator
from ganprune.reporting import SILENT, Reporter
from ganprune.training.best import validate, validation_steps
from ganprune.training.budget import Budget, learning_rate
from ganprune.training.chance import generator_for
from ganprune.training.distillation import Teacher
from ganprune.training.log import TrainLog
from ganprune.training.networks import Networks, save_networks
from ganprune.training.pictures import TrainingPictures
from ganprune.training.record import RECORD, Record
from ganprune.training.samples import save_samples
from ganprune.training.settings import TrainSettings
from ganprune.training.state import TrainState
from ganprune.training.step import FLAT, TrainingError, train_step
from ganprune.training.taught import Taught
from ganprune.training.validation import Validation, ValidationLog

STATE = "train_state.pt"
SAMPLES = 4
"""Pictures of each domain in a sample grid."""
PATIENCE = 20
"""Steps in a row that a generator may give one colour before the training counts as collapsed."""


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What a training came to."""

    networks: Networks
    """Trained: on the CPU, in eval mode, without gradients."""
    steps: int
    """Steps made in all, by this and earlier calls."""
    files: Mapping[NetName, Path]
    """File of each network: G_A, G_B, D_A, D_B."""


def train(
    networks: Networks,
    pictures: Mapping[Domain, Sequence[Path]],
    settings: TrainSettings,
    budget: Budget,
    folder: Path,
    reporter: Reporter = SILENT,
    *,
    samples: Mapping[Domain, Sequence[Tensor]] | None = None,
    teachers: Mapping[Domain, Teacher] | None = None,
    validation: Validation | None = None,
    save_seconds: float = 45.0,
    log_every: int = 10,
) -> TrainResult:
    """Train the networks of ``settings.trained`` together; called again, go on where it was interrupted.

    networks: of any widths, pretrained or `Networks.fresh`; they are left as they are. ``samples``:
    pictures for the sample grids, each uint8 [3, h, w]; None: the first training pictures. ``teachers``:
    where ``settings.distil`` is set, the originals of the sides whose generators learn. ``validation``: what
    ``settings.validations`` are made on; generators that learn from originals end as they scored best.

    The state is saved every ``save_seconds``, which has no influence on the result. On a CPU, with the same
    number of threads, an interrupted training ends with the same bits as an undisturbed one. A folder whose
    training is finished is only read.

    Raises `TrainingError` when losses are not finite or a generator gives one colour, with the last good
    weights kept; `DataError` and `UsageError` for pictures that cannot be trained on; `RunError` where the
    folder holds another training.
    """
    _check_channels(networks)
    folder.mkdir(parents=True, exist_ok=True)
    record = Record.open(folder, networks, pictures, settings, budget)
    leftovers = list(folder.glob(".*.partial.*"))  # of a kill in the middle of a save
    if record.finished(folder) or not (folder / RECORD).exists():
        leftovers.append(folder / STATE)  # of a kill at the very end, or of another training
    for path in leftovers:
        path.unlink(missing_ok=True)
    if record.steps is not None and record.finished(folder):
        return _result(folder, record.steps)
    data = TrainingPictures(pictures, settings.transform, reporter)
    _check_shortest(networks, data.shortest)
    record.write(folder)
    run = _Run(folder, networks, data, settings, teachers or {}, validation, save_seconds, log_every)
    shown = data.stills(SAMPLES) if samples is None else samples
    try:
        run.show(0, shown)
        if record.steps is None:
            record = replace(record, steps=budget.steps(data.epoch, settings.batch))
        if record.steps is None:
            reporter.info("timing the first steps")
            steps, pace = run.calibrate(budget.amount)
            record = replace(record, steps=steps, seconds_per_step=pace)
            reporter.info(f"{pace:.3g} s a step: {steps} steps")
        record.write(folder)
        assert record.steps is not None
        run.to_the_end(record.steps, shown, reporter)
    except TrainingError as error:
        raise run.explained(error) from None
    files = save_networks(folder, run.state.chosen().to_use())
    written = list(files.values())
    if run.state.best:
        written += save_networks(folder, run.state.networks.to_use(), "last").values()
    record = replace(record, steps=run.state.step, best=run.chosen())
    record.finish(folder, written)
    (folder / STATE).unlink()
    return _result(folder, run.state.step)


class _Run:
    """An unfinished training in its folder."""

    def __init__(
        self,
        folder: Path,
        networks: Networks,
        data: TrainingPictures,
        settings: TrainSettings,
        teachers: Mapping[Domain, Teacher],
        validation: Validation | None,
        save_seconds: float,
        log_every: int,
    ) -> None:
        self.folder, self.data, self.settings, self._validation = folder, data, settings, validation
        self._flat, self._tried, self._save_seconds = 0, 0, save_seconds
        self._taught = Taught(data, networks, teachers, settings) if settings.distil else None
        self._originals: dict[Domain, Generator] = {s: t.generator for s, t in teachers.items()}
        self.state = TrainState.start(networks, settings, self._taught and self._taught.adapters)
        if (folder / STATE).exists():
            self.state.load(folder / STATE)
            self._saved = time.monotonic()
        else:
            self._save()
        self._log = TrainLog(folder, log_every, self.state.step)
        self._validated = ValidationLog(folder, self.state.step)

    def calibrate(self, seconds: float) -> tuple[int, float]:
        """Make the first steps; return how many fit into ``seconds`` in all, and the seconds a step.

        These steps are the first of the training, whose learning rate does not depend on their number.
        """
        times: list[float] = []
        while len(times) < 4 or sum(times) < min(seconds / 50, 60):
            before = time.monotonic()
            self._step(None)
            times.append(time.monotonic() - before)
        pace, left = median(times[1:]), seconds - sum(times)
        more = left / pace
        if self._taught is not None:  # the originals are run in the first steps, and then no more
            more, pace = self._taught.steps_in(left, pace)
        steps = len(times) + int(more)
        return max(steps, 2 * len(times)), pace

    def to_the_end(self, steps: int, shown: Mapping[Domain, Sequence[Tensor]], reporter: Reporter) -> None:
        """Make all steps that are left."""
        with reporter.task("training", steps, self.state.step) as task:
            while self.state.step < steps and not self._patience_is_over():
                self._step(steps)
                if self._validation is not None and self.state.step in validation_steps(self.settings, steps):
                    validate(self.state, self._validation, self.settings, self._validated)
                if self.state.step == steps // 2:
                    self.show(self.state.step, shown)
                    self._draw()
                if time.monotonic() - self._saved >= self._save_seconds:
                    self._save()
                task.advance(1, **self._figures())
        self.show(self.state.step, shown)
        done = self.state.step
        self._log.finish(self.state, learning_rate(self.settings.lr, done - 1, steps, self.settings.decay))
        self._draw()
        self._save()

    def chosen(self) -> dict[str, dict[str, float | bool]]:
        """Which weights are the result, where a validation decided."""
        return {
            name: {"step": best.step, "averaged": best.averaged, "score": best.score}
            for name, best in self.state.best.items()
        }

    def _patience_is_over(self) -> bool:
        patience = self.settings.patience
        return patience is not None and self.state.waited >= patience

    def _draw(self) -> None:
        self._log.draw(self._validated.lines)

    def explained(self, error: TrainingError) -> TrainingError:
        """The same error with what to do next; keeps the last good weights."""
        failed = self._tried
        self.state.load(self.folder / STATE)
        epoch = f"iter_{self.state.step}"
        save_networks(self.folder, self.state.networks.to_use(), epoch)
        exact = " or --precision float32" if self.settings.precision == "bfloat16" else ""
        return TrainingError(
            f"training needs finite losses and pictures that are not empty, but in step {failed} {error}; "
            f"the weights after {self.state.step} steps are kept in {self.folder}/{epoch}_net_*.pth; "
            f"train again with a smaller --lr (now {self.settings.lr:g}){exact} and `-o` another folder"
        )

    def _step(self, steps: int | None) -> None:
        state, settings = self.state, self.settings
        self._tried = state.step + 1
        lr = learning_rate(settings.lr, state.step, steps, settings.decay)
        generator = generator_for(settings.seed, "step", state.step)
        drawn = self.data.drawn(settings.seed, state.step, settings.batch, generator)
        real: dict[Domain, Tensor] = {
            side: self.data.pictures(side, parts).to(settings.device) for side, parts in drawn.items()
        }
        if self._taught is None:
            losses = train_step(state, real["A"], real["B"], settings, lr, generator)
        else:
            losses = self._taught.step(state, drawn, real, lr, generator)
        spread = {"G_A": losses.pop("spread_B", 1.0), "G_B": losses.pop("spread_A", 1.0)}
        flat = [name for name in spread if name in settings.trained and not spread[name] >= FLAT]
        self._flat = self._flat + 1 if flat else 0
        if self._flat >= PATIENCE:
            raise TrainingError(f"{' and '.join(flat)} gave one colour {PATIENCE} times in a row")
        self._log.add(state, losses, lr)

    def _save(self) -> None:
        """Unless a generator gives one colour: what is saved is good."""
        if not self._flat:
            self.state.save(self.folder / STATE)
        self._saved = time.monotonic()

    def show(self, step: int, shown: Mapping[Domain, Sequence[Tensor]]) -> None:
        """Write a sample grid, if that is where the training stands."""
        if self.state.step == step:
            path, networks = self.folder / f"samples-{step}.png", self.state.networks
            save_samples(path, networks, shown, self._originals)

    def _figures(self) -> dict[str, float]:
        """Losses for people who watch: means of a few steps, both directions together."""
        state, lines = self.state, self._log.lines
        means = {k: v / state.counted for k, v in state.sums.items()} if state.counted else lines[-1]
        both = {name: (f"{name}_A", f"{name}_B") for name in ("pixels", "maps", "G", "cycle", "D")}
        sums = {name: [means[key] for key in keys if key in means] for name, keys in both.items()}
        return {name: sum(values) for name, values in sums.items() if values}


def _check_channels(networks: Networks) -> None:
    channels = {
        "G_A": (networks.G_A.widths.in_channels, networks.G_A.widths.out_channels),
        "G_B": (networks.G_B.widths.in_channels, networks.G_B.widths.out_channels),
        "D_A": (networks.D_A.widths.in_channels,),
        "D_B": (networks.D_B.widths.in_channels,),
    }
    for name, found in channels.items():
        if set(found) != {3}:
            raise CheckpointError(
                f"training needs networks for RGB pictures (3 channels), found {name} with "
                f"{' and '.join(map(str, found))}; give networks with 3 channels in and out"
            )


def _check_shortest(networks: Networks, found: int) -> None:
    """The norm of D's last layer needs a map of more than one place."""
    widths = max((networks.D_A.widths, networks.D_B.widths), key=lambda widths: widths.smallest_picture)
    needed = widths.smallest_picture
    if found < needed:
        raise UsageError(
            f"a discriminator of {len(widths.filters)} layers needs pictures of at least {needed}×{needed}, "
            f"found {found} pixels; give a larger --size"
        )


def _result(folder: Path, steps: int) -> TrainResult:
    quartet = load_quartet(folder / "latest_net_G_A.pth")
    return TrainResult(Networks.of(quartet), steps, dict(quartet.files))
