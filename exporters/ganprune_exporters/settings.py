"""How generators are exported."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from ganprune.settings import PictureSettings
from ganprune.settings.fields import check_fields, like, no_setting, setting
from ganprune.settings.search import OPTIONS, WHAT
from ganprune.settings.words import SIZES

Kind = Literal["fp16", "int8", "portable"]
KINDS: tuple[Kind, ...] = get_args(Kind)
REDUCED: tuple[Kind, ...] = ("fp16", "int8")  # those whose pictures are others than the float32 file's
LIMIT = 0.02
"""Mean absolute distance to the float32 pictures that is allowed, in units of [-1, 1]: 2.5 grey levels."""
BESIDE = "Files beside them"  # a group of options


def _all_passes() -> tuple[str, ...]:
    from ganprune_exporters.passes.names import DEFAULT

    return DEFAULT


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """What the ONNX file is to look like."""

    size: int = setting(256, within=SIZES, panel=WHAT)
    """Height and width of pictures, pixels; of a run those of the run."""
    opset: int = setting(18, least=7, most=23)
    """ONNX opset; 18 is the oldest that PyTorch writes. Older ones are made from it, into which not every
    graph fits."""
    dynamic: bool = setting(False, panel=OPTIONS)
    """Leave batch, height and width free; heights and widths stay multiples of 4."""
    simplify: bool = True
    """Fold constants and fuse operators with onnxsim."""
    passes: tuple[str, ...] = no_setting(make=_all_passes)
    """Rewrites, in order, each with its choice: ``last-convolution=4``; none: the plain export."""
    tune: bool = setting(False, panel=OPTIONS)
    """Time every rewrite here, take the best choice, leave out what is slower. A run keeps it."""
    uint8: bool = setting(False, panel=OPTIONS)
    """Bytes [n, h, w, 3] at both ends, as pictures are decoded."""
    picture_statistics: bool = like(PictureSettings, "picture-statistics")
    """Batch norm by each picture's own statistics, as CycleGAN's test.py without --eval."""
    tolerance: float = setting(1e-4, above=0, key="atol")
    """Largest difference to PyTorch's output that is allowed, in units of its range [-1, 1]."""

    def __post_init__(self) -> None:
        from ganprune_exporters.passes.names import parsed

        check_fields(self)
        for spec in self.passes:
            parsed(spec)

    def to_json(self) -> dict[str, Any]:
        """Everything, in types that JSON has."""
        return asdict(self) | {"passes": list(self.passes)}


@dataclass(frozen=True, slots=True)
class Variants:
    """Files to write beside the float32 ones."""

    fp16: bool = setting(False, panel=BESIDE)
    """Also NAME.fp16.onnx: half the size."""
    int8: bool = setting(False, panel=BESIDE)
    """Also NAME.int8.onnx, calibrated on your pictures."""
    portable: bool = setting(False, panel=BESIDE)
    """Also NAME.portable.onnx: few, plain operators, for other runtimes."""
    int8_limit: float = setting(LIMIT, above=0)
    """Mean distance to the float pictures in [-1, 1] that is allowed. What hurts stays in float."""

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Those that are asked for."""
        return tuple(kind for kind in KINDS if getattr(self, kind))
