"""The loop of a training: draw pictures, make a step, and every now and then validate, show and save."""

import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

from ganprune.errors import GanpruneError, UsageError
from ganprune.images import grid, save_picture, to_float, to_uint8
from ganprune.reporting import Reporter
from ganprune.settings.words import OTHER, Domain
from ganprune.storage.locking import gone
from ganprune.system.failures import out_of_memory
from ganprune.training.log import CURVES, LOG, VALIDATION, StepLog, TrainLog, draw_curves
from ganprune.training.networks import Networks, save_networks
from ganprune.training.pictures import Drawn, TrainingPictures, lesson_of, lessons_in
from ganprune.training.record import RECORD, STATE
from ganprune.training.seeds import generator_for
from ganprune.training.step import Trainer, TrainingError
from ganprune.training.validation import GENERATORS, Validation, validate, validation_steps

FLAT = 1e-3  # fakes whose values spread less than this, of a range of 2, count as one colour
PATIENCE = 20  # steps in a row that a generator may give one colour before the training counts as collapsed


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
    saved: float = 0.0  # when the state was saved last, seconds
    flat: int = 0  # steps in a row in which a generator gave one colour
    tried: int = 0  # the step that was begun last, from 1

    def begin(self) -> None:
        """All processes begin with the state that rank 0 finds, or saves."""
        group, state, settings = self.trainer.group, self.trainer.state, self.trainer.settings
        if group.leads:
            if (self.folder / STATE).exists():
                state.load(self.folder / STATE)
                self.saved = time.monotonic()
            else:
                self._save()
            self.log = TrainLog(self.folder / LOG, self.log_every, state.step)
            untouched = not state.step and not state.best
            self.validated = StepLog(self.folder / VALIDATION, -1 if untouched else state.step)
            if untouched and self.validation is not None and settings.validations and settings.distil:
                validate(state, self.validation, settings, self.validated)
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
        lesson = lesson_of(settings.seed, state.step, self._lessons(steps))
        generator = generator_for(settings.seed, "step", lesson)
        batch = self.data.drawn(settings.seed, lesson, settings.batch, generator)
        if lesson != state.step:
            generator = generator_for(settings.seed, "again", state.step)
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
        if left > 0 and self.trainer.distillation is not None:  # originals are run at first, then seldom
            more = self.trainer.distillation.steps_in(left, pace, len(times))
            pace = left / more
        return group.agreed(max(len(times) + int(more), 2 * len(times))), pace

    def to_the_end(self, steps: int, reporter: Reporter, until: int | None = None) -> bool:
        """Make all steps that are left, or those up to ``until``; whether it was the end."""
        settings, state, group = self.trainer.settings, self.trainer.state, self.trainer.group
        patience = math.inf if settings.patience is None else settings.patience
        last = steps if until is None else min(until, steps)
        new = min(self._lessons(steps), self.data.epoch // settings.batch) if settings.distil else 0
        # The pace of steps for which originals run tells nothing about those after them.
        for title, end in (("training on new pictures", new if new < last else 0), ("training", last)):
            if state.step < end:
                self._advance(title, end, steps, patience, reporter)
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

    def _lessons(self, steps: int | None) -> int:
        """How many lessons the steps give."""
        distil = self.trainer.settings.distil
        return sys.maxsize if distil is None or steps is None else lessons_in(steps, distil.repeats)

    def _advance(self, title: str, end: int, steps: int, patience: float, reporter: Reporter) -> None:
        """Make the steps up to ``end``, of ``steps``."""
        settings, state, group = self.trainer.settings, self.trainer.state, self.trainer.group
        with reporter.task(title, end, state.step) as task:
            while state.step < end and state.waited < patience:
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
        if "more than 1 value per channel" in str(error):
            return UsageError(
                "training needs norms that see more than one value a channel, but pictures of "
                f"{s.size} pixels come to maps of a single pixel before a batch norm; give a larger --size, "
                "or leave the training out"
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


def learning_rate(base: float, step: int, steps: int | None, decay: float = 0.5) -> float:
    """Constant, then linear over the last share ``decay`` of ``steps``, down to zero after the last.

    step counts from 0. While the number of steps is not known yet, the rate is still constant.
    """
    if steps is None:
        return base
    constant = steps - math.ceil(steps * decay)
    return base if step < constant else base * (steps - step) / (steps - constant)


COLUMNS: dict[Domain, tuple[str, str, str, str]] = {
    "A": ("A", "original", "G_A(A)", "G_B(G_A(A))"),
    "B": ("B", "original", "G_B(B)", "G_A(G_B(B))"),
}


@torch.no_grad()
def save_samples(
    path: Path,
    networks: Networks,
    pictures: Mapping[Domain, Sequence[Tensor]],
    originals: Mapping[Domain, nn.Module] | None = None,
) -> None:
    """Write a grid: a row a pair of pictures; input, translation and reconstruction, both ways.

    pictures: [c, h, w], h and w multiples of 4, as many of A as of B, or of one of them alone. Of the
    sides that have an original generator its translation stands beside the input. What needs a network that
    is not there is left out.
    """
    device, originals = networks.device, originals or {}
    nets: dict[Domain, nn.Module] = {"A": networks.G_A, "B": networks.G_B}
    there: list[Domain] = [side for side in nets if f"G_{side}" not in networks.absent]
    sides: list[Domain] = [side for side in there if side in pictures]
    rows: list[list[Tensor]] = []
    for pair in zip(*(pictures[side] for side in sides), strict=True):
        row: list[Tensor] = []
        for picture, side in zip(pair, sides, strict=True):
            x = to_float(picture)[None]
            row.append(picture)
            if side in originals:
                original = originals[side]
                row.append(to_uint8(original(x.to(next(original.parameters()).device))[0]).cpu())
            translated = nets[side](x.to(device))
            row.append(to_uint8(translated[0]).cpu())
            if OTHER[side] in there:
                row.append(to_uint8(nets[OTHER[side]](translated)[0]).cpu())
        rows.append(row)
    shown: list[str] = []
    for side in sides:
        real, original, fake, back = COLUMNS[side]
        shown += [real, *([original] if side in originals else []), fake]
        shown += [back] if len(there) == len(nets) else []
    save_picture(path, grid(rows, shown))
