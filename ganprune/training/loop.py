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

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import median

from torch import Tensor, nn

from ganprune.checkpoints import NetName, Quartet
from ganprune.checkpoints.network_file import load_like
from ganprune.errors import GanpruneError, UsageError
from ganprune.images import Domain
from ganprune.reporting import SILENT, Reporter
from ganprune.storage.files import make_folder
from ganprune.storage.locking import gone
from ganprune.storage.made import check_all, check_replaceable, clear_half_written, remove_made
from ganprune.system.failures import out_of_memory
from ganprune.training.budget import Budget, learning_rate
from ganprune.training.distillation import Teacher
from ganprune.training.graphs import Graphs
from ganprune.training.log import CURVES, LOG, VALIDATION, StepLog, TrainLog, draw_curves
from ganprune.training.networks import Networks, network_file, save_networks
from ganprune.training.pictures import Drawn, TrainingPictures
from ganprune.training.process_group import ALONE, ProcessGroup, checked_processes
from ganprune.training.processes import together
from ganprune.training.record import RECORD, STATE, Record
from ganprune.training.samples import save_samples
from ganprune.training.settings import TrainSettings, generator_for
from ganprune.training.state import TrainState
from ganprune.training.step import Trainer, TrainingError
from ganprune.training.teacher_cache import Distillation
from ganprune.training.validation import GENERATORS, Validation, validate, validation_steps

UNKNOWN = -1
"""Steps, as processes tell each other."""
SAMPLES = 4
"""Pictures of each domain in a sample grid."""
FLAT = 1e-3
"""Fakes whose values spread less than this, of a range of 2, count as one colour."""
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
    group: ProcessGroup = ALONE,
) -> TrainResult:
    """Train the networks of ``settings.trained`` together; called again, go on where it was interrupted.

    networks: of any widths, pretrained or `Networks.fresh`; they are left as they are. ``samples``:
    pictures for the sample grids, each uint8 [3, h, w]; None: the first training pictures. ``teachers``:
    where ``settings.distil`` is set, the originals of the sides whose generators learn. ``validation``: what
    ``settings.validations`` are made on; generators that learn from originals end as they scored best.

    The state is saved every ``save_seconds``, which has no influence on the result. On a CPU, with the same
    number of threads, an interrupted training ends with the same bits as an undisturbed one. A folder whose
    training is finished is only read.

    ``processes``: train in as many new processes, each on its share of every batch, and on a GPU of its own
    where ``settings.device`` is cuda. ``group``: where this process already is one of several, which all call
    this, see `ProcessGroup.joined`. Any number of processes makes the same steps up to rounding, and may go
    on with what another number has begun; the same number ends with the same bits.

    Raises `TrainingError` when losses are not finite or a generator gives one colour, with the last good
    weights kept; `DataError` and `UsageError` for pictures that cannot be trained on; `RunError` where the
    folder holds another training, `GanpruneError` where a process dies or memory runs out.
    """
    ProcessGroup(size=max(checked_processes(processes), group.size)).check(settings.batch)
    if processes > 1:
        common = (train, networks, pictures, settings, budget, folder)
        follow = partial(*common, teachers=teachers)
        lead = partial(
            *common, samples=samples, teachers=teachers, validation=validation,
            save_seconds=save_seconds, log_every=log_every,
        )  # fmt: skip
        return together(processes, lead, follow, settings.device, reporter)
    networks.check_channels()
    if group.leads:
        make_folder(folder)
        clear_half_written(folder)  # of a kill in the middle of a save
    record = Record.open(folder, networks, pictures, settings, budget)
    finished = record.finished(folder)
    if group.leads and (finished or not (folder / RECORD).exists()):
        remove_made(folder / STATE)  # of a kill at the very end, or of another training
    steps = group.agreed(UNKNOWN if record.steps is None or not finished else record.steps)
    if steps != UNKNOWN:
        return _result(folder, networks, steps)
    if group.leads:
        check_replaceable(folder / STATE, own=True)
        check_all(folder, (CURVES, *(network_file(name) for name, _ in networks.items())))
    data = TrainingPictures(pictures, settings.transform, reporter)
    networks.check_shortest(data.shortest)
    if group.leads:
        record.write(folder)
    distillation = Distillation(data, teachers or {}, settings, group=group) if settings.distil else None
    state = TrainState.start(networks, settings, distillation and distillation.adapters)
    graphs = Graphs(settings.device, (net for _, net in networks.items()))
    training = Training(
        folder, Trainer(state, settings, distillation, group, graphs), data, validation,
        samples=data.stills(SAMPLES) if samples is None else samples,
        originals={side: teacher.generator for side, teacher in (teachers or {}).items()},
        save_seconds=save_seconds, log_every=log_every,
    )  # fmt: skip
    try:
        training.begin()
        known = budget.steps(data.epoch, settings.batch) if record.steps is None else record.steps
        steps = group.agreed(UNKNOWN if known is None else known)
        if steps == UNKNOWN:
            reporter.info("timing the first steps")
            steps, pace = training.calibrate(budget.amount)
            record = replace(record, seconds_per_step=pace)
            reporter.info(f"{pace:.3g} s a step: {steps} steps")
        record = replace(record, steps=steps)
        if group.leads:
            record.write(folder)
        training.to_the_end(steps, reporter)
    except TrainingError as error:
        raise (training.explained(error) if group.leads else error) from None
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        raise training.too_large() from None
    if group.leads:
        written = list(save_networks(folder, state.chosen().to_use()).values())
        if state.best:
            written += save_networks(folder, state.networks.to_use(), "last").values()
        best = {
            name: {"step": best.step, "averaged": best.averaged, "score": best.score}
            for name, best in state.best.items()
        }
        replace(record, steps=state.step, best=best).finish(folder, written)
        remove_made(folder / STATE)
    group.agreed()  # all files are there
    return _result(folder, networks, state.step)


