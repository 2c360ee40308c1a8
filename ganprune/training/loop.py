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
from functools import partial
from pathlib import Path
from statistics import median

from torch import Tensor, nn

from ganprune.checkpoints import NetName
from ganprune.checkpoints.network_file import load_like
from ganprune.errors import GanpruneError
from ganprune.images import Domain
from ganprune.reporting import SILENT, Reporter
from ganprune.storage.files import make_folder
from ganprune.storage.locking import gone
from ganprune.storage.made import check_all, check_replaceable, clear_half_written, remove_made
from ganprune.system.failures import out_of_memory
from ganprune.training.best import validate, validation_steps
from ganprune.training.budget import Budget, learning_rate
from ganprune.training.checks import check_channels, check_shortest
from ganprune.training.distillation import Teacher
from ganprune.training.log import CURVES, TrainLog
from ganprune.training.networks import Networks, network_file, save_networks
from ganprune.training.pictures import TrainingPictures
from ganprune.training.processes import together
from ganprune.training.record import RECORD, STATE, Record
from ganprune.training.replica import Replica, follow
from ganprune.training.samples import save_samples
from ganprune.training.settings import TrainSettings
from ganprune.training.step import FLAT, TrainingError
from ganprune.training.team import ALONE, STOP, Team, checked_processes
from ganprune.training.validation import Validation, ValidationLog

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
    """File of each network that is there: G_A, G_B, D_A, D_B."""


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
    processes: int = 1,
    team: Team = ALONE,
) -> TrainResult:
    """Train the networks of ``settings.trained`` together; called again, go on where it was interrupted.

    networks: of any widths, pretrained or `Networks.fresh`; they are left as they are. ``samples``:
    pictures for the sample grids, each [c, h, w]; None: the first training pictures. ``teachers``:
    where ``settings.distil`` is set, the originals of the sides whose generators learn. ``validation``: what
    ``settings.validations`` are made on; generators that learn from originals end as they scored best.

    The state is saved every ``save_seconds``, which has no influence on the result. On a CPU, with the same
    number of threads, an interrupted training ends with the same bits as an undisturbed one. A folder whose
    training is finished is only read.

    ``processes``: train in as many new processes, each on its share of every batch, and on a GPU of its own
    where ``settings.device`` is cuda. ``team``: where this process already is one of several, see
    `ganprune.training.team.joined`. Any number of processes makes the same steps up to rounding, and may go
    on with what another number has begun; the same number ends with the same bits.

    Raises `TrainingError` when losses are not finite or a generator gives one colour, with the last good
    weights kept; `DataError` and `UsageError` for pictures that cannot be trained on; `RunError` where the
    folder holds another training, `GanpruneError` where a process dies or memory runs out.
    """
    Team(size=max(checked_processes(processes), team.size)).check(settings.batch)
    taught_by, following = teachers or {}, (networks, pictures, settings, folder, teachers or {})
    if processes > 1:
        lead = partial(
            train, networks, pictures, settings, budget, folder, samples=samples, teachers=teachers,
            validation=validation, save_seconds=save_seconds, log_every=log_every,
        )  # fmt: skip
        return together(processes, lead, partial(follow, *following), settings.device, reporter)
    check_channels(networks)
    if not team.leads:
        follow(*following, team)
        return _result(folder, networks, Record.open(folder, networks, pictures, settings, budget).steps or 0)
    make_folder(folder)
    clear_half_written(folder)  # of a kill in the middle of a save
    record = Record.open(folder, networks, pictures, settings, budget)
    if record.finished(folder) or not (folder / RECORD).exists():
        remove_made(folder / STATE)  # of a kill at the very end, or of another training
    if record.steps is not None and record.finished(folder):
        team.told(STOP)
        return _result(folder, networks, record.steps)
    check_replaceable(folder / STATE, own=True)
    check_all(folder, (CURVES, *(network_file(name) for name, _ in networks.items())))
    data = TrainingPictures(
        pictures, settings.transform, reporter, paired=settings.paired, channels=networks.channels
    )
    check_shortest(networks, data.shortest)
    record.write(folder)
    replica = Replica(networks, data, settings, taught_by, team)
    run = _Run(folder, replica, settings, taught_by, validation, team, save_seconds, log_every)
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
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        raise run.too_large() from None
    files = save_networks(folder, run.state.chosen().to_use())
    written = list(files.values())
    if run.state.best:
        written += save_networks(folder, run.state.networks.to_use(), "last").values()
    record = replace(record, steps=run.state.step, best=run.chosen())
    record.finish(folder, written)
    remove_made(folder / STATE)
    team.told(STOP)
    return _result(folder, networks, run.state.step)


class _Run:
    """An unfinished training in its folder."""

    def __init__(
        self,
        folder: Path,
        replica: Replica,
        settings: TrainSettings,
        teachers: Mapping[Domain, Teacher],
        validation: Validation | None,
        team: Team,
        save_seconds: float,
        log_every: int,
    ) -> None:
        self.folder, self.settings, self._validation = folder, settings, validation
        self._replica, self.state, self._team = replica, replica.state, team
        self._flat, self._tried, self._save_seconds = 0, 0, save_seconds
        self._originals: dict[Domain, nn.Module] = {s: t.generator for s, t in teachers.items()}
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
        if self._replica.taught is not None:  # the originals are run in the first steps, and then no more
            more, pace = self._replica.taught.steps_in(left, pace)
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

    def too_large(self) -> GanpruneError:
        """What to do when memory ran out: what was saved stays, and the same training may go on."""
        s = self.settings
        less = "a smaller size" if s.batch == 1 else "a smaller size or batch"
        return GanpruneError(
            f"out of memory in step {self._tried} of training on pictures of {s.size} pixels, {s.batch} of "
            f"each domain at once; what was saved in {self.folder} is kept: close other programs and run the "
            f"same command again to go on, or train with {less} and `-o` another folder"
        )

    def _step(self, steps: int | None) -> None:
        state, settings = self.state, self.settings
        self._tried = state.step + 1
        self._team.told(steps or 0)
        losses, lr = self._replica.step(steps)
        spread = {"G_A": losses.pop("spread_B", 1.0), "G_B": losses.pop("spread_A", 1.0)}
        flat = [name for name in spread if name in settings.trained and not spread[name] >= FLAT]
        self._flat = self._flat + 1 if flat else 0
        if self._flat >= PATIENCE:
            raise TrainingError(f"{' and '.join(flat)} gave one colour {PATIENCE} times in a row")
        self._log.add(state, losses, lr)

    def _save(self) -> None:
        """Unless a generator gives one colour: what is saved is good."""
        if not (self.folder / RECORD).exists():  # it was written before the first step
            raise gone(self.folder)
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


def _result(folder: Path, networks: Networks, steps: int) -> TrainResult:
    files: dict[NetName, Path] = {name: folder / network_file(name) for name, _ in networks.items()}
    found = {name: load_like(files[name], net) for name, net in networks.items()}
    return TrainResult(replace(networks, **found), steps, files)
