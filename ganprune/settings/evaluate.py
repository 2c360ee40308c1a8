"""How ``evaluate`` measures pictures."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ganprune.errors import UsageError
from ganprune.settings.compress import ComputeSettings
from ganprune.settings.fields import check_fields, like, no_setting, setting
from ganprune.settings.search import OPTIONS, WHERE
from ganprune.settings.words import MOST_THREADS

if TYPE_CHECKING:
    from ganprune.checkpoints import Own
    from ganprune.images import DataSource

LABELS = "Of labels"
"""A group of options."""


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """Which figures, of what pictures, and on what they are computed."""

    own: "Own" = no_setting()
    """The user's modules that networks are of."""
    data: "DataSource | None" = no_setting(None)
    """Test pictures of a run; None: the run's own."""
    features: str | None = no_setting(None)
    """The network that compares pictures, see `ganprune.metrics.load_features`."""
    probe: tuple[Path, Path] | None = no_setting(None)
    """Folders of real pictures of A and of B; as ``lost``, for two folders alone."""
    lost: tuple[Path, Path] | None = no_setting(None)
    """Folders of the original's pictures and of its inputs."""

    fid: bool = setting(False, panel=OPTIONS)
    """FID too, against test pictures and, where given, train + test."""
    bootstrap: int = 200
    """Resamples for 95 % intervals; 0: none."""
    seed: int = 0
    """Of the resamples."""
    train: Path | None = setting(None, metavar="DIR")
    """Real training pictures, for FID against train + test."""
    pictures: int | None = setting(None, least=2)
    """The first N test pictures a domain; default all."""
    fcn: Path | None = setting(None, panel=LABELS, metavar="FILE")
    """FCN score by this segmentation network, an ONNX file that gives logits."""
    fcn_input: str = setting("torchvision", metavar="KIND")
    """What it takes: torchvision (ImageNet's mean and deviation), keras (-1…1), caffe (BGR less means), unit
    (0…1) or raw (0…255)."""
    cache: Path | None = setting(None, metavar="DIR")
    """Keep features here; default: the run's cache/, of folders nowhere."""
    device: str = like(ComputeSettings, "device")
    threads: int | None = setting(None, least=1, most=MOST_THREADS, panel=WHERE)
    """CPU threads; default all."""
    batch: int = setting(32, least=1)
    """Pictures a forward pass of the network that compares them."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.cache is not None and self.cache.exists() and not self.cache.is_dir():
            raise UsageError(f"--set cache must be a folder, found the file {self.cache}")