def complete(
    quartet: Quartet,
    pictures: Mapping[Domain, Sequence[Path]],
    settings: TrainSettings,
    budget: Budget,
    folder: Path,
    reporter: Reporter = SILENT,
    *,
    samples: Mapping[Domain, Sequence[Tensor]] | None = None,
    processes: int = 1,
    group: ProcessGroup = ALONE,
) -> TrainResult:
    """Train the networks that ``quartet`` lacks; those that it has stay as they are, to the bit.

    CycleGAN's published models are one generator and nothing else. Discriminators learn to tell real pictures
    from what the generators make, under noise (see `TrainSettings.noise`); they are judges of the same task,
    not the very ones that the generators were trained with. A second generator is trained with them, by the
    whole objective. Writes all four networks, as CycleGAN names them; resumable, see `train`, which also says
    what is raised. Raises `MissingNetwork` without any generator, `UsageError` where nothing is missing.
    """
    missing = quartet.missing()
    if not missing:
        raise UsageError("all four networks are there: nothing is left to train; compress them as they are")
    if quartet.G_A is None and quartet.G_B is None:
        quartet.require("G_A")
    return train(
        Networks.completed(quartet, settings), pictures, replace(settings, trained=missing), budget, folder,
        reporter, samples=samples, processes=processes, group=group,
    )  # fmt: skip


