"""The CycleGAN objective and its training loop: from nothing, or on from pretrained or slim networks.

settings.py    the recipe                         objective.py   the losses, term by term
budget.py      how long, at what learning rate    step.py        one step: G, then D
networks.py    the four networks                  state.py       all that changes, in one file
pictures.py    which pictures a step sees         pool.py        earlier translations
loop.py        from the first step to the last    record.py      what was asked for
log.py         losses, a line every few steps     samples.py     pictures to look at
recovery.py    networks that a checkpoint lacks   checks.py      what can be trained

Where originals teach:
distillation.py  the losses, term by term         lessons.py     what originals make of the pictures
taught.py        one step                         validation.py  distances to originals, on other pictures
best.py          which weights are the result

In several processes:
team.py          shares of a batch, means of gradients
replica.py       what each process has, and how it makes a step
processes.py     how they are started, watched and ended
"""

from ganprune.training.budget import Budget, learning_rate
from ganprune.training.distillation import DistilSettings, Teacher
from ganprune.training.lessons import Lesson, Lessons
from ganprune.training.loop import TrainResult, train
from ganprune.training.networks import Networks, save_networks
from ganprune.training.objective import (
    TranslatedBatch,
    discriminator_loss,
    gan_loss,
    generator_losses,
    translate,
)
from ganprune.training.perceptual import Vgg16, load_vgg16
from ganprune.training.pictures import TrainingPictures
from ganprune.training.pool import ImagePool
from ganprune.training.recovery import complete
from ganprune.training.settings import GanMode, TrainSettings
from ganprune.training.state import TrainState
from ganprune.training.step import TrainingError, distil_step, train_step
from ganprune.training.team import Team, joined
from ganprune.training.validation import Validation

__all__ = [
    "Budget",
    "DistilSettings",
    "GanMode",
    "ImagePool",
    "Lesson",
    "Lessons",
    "Networks",
    "Teacher",
    "Team",
    "TrainResult",
    "TrainSettings",
    "TrainState",
    "TrainingError",
    "TrainingPictures",
    "TranslatedBatch",
    "Validation",
    "Vgg16",
    "complete",
    "discriminator_loss",
    "distil_step",
    "gan_loss",
    "generator_losses",
    "joined",
    "learning_rate",
    "load_vgg16",
    "save_networks",
    "train",
    "train_step",
    "translate",
]
