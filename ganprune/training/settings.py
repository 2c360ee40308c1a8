"""What decides how a CycleGAN is trained. The defaults are CycleGAN's own recipe."""

import hashlib
from dataclasses import dataclass
from typing import Literal

import torch

from ganprune.checkpoints import NET_NAMES, NetName
from ganprune.errors import UsageError
from ganprune.images import Preprocess, TrainTransform
from ganprune.system.device import Precision
from ganprune.training.distillation import DistilSettings

GanMode = Literal["lsgan", "vanilla"]
"""lsgan: squared distance of D's patch map from 1 or 0. vanilla: binary cross entropy of its logits."""


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """The recipe of pytorch-CycleGAN-and-pix2pix; the same for fine-tuning and for training from nothing."""

    trained: tuple[NetName, ...] = NET_NAMES
    """Networks that learn; the others stay as they are."""
    lr: float = 2e-4
    """Learning rate of Adam, until it falls linearly to zero."""
    decay: float = 0.5
    """Share of the steps, the last ones, over which the learning rate falls; at most 0.9."""
    beta1: float = 0.5
    """Adam's decay of the mean gradient."""
    beta2: float = 0.999
    """Adam's decay of the mean squared gradient."""
    batch: int = 1
    """Pictures of each domain a step."""
    gan_mode: GanMode = "lsgan"
    """See `GanMode`."""
    lambda_A: float = 10.0
    """Weight of the cycle A → B → A."""
    lambda_B: float = 10.0
    """Weight of the cycle B → A → B."""
    lambda_identity: float = 0.5
    """Weight of the identity loss, times that of the cycle; 0 leaves it out and saves two passes a step."""
    paired: bool = False
    """Pictures of A and B are drawn in pairs, and by pix2pix's recipe: one generator and its discriminator,
    no cycle, the picture that belongs to the input as what is wanted."""
    lambda_L1: float = 100.0
    """Weight of the distance to that picture."""
    pool_size: int = 50
    """Earlier fakes kept a domain, for the discriminators to see; 0: only the newest."""
    instance_noise: float | None = None
    """Standard deviation of Gaussian noise on all that discriminators are shown in their own step, in a range
    of 2. None: 0.5 where no generator learns, else 0. Source: Sønderby et al., ICLR 2017, section 3."""
    size: int = 256
    """Height and width of crops, pixels; a multiple of 4."""
    load_size: int | None = None
    """Height and width that pictures are resized to before they are cropped; none: size × 286 / 256, and
    size where the originals teach, which then are shown pictures as they will be translated."""
    preprocess: Preprocess = "resize_and_crop"
    """See `ganprune.images.Preprocess`."""
    flip: bool = True
    """Mirror half of the pictures."""
    seed: int = 0
    """Every random number of the training follows from this and the step's number."""
    distil: DistilSettings | None = None
    """Learn from the originals, see `ganprune.training.distillation`; None: the CycleGAN recipe."""
    average: float = 0.0
    """Decay of the generators' running averages, a step; 0: none. In the first steps the averages follow
    faster. Source: Yazıcı et al., "The Unusual Effectiveness of Averaging in GAN Training", ICLR 2019."""
    validations: int = 0
    """How often the generators are scored on pictures that no step sees; where they learn from the
    originals, those that scored best are the result. 0: never."""
    patience: int | None = None
    """Stop after this many validations in a row without a better one; None: make all steps."""
    precision: Precision = "float32"
    """Of convolutions. bfloat16 keeps weights, norms' sums, losses and optimizer in float32."""
    device: str = "cpu"
    """cpu, cuda or cuda:N."""
    ngf: int = 64
    """Filters of the generators' first layer, when they are trained from nothing."""
    blocks: int = 9
    """Residual blocks of the generators, when they are trained from nothing."""
    ndf: int = 64
    """Filters of the discriminators' first layer, when they are trained from nothing."""
    init_gain: float = 0.02
    """Standard deviation of the first weights, when networks are trained from nothing."""

    def __post_init__(self) -> None:
        if not self.trained or not set(self.trained) <= set(NET_NAMES):
            raise UsageError(f"trained must name some of {', '.join(NET_NAMES)}, found {self.trained}")
        for name in ("lr", "init_gain"):
            if not 0 < getattr(self, name) < float("inf"):
                raise UsageError(f"--{_option(name)} must be > 0, found {getattr(self, name):g}")
        if not 0 <= self.decay <= 0.9:
            raise UsageError(f"--decay must lie in 0 … 0.9, found {self.decay:g}")
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"--{name} must be at least 0 and below 1, found {getattr(self, name):g}")
        for name in ("lambda_A", "lambda_B", "lambda_identity", "pool_size", "instance_noise"):
            if getattr(self, name) is not None and not 0 <= getattr(self, name) < float("inf"):
                raise UsageError(f"--{_option(name)} must be ≥ 0, found {getattr(self, name):g}")
        if not 0 <= self.average < 1:
            raise UsageError(f"average must be at least 0 and below 1, found {self.average:g}")
        if self.validations < 0:
            raise UsageError(f"validations must be 0 or more, found {self.validations}")
        if self.patience is not None and not (self.patience >= 1 and self.validations):
            raise UsageError(f"--patience must be 1 or more, with validations, found {self.patience}")
        if self.distil is not None and self.distil.gan and not {"D_A", "D_B"} & set(self.trained):
            raise UsageError("an adversarial term needs discriminators that learn; name them in trained")
        for name, most in (("batch", 4096), ("ngf", 1024), ("blocks", 128), ("ndf", 1024)):
            if not 1 <= getattr(self, name) <= most:
                raise UsageError(f"--{name} must be 1 to {most}, found {getattr(self, name)}")
        if self.gan_mode not in ("lsgan", "vanilla"):
            raise UsageError(f"--gan-mode must be lsgan or vanilla, found {self.gan_mode!r}")
        if self.precision not in ("float32", "bfloat16"):
            raise UsageError(f"--precision must be float32 or bfloat16, found {self.precision!r}")
        if not self.transform.crops and self.batch > 1:
            raise UsageError(
                f"--batch must be 1 for --preprocess {self.preprocess}, whose pictures differ in shape, "
                f"found {self.batch}"
            )

    @property
    def noise(self) -> float:
        """Standard deviation of the noise on what discriminators are shown.

        Against generators that stay as they are a discriminator soon tells every picture, and its answers
        no longer say how good one is; noise keeps the two kinds of pictures from being so easily told.
        """
        if self.instance_noise is not None:
            return self.instance_noise
        return 0.0 if {"G_A", "G_B"} & set(self.trained) else 0.5

    @property
    def transform(self) -> TrainTransform:
        """What happens to a training picture."""
        load_size = self.load_size
        if load_size is None:
            as_shown = self.distil is not None or self.preprocess == "scale_width"
            load_size = self.size if as_shown else round(self.size * 286 / 256)
        return TrainTransform(self.size, load_size, self.preprocess, self.flip)


def generator_for(seed: int, *place: str | int) -> torch.Generator:
    """A random generator of its own for a place, such as ``("step", 12)``, the same each time.

    So the state of none need be saved.
    """
    digest = hashlib.sha256(repr((seed, *place)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:4], "little"))


def _option(name: str) -> str:
    return name.replace("_", "-")