@dataclass(slots=True)
class Training:
    """An unfinished training in its folder, as one of its processes sees it; rank 0 alone writes."""

    folder: Path
    trainer: Trainer
    data: TrainingPictures
    validation: Validation | None
    samples: Mapping[Domain, Sequence[Tensor]]
    originals: Mapping[Domain, nn.Module]
    save_seconds: float
    log_every: int
    log: TrainLog = field(init=False)
    validated: StepLog = field(init=False)
    saved: float = 0.0
    """When the state was saved last, seconds."""
    flat: int = 0
    """Steps in a row in which a generator gave one colour."""
    tried: int = 0
    """The step that was begun last, from 1."""

    def begin(self) -> None:
        """All processes begin with the state that rank 0 finds, or saves."""
        group, state = self.trainer.group, self.trainer.state
        if group.leads:
            if (self.folder / STATE).exists():
                state.load(self.folder / STATE)
                self.saved = time.monotonic()
            else:
                self._save()
            self.log = TrainLog(self.folder / LOG, self.log_every, state.step)
            self.validated = StepLog(self.folder / VALIDATION, state.step)
        group.agreed()
        if group.leads:
            self._show(0)
        else:
            state.load(self.folder / STATE)

    def step(self, steps: int | None) -> None:
        """Make the next of ``steps`` steps; None: their number is not known yet."""
        settings, state, group = self.trainer.settings, self.trainer.state, self.trainer.group
        self.tried = state.step + 1
        lr = learning_rate(settings.lr, state.step, steps, settings.decay)
        generator = generator_for(settings.seed, "step", state.step)
        batch = self.data.drawn(settings.seed, state.step, settings.batch, generator)
        share = group.share(settings.batch)
        drawn: dict[Domain, list[Drawn]] = {side: parts[share] for side, parts in batch.items()}
        real: dict[Domain, Tensor] = {
            side: self.data.pictures(side, parts).to(settings.device) for side, parts in drawn.items()
        }
        losses = self.trainer.step(real, lr, generator, drawn)
        spread = {name: losses.pop(f"spread_{name}", 1.0) for name in GENERATORS}
        if not group.leads:
            return
        flat = [name for name in GENERATORS if name in settings.trained and not spread[name] >= FLAT]
        self.flat = self.flat + 1 if flat else 0
        if self.flat >= PATIENCE:
            raise TrainingError(f"{' and '.join(flat)} gave one colour {PATIENCE} times in a row")
        self.log.count(state, losses, lr)

    def calibrate(self, seconds: float) -> tuple[int, float]:
        """Make the first steps; return how many fit into ``seconds`` in all, and the seconds a step.

        These steps are the first of the training, whose learning rate does not depend on their number.
        """
        group, times = self.trainer.group, list[float]()
        while group.agreed(len(times) < 4 or sum(times) < min(seconds / 50, 60)):
            before = time.monotonic()
            self.step(None)
            times.append(time.monotonic() - before)
        pace, left = median(times[1:]), seconds - sum(times)
        more = left / pace
        if self.trainer.distillation is not None:  # originals run in the first steps, and then no more
            more, pace = self.trainer.distillation.steps_in(left, pace)
        return group.agreed(max(len(times) + int(more), 2 * len(times))), pace

    def to_the_end(self, steps: int, reporter: Reporter) -> None:
        """Make all steps that are left."""
        settings, state, group = self.trainer.settings, self.trainer.state, self.trainer.group
        patience = math.inf if settings.patience is None else settings.patience
        with reporter.task("training", steps, state.step) as task:
            while state.step < steps and state.waited < patience:
                self.step(steps)
                if state.step in validation_steps(settings, steps):
                    if group.leads and self.validation is not None:
                        validate(state, self.validation, settings, self.validated)
                    state.waited = group.agreed(state.waited)
                if group.leads:
                    if state.step == steps // 2:
                        self._show(state.step)
                    if time.monotonic() - self.saved >= self.save_seconds:
                        self._save()
                    task.advance(1, **self.log.recent(state))
        if group.leads:
            done = state.step
            self.log.finish(state, learning_rate(settings.lr, done - 1, steps, settings.decay))
            self._show(done)
            self._save()

    def explained(self, error: TrainingError) -> TrainingError:
        """The same error with what to do next; keeps the last good weights."""
        state, settings = self.trainer.state, self.trainer.settings
        state.load(self.folder / STATE)
        epoch = f"iter_{state.step}"
        save_networks(self.folder, state.networks.to_use(), epoch)
        exact = " or --precision float32" if settings.precision == "bfloat16" else ""
        return TrainingError(
            f"training needs finite losses and pictures that are not empty, but in step {self.tried} "
            f"{error}; the weights after {state.step} steps are kept in {self.folder}/{epoch}_net_*.pth; "
            f"train again with a smaller --lr (now {settings.lr:g}){exact} and `-o` another folder"
        )

    def too_large(self) -> GanpruneError:
        """What to do when memory ran out: what was saved stays, and the same training may go on."""
        s = self.trainer.settings
        less = "a smaller size" if s.batch == 1 else "a smaller size or batch"
        return GanpruneError(
            f"out of memory in step {self.tried} of training on pictures of {s.size} pixels, {s.batch} of "
            f"each domain at once; what was saved in {self.folder} is kept: close other programs and run the "
            f"same command again to go on, or train with {less} and `-o` another folder"
        )

    def _show(self, step: int) -> None:
        """Write a sample grid and the curves so far, if that is where the training stands."""
        if self.trainer.state.step == step:
            path = self.folder / f"samples-{step}.png"
            save_samples(path, self.trainer.state.networks, self.samples, self.originals)
            draw_curves(self.folder / CURVES, self.log.lines, self.validated.lines)

    def _save(self) -> None:
        """Unless a generator gives one colour: what is saved is good."""
        if not (self.folder / RECORD).exists():  # it was written before the first step
            raise gone(self.folder)
        if not self.flat:
            self.trainer.state.save(self.folder / STATE)
        self.saved = time.monotonic()


def _result(folder: Path, networks: Networks, steps: int) -> TrainResult:
    files: dict[NetName, Path] = {name: folder / network_file(name) for name, _ in networks.items()}
    found = {name: load_like(files[name], net) for name, net in networks.items()}
    return TrainResult(replace(networks, **found), steps, files)
