"""How ``translate`` translates."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ganprune.errors import UsageError
from ganprune.settings.compress import ComputeSettings, PictureSettings
from ganprune.settings.evaluate import EvaluateOptions
from ganprune.settings.fields import check_fields, like, no_setting, setting
from ganprune.settings.search import OPTIONS, WHERE

if TYPE_CHECKING:
    from ganprune.checkpoints import Own


@dataclass(frozen=True, slots=True)
class TranslateOptions:
    """What is asked for, whatever translates."""

    own: "Own" = no_setting()
    """The user's modules that networks are of."""

    direction: Literal["AtoB", "BtoA"] | None = setting(None, panel=OPTIONS)
    """By G_A or by G_B; default AtoB, or that of the file. A lone generator or ONNX file has one way only:
    this then names the results."""
    save: str = setting("fake", panel=OPTIONS, metavar="KIND[,KIND]")
    """fake: translated; real: as the network saw it; rec: back again."""
    preprocess: Literal["auto", "resize", "scale_width", "none"] = setting(
        "auto", panel=OPTIONS, metavar="MODE"
    )
    """resize: to --size squared; scale_width: to a width of --size; none: at their own size; auto: resize, of
    a video none."""
    tile: int | None = setting(None, panel=OPTIONS, least=32, multiple=4)
    """Translate in overlapping tiles of N×N pixels, for pictures too large for the memory. Instance norm then
    takes its statistics from each tile: tones may differ between them."""
    as_stored: bool = setting(False, panel=OPTIONS)
    """Do not turn pictures as their EXIF orientation says."""
    keep_alpha: bool = setting(False, panel=OPTIONS)
    """Results keep the alpha channel of pictures that have one."""
    overwrite: bool = setting(False, panel=OPTIONS)
    """Replace files that are there."""
    resume: bool = setting(False, panel=OPTIONS)
    """Leave files that are there, write the others."""
    picture_statistics: bool = like(PictureSettings, "picture-statistics")
    """Batch norm by each picture's own statistics, as CycleGAN's test.py without --eval."""
    size: int | None = setting(None, panel=WHERE)
    """Height and width; default 256, of a run and of an ONNX file their own."""
    device: str = like(ComputeSettings, "device")
    precision: Literal["float32", "bfloat16", "auto"] = setting("float32", metavar="P")
    """Of networks: float32, bfloat16, or auto: what the hardware computes natively."""
    threads: int | None = like(EvaluateOptions, "threads")
    batch: int | None = like(ComputeSettings, "batch")

    def __post_init__(self) -> None:
        check_fields(self)
        if self.overwrite and self.resume:
            raise UsageError("--overwrite and --resume contradict each other; give one of them")
