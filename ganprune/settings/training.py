"""What decides how a CycleGAN is trained. The defaults are CycleGAN's own recipe."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganprune.errors import UsageError
from ganprune.settings.fields import check_fields, no_setting, setting
from ganprune.settings.search import WHAT
from ganprune.settings.words import NET_NAMES, SIZES, GanMode, NetName, Precision, Preprocess

if TYPE_CHECKING:
    from ganprune.images import TrainTransform


@dataclass(frozen=True, slots=True)
class DistilSettings:
    """Weights of the terms, and what maps are compared."""

    pixels: float = setting(10.0, least=0)
    """Weight of the pictures' difference."""
    maps: float = setting(1.0, least=0)
    """Weight of the difference of the trunk's maps; 0: not computed."""
    places: int = setting(4, least=1)
    """Maps that are compared, see `Teacher.taps`."""
    adapters: bool = False
    """Compare through 1×1 convolutions with all channels of the original, not with the kept ones."""
    features: float = setting(15.0, least=0)
    """Weight of the difference in the original discriminator's first layers; 0: not computed."""
    layers: int = setting(3, least=1)
    """How many of its activations are compared. The three of a 70×70 PatchGAN's strided convolutions see
    texture; the two layers after them cost twice as much and brought nothing (docs/results)."""
    vgg: float = setting(4.0, least=0)
    """Weight of the difference in VGG16's maps, where a teacher has it; 0: not computed."""
    vgg_window: int = setting(128, least=32)
    """Side of the square that VGG16 sees of every picture, pixels; another place at each step. A quarter of a
    picture teaches as well as the whole and costs a quarter."""
    gan: float = setting(0.0, least=0)
    """Weight of the adversarial term; with it the discriminators learn too. 0: they are not needed."""
    repeats: int = setting(12, least=1)
    """How often a training shows each of its pictures, which the original has to translate once; of a short
    one at least a hundred. 1: as many pictures as there are."""

    def __post_init__(self) -> None:
        check_fields(self)
        if not (self.pixels or self.maps or self.features):
            raise UsageError(
                "one of --set distil-pixels, distil-maps and distil-features must be more than 0"
            )


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """The recipe of pytorch-CycleGAN-and-pix2pix; the same for fine-tuning and for training from nothing."""

    trained: tuple[NetName, ...] = no_setting(NET_NAMES)
    """Networks that learn; the others stay as they are."""
    lr: float = setting(2e-4, above=0)
    """Learning rate of Adam, until it falls linearly to zero."""
    decay: float = setting(0.5, least=0, most=0.9)
    """Share of the steps, the last ones, over which the learning rate falls."""
    beta1: float = setting(0.5, least=0, below=1)
    """Adam's decay of the mean gradient."""
    beta2: float = setting(0.999, least=0, below=1)
    """Adam's decay of the mean squared gradient."""
    batch: int = setting(1, least=1, most=4096)
    """Pictures of each domain a step."""
    gan_mode: GanMode = "lsgan"
    """Form of the GAN loss: squared distance, or cross entropy."""
    lambda_A: float = setting(10.0, least=0)
    """Weight of the cycle A → B → A."""
    lambda_B: float = setting(10.0, least=0)
    """Weight of the cycle B → A → B."""
    lambda_identity: float = setting(0.5, least=0)
    """Weight of the identity loss, times that of the cycle; 0 leaves it out and saves two passes a step."""
    paired: bool = no_setting(False)
    """Pictures of A and B are drawn in pairs, and by pix2pix's recipe: one generator and its discriminator,
    no cycle, the picture that belongs to the input as what is wanted."""
    lambda_L1: float = no_setting(100.0)
    """Weight of the distance to that picture."""
    pool_size: int = setting(50, least=0)
    """Earlier fakes kept a domain, for the discriminators to see; 0: only the newest."""
    instance_noise: float | None = setting(None, least=0)
    """Standard deviation of Gaussian noise on all that discriminators are shown in their own step, in a range
    of 2. None: 0.5 where no generator learns, else 0. Source: Sønderby et al., ICLR 2017, section 3."""
    size: int = setting(256, within=SIZES, panel=WHAT)
    """Height and width of crops, pixels."""
    load_size: int | None = setting(None, least=1)
    """Height and width that pictures are resized to before they are cropped; none: size × 286 / 256, and
    size where the originals teach, which then are shown pictures as they will be translated."""
    preprocess: Preprocess = setting("resize_and_crop", metavar="MODE")
    """resize_and_crop: to load-size squared, then a random crop; crop: of the picture as it is; scale_width:
    to a width of load-size; scale_width_and_crop: both; none: to the next multiples of 4."""
    flip: bool = True
    """Mirror half of the pictures."""
    seed: int = setting(0, least=0, below=2**63)
    """Every random number of the training follows from this and the step's number."""
    distil: DistilSettings | None = no_setting(None)
    """Learn from the originals, see `ganprune.training.distillation`; None: the CycleGAN recipe."""
    average: float = setting(0.0, least=0, below=1)
    """Decay of the generators' running averages, a step; 0: none. In the first steps the averages follow
    faster. Source: Yazıcı et al., "The Unusual Effectiveness of Averaging in GAN Training", ICLR 2019."""
    validations: int = setting(0, least=0)
    """How often the generators are scored on pictures that no step sees; where they learn from the
    originals, those that scored best are the result. 0: never."""
    patience: int | None = setting(None, least=1)
    """Stop after this many validations in a row without a better one; None: make all steps."""
    precision: Precision = "float32"
    """Of convolutions. bfloat16 keeps weights, norms' sums, losses and optimizer in float32."""
    device: str = no_setting("cpu")
    """cpu, cuda or cuda:N."""
    ngf: int = setting(64, least=1, most=1024)
    """Filters of the generators' first layer, when they are trained from nothing."""
    blocks: int = setting(9, least=1, most=128)
    """Residual blocks of the generators, when they are trained from nothing."""
    ndf: int = setting(64, least=1, most=1024)
    """Filters of the discriminators' first layer, when they are trained from nothing."""
    init_gain: float = setting(0.02, above=0)
    """Standard deviation of the first weights, when networks are trained from nothing."""

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.trained or not set(self.trained) <= set(NET_NAMES):
            raise UsageError(f"trained must name some of {', '.join(NET_NAMES)}, found {self.trained}")
        if self.patience is not None and not self.validations:
            raise UsageError(f"--set patience={self.patience} needs validations, found none")
        if self.distil is not None and self.distil.gan and not {"D_A", "D_B"} & set(self.trained):
            raise UsageError("an adversarial term needs discriminators that learn; name them in trained")
        if not self.transform.crops and self.batch > 1:
            raise UsageError(
                f"--set batch must be 1 for --set preprocess={self.preprocess}, whose pictures differ in "
                f"shape, found {self.batch}"
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
    def transform(self) -> "TrainTransform":
        """What happens to a training picture."""
        from ganprune.images import TrainTransform

        load_size = self.load_size
        if load_size is None:
            as_shown = self.distil is not None or self.preprocess == "scale_width"
            load_size = self.size if as_shown else round(self.size * 286 / 256)
        return TrainTransform(self.size, load_size, self.preprocess, self.flip)
