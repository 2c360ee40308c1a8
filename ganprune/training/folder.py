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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from torch import Tensor

from ganprune.checkpoints import NetName, Quartet
from ganprune.checkpoints.network_file import load_like
from ganprune.errors import UsageError
from ganprune.images import Domain
from ganprune.reporting import SILENT, Reporter
from ganprune.settings.budget import Budget
from ganprune.settings.training import TrainSettings
from ganprune.storage.files import make_folder
from ganprune.storage.made import check_all, check_replaceable, clear_half_written, remove_made
from ganprune.training.distillation import Teacher
from ganprune.training.graphs import Graphs
from ganprune.training.log import CURVES
from ganprune.training.loop import Training
from ganprune.training.networks import Networks, network_file, save_networks
from ganprune.training.pictures import TrainingPictures
from ganprune.training.process_group import ALONE, ProcessGroup, checked_processes
from ganprune.training.processes import together
from ganprune.training.record import RECORD, STATE, Record
from ganprune.training.state import TrainState
from ganprune.training.step import Trainer, TrainingError
from ganprune.training.teacher_cache import Distillation
from ganprune.training.validation import Validation

UNKNOWN = -1  # steps, as processes tell each other
SAMPLES = 4  # pictures of each domain in a sample grid


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What a training came to."""

    networks: Networks  # trained: on the CPU, in eval mode, without gradients
    steps: int  # steps made in all, by this and earlier calls
    files: Mapping[NetName, Path]
    """File of each network that is there: G_A, G_B, D_A, D_B; none of a training that is not finished."""


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
    until: int | None = None,
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
    where ``settings.device`` is cuda. ``group``: where this process already is one of several, which all call
    this, see `ProcessGroup.joined`. Any number of processes makes the same steps up to rounding, and may go
    on with what another number has begun; the same number ends with the same bits.

    ``until``: a step to stop after, where that is not the last; the result then holds the networks as they
    stand, generators as their running averages. Called again, the training goes on, and ends with the same
    bits as one that was never stopped.

    Raises `TrainingError` when losses are not finite or a generator gives one colour, with the last good
    weights kept; `DataError` and `UsageError` for pictures that cannot be trained on; `RunError` where the
    folder holds another training, `GanpruneError` where a process dies or memory runs out.
    """
    ProcessGroup(size=max(checked_processes(processes), group.size)).check(settings.batch)
    if processes > 1:
        common = (train, networks, pictures, settings, budget, folder)
        follow = partial(*common, teachers=teachers, until=until)
        lead = partial(
            *common, samples=samples, teachers=teachers, validation=validation,
            save_seconds=save_seconds, log_every=log_every, until=until,
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
    data = TrainingPictures(
        pictures, settings.transform, reporter, channels=networks.channels, paired=settings.paired
    )
    networks.check_shortest(data.shortest)
    if group.leads:
        record.write(folder)
    distillation = Distillation(data, teachers or {}, settings, group=group) if settings.distil else None
    state = TrainState.start(networks, settings, distillation and distillation.adapters)
    graphs = Graphs(settings.device, (net for _, net in networks.items()))
    training = Training(
        folder, Trainer(state, settings, distillation, group, graphs), data, validation,
        {side: teacher.generator for side, teacher in (teachers or {}).items()},
        data.stills(SAMPLES) if samples is None else samples, save_seconds, log_every,
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
        if not training.to_the_end(steps, reporter, until):
            return TrainResult(state.averaged().to_use(), state.step, {})
    except (TrainingError, RuntimeError, ValueError, MemoryError) as error:
        raise training.explained(error) from None
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


def completing(
    quartet: Quartet, settings: TrainSettings, names: Sequence[NetName] | None = None
) -> tuple[Networks, TrainSettings]:
    """What `train` takes to train the networks that ``quartet`` lacks, or those of them called ``names``;
    those that it has stay as they are, to the bit, and others that it lacks are left untrained.

    CycleGAN's published models are one generator and nothing else. Discriminators learn to tell real pictures
    from what the generators make, under noise (see `TrainSettings.noise`); they are judges of the same task,
    not the very ones that the generators were trained with. A second generator is trained with them, by the
    whole objective. Raises `MissingNetwork` without any generator, `UsageError` where nothing is missing.
    """
    missing = quartet.missing()
    if not missing:
        raise UsageError("all four networks are there: nothing is left to train; compress them as they are")
    if quartet.G_A is None and quartet.G_B is None:
        quartet.require("G_A")
    return Networks.completed(quartet, settings), replace(settings, trained=tuple(names or missing))


def _result(folder: Path, networks: Networks, steps: int) -> TrainResult:
    files: dict[NetName, Path] = {name: folder / network_file(name) for name, _ in networks.items()}
    found = {name: load_like(files[name], net) for name, net in networks.items()}
    return TrainResult(replace(networks, **found), steps, files)
