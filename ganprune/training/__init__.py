"""The CycleGAN objective and its training loop: from nothing, or on from pretrained or slim networks.

loop.py          from the first step to the last      step.py           one step, from top to bottom
settings.py      the recipe                           budget.py         how long, at what learning rate
networks.py      the four networks                    state.py          all that changes, in one file
pictures.py      which pictures a step sees           objective.py      CycleGAN's losses, and its image pool
distillation.py  losses where the originals teach     teacher_cache.py  what they make of the pictures, kept
perceptual.py    VGG16, which compares pictures       graphs.py         parts of a step as CUDA graphs
validation.py    distances to originals; the best     log.py            losses, a line every few steps; curves
record.py        what was asked for                   samples.py        pictures to look at
process_group.py shares of a batch, means of gradients, among several processes
processes.py     how they are started, watched and ended
"""

from ganprune.training.budget import Budget, learning_rate
from ganprune.training.distillation import DistilSettings, Teacher, Translated
from ganprune.training.loop import TrainResult, complete, train
from ganprune.training.networks import Networks, save_networks
from ganprune.training.objective import (
    ImagePool,
    TranslatedBatch,
    discriminator_loss,
    gan_loss,
    generator_losses,
    translate,
)
from ganprune.training.perceptual import Vgg16, load_vgg16
from ganprune.training.pictures import TrainingPictures
from ganprune.training.process_group import ProcessGroup
from ganprune.training.settings import GanMode, TrainSettings
from ganprune.training.state import TrainState
from ganprune.training.step import Trainer, TrainingError
from ganprune.training.teacher_cache import Distillation, TeacherCache
from ganprune.training.validation import Validation

__all__ = [
    "Budget",
    "DistilSettings",
    "Distillation",
    "GanMode",
    "ImagePool",
    "Networks",
    "ProcessGroup",
    "Teacher",
    "TeacherCache",
    "TrainResult",
    "TrainSettings",
    "TrainState",
    "Trainer",
    "TrainingError",
    "TrainingPictures",
    "Translated",
    "TranslatedBatch",
    "Validation",
    "Vgg16",
    "complete",
    "discriminator_loss",
    "gan_loss",
    "generator_losses",
    "learning_rate",
    "load_vgg16",
    "save_networks",
    "train",
    "translate",
]
