"""The loop of a training: draw pictures, make a step, and every now and then validate, show and save."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from torch import Tensor, nn

from ganprune.errors import GanpruneError
from ganprune.images import Domain
from ganprune.reporting import Reporter
from ganprune.storage.locking import gone
from ganprune.system.failures import out_of_memory
from ganprune.training.budget import learning_rate
from ganprune.training.log import CURVES, LOG, VALIDATION, StepLog, TrainLog, draw_curves
from ganprune.training.networks import save_networks
from ganprune.training.pictures import Drawn, TrainingPictures
from ganprune.training.record import RECORD, STATE
from ganprune.training.samples import save_samples
from ganprune.training.seeds import generator_for
from ganprune.training.step import Trainer, TrainingError
from ganprune.training.validation import GENERATORS, Validation, validate, validation_steps

FLAT = 1e-3
"""Fakes whose values spread less than this, of a range of 2, count as one colour."""
PATIENCE = 20
"""Steps in a row that a generator may give one colour before the training counts as collapsed."""


@dataclass(slots=True)
class Training:
    """An unfinished training in its folder, as one of its processes sees it; rank 0 alone writes."""

    folder: Path
    trainer: Trainer
    data: TrainingPictures
    validation: Validation | None
    originals: Mapping[Domain, nn.Module]
    samples: Mapping[Domain, Sequence[Tensor]]
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

    def to_the_end(self, steps: int, reporter: Reporter, until: int | None = None) -> bool:
        """Make all steps that are left, or those up to ``until``; whether it was the end."""
        settings, state, group = self.trainer.settings, self.trainer.state, self.trainer.group
        patience = math.inf if settings.patience is None else settings.patience
        last = steps if until is None else min(until, steps)
        with reporter.task("training", last, state.step) as task:
            while state.step < last and state.waited < patience:
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
        if state.step < steps and state.waited < patience:
            if group.leads:
                self._save()
            return False
        if group.leads:
            done = state.step
            self.log.finish(state, learning_rate(settings.lr, done - 1, steps, settings.decay))
            self._show(done)
            self._save()
        return True

    def explained(self, error: Exception) -> Exception:
        """The same error with what to do next; the last good weights are kept."""
        state, s = self.trainer.state, self.trainer.settings
        if isinstance(error, TrainingError) and self.trainer.group.leads:
            state.load(self.folder / STATE)
            epoch = f"iter_{state.step}"
            save_networks(self.folder, state.networks.to_use(), epoch)
            exact = " or --set precision=float32" if s.precision == "bfloat16" else ""
            return TrainingError(
                "training needs finite losses and pictures that are not empty, but in step "
                f"{self.tried} {error}; the weights after {state.step} steps are kept in "
                f"{self.folder}/{epoch}_net_*.pth; train again with a smaller --set lr=F (now {s.lr:g})"
                f"{exact} and `-o` another folder"
            )
        if out_of_memory(error):
            less = "a smaller size" if s.batch == 1 else "a smaller size or batch"
            return GanpruneError(
                f"out of memory in step {self.tried} of training on pictures of {s.size} pixels, "
                f"{s.batch} of each domain at once; what was saved in {self.folder} is kept: close other "
                f"programs and run the same command again to go on, or train with {less} and `-o` another "
                "folder"
            )
        return error

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
