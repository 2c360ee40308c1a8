"""The CycleGAN objective and its training loop: from nothing, or on from pretrained or slim networks.

folder.py        from the first step to the last      loop.py           what happens at which step
step.py          one step, from top to bottom         graphs.py         parts of it as CUDA graphs
networks.py      the four networks                    state.py          all that changes, in one file
pictures.py      which pictures a step sees           objective.py      CycleGAN's losses, and its image pool
distillation.py  losses where the originals teach     teacher_cache.py  what they make of the pictures, kept
perceptual.py    VGG16, which compares pictures       validation.py     distances to originals; the best
log.py           losses every few steps; curves       record.py         what was asked for
process_group.py shares of a batch, means of gradients, among several processes
processes.py     how they are started, watched and ended
"""

from ganprune.settings.budget import Budget
from ganprune.settings.training import DistilSettings, TrainSettings
from ganprune.training.distillation import Teacher, TranslatedMaps
from ganprune.training.folder import TrainResult, completing, train
from ganprune.training.loop import learning_rate
from ganprune.training.networks import Networks
from ganprune.training.objective import ImagePool
from ganprune.training.perceptual import Vgg16, load_vgg16
from ganprune.training.pictures import TrainingPictures
from ganprune.training.process_group import ProcessGroup
from ganprune.training.state import TrainState
from ganprune.training.step import Trainer, TrainingError
from ganprune.training.teacher_cache import Distillation, TeacherCache
from ganprune.training.validation import Validation

__all__ = [
    "Budget", "DistilSettings", "Distillation", "ImagePool", "Networks", "ProcessGroup", "Teacher",
    "TeacherCache", "TrainResult", "TrainSettings", "TrainState", "Trainer", "TrainingError",
    "TrainingPictures", "TranslatedMaps", "Validation", "Vgg16", "completing", "learning_rate", "load_vgg16",
    "train",
]  # fmt: skip
