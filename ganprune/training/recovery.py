"""Networks that a checkpoint lacks: CycleGAN's published models are one generator and nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from ganprune.checkpoints import Quartet
from ganprune.errors import UsageError
from ganprune.images import Domain
from ganprune.reporting import SILENT, Reporter
from ganprune.training.budget import Budget
from ganprune.training.loop import TrainResult, train
from ganprune.training.networks import Networks
from ganprune.training.settings import TrainSettings
from ganprune.training.team import ALONE, Team


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
    team: Team = ALONE,
) -> TrainResult:
    """Train the networks that ``quartet`` lacks; those that it has stay as they are, to the bit.

    Discriminators learn to tell real pictures from what the generators make, under noise (see
    `TrainSettings.noise`); they are judges of the same task, not the very ones that the generators were
    trained with. A second generator is trained with them, by the whole objective. Writes all four networks,
    as CycleGAN names them; resumable, see `train`, which also says what is raised. Raises `MissingNetwork`
    without any generator, `UsageError` where nothing is missing.
    """
    missing = quartet.missing()
    if not missing:
        raise UsageError("all four networks are there: nothing is left to train; compress them as they are")
    if quartet.G_A is None and quartet.G_B is None:
        quartet.require("G_A")
    networks = Networks.completed(quartet, settings)
    recipe = replace(settings, trained=missing)
    return train(
        networks, pictures, recipe, budget, folder, reporter,
        samples=samples, processes=processes, team=team,
    )  # fmt: skip
