"""A short fine-tuning of each individual before it is scored, as the paper does it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import nn

from ganprune.checkpoints import Quartet
from ganprune.images import PictureFolders, split
from ganprune.models.copying import copied
from ganprune.settings.words import DOMAINS, Domain
from ganprune.training import (
    Networks,
    Trainer,
    TrainingError,
    TrainingPictures,
    TrainSettings,
    TrainState,
)
from ganprune.training.seeds import generator_for

TUNE_SHARE = 0.1
"""Share of the training pictures that individuals are fine-tuned on (section 4 of the paper)."""


def tuning_pictures(
    folders: PictureFolders, *, seed: int, holdout: int, scored: Collection[Path] = ()
) -> dict[Domain, tuple[Path, ...]]:
    """A tenth of each domain's training pictures, drawn by ``seed``.

    None that individuals are scored on: of those held out, nor of ``scored`` while there are others.
    """
    chosen: dict[Domain, tuple[Path, ...]] = {}
    for side in DOMAINS:
        paths, _ = split(folders, side, seed=seed, holdout=holdout)
        order = torch.randperm(len(paths), generator=generator_for(seed, "tuning pictures", side)).tolist()
        drawn = [paths[i] for i in order]
        others = [path for path in drawn if path not in scored] or drawn
        chosen[side] = tuple(others[: max(1, round(TUNE_SHARE * len(paths)))])
    return chosen


@dataclass(frozen=True, slots=True)
class FineTuner:
    """Trains a slim generator and a copy of its discriminator by the CycleGAN recipe; the partner stays."""

    discriminators: Mapping[Domain, nn.Module]
    """The original D_A and D_B; that of a side is needed."""
    pictures: Mapping[Domain, Sequence[Path]]
    """See `tuning_pictures`."""
    settings: TrainSettings
    """Recipe, device and precision."""
    steps: int
    """Steps an individual, at a constant learning rate."""
    channels: Mapping[Domain, int] = field(default_factory=dict[Domain, int])
    """Of the pictures of each domain; 3 where nothing is said."""
    _read: list[TrainingPictures] = field(default_factory=list[TrainingPictures], repr=False)

    def __call__(self, side: Domain, slim: nn.Module, partner: nn.Module, name: str) -> nn.Module:
        """A fine-tuned copy of ``slim``, float32. ``name`` of the individual decides all that is random."""
        self.read()
        recipe = replace(self.settings, trained=("G_A", "D_A") if side == "A" else ("G_B", "D_B"))
        A, B = (slim, partner) if side == "A" else (partner, slim)
        whole = Quartet(A, B, self.discriminators.get("A"), self.discriminators.get("B"))
        trainer = Trainer(TrainState.start(Networks.known(whole), recipe), recipe)
        for step in range(self.steps):
            generator = generator_for(recipe.seed, "tune", side, name, step)
            real = self._read[0].batch(recipe.seed, step, recipe.batch, generator)
            try:
                trainer.step({s: x.to(recipe.device) for s, x in real.items()}, recipe.lr, generator)
            except TrainingError:  # losses that are no numbers: the last good weights are scored
                break
        trained = trainer.state.networks
        tuned = trained.G_A if side == "A" else trained.G_B
        return copied(tuned).requires_grad_(False).eval()

    def read(self) -> None:
        """Read the pictures now, so that a copy of this needs no files; see `TrainingPictures` for errors."""
        if not self._read:
            self._read.append(
                TrainingPictures(self.pictures, self.settings.transform, channels=self.channels)
            )
