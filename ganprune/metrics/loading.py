"""A file of weights → a feature network, recognised by its tensors' names."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ganprune.checkpoints import read_tensors
from ganprune.errors import InputError, UsageError
from ganprune.metrics.extractor import FeatureNetwork, resized
from ganprune.metrics.inception import INCEPTION_KEY, load_inception
from ganprune.metrics.mobilenet import mobilenet_v2
from ganprune.metrics.normalise import Normalise, caffe, keras, torchvision
from ganprune.metrics.squeezenet import squeezenet1_1
from ganprune.storage.files import sha256
from ganprune.system.device import cpu_threads, reproducible, resolve_device, resolve_threads

SIZE = 224
"""Height and width, pixels, that pictures are resized to."""

INCEPTION = "inception"
"""In place of a path: the weights that torch-fidelity downloads."""

_MOBILENET = "features.1.conv.0.0.weight"
_SQUEEZENET = "features.3.squeeze.weight"


@dataclass(frozen=True, slots=True)
class MapFeatures:
    """A `FeatureNetwork`: the mean of a convolutional network's last map over its places."""

    name: str
    """See `FeatureNetwork`."""
    net: nn.Module
    """[n, 3, 224, 224] → [n, d, h, w]."""
    normalise: Normalise
    """What the network's pictures look like."""
    device: str = "cpu"
    """Where to compute."""
    threads: int = 1
    """Of the CPU."""

    @torch.inference_mode()
    def __call__(self, pictures: Tensor) -> Tensor:
        """uint8 [n, 3, h, w], RGB → float64 [n, d] on the CPU."""
        with cpu_threads(self.threads), reproducible():
            x = self.normalise(resized(pictures, SIZE).to(self.device).float())
            return self.net(x).mean((2, 3)).double().cpu()


def load_features(path: Path | str, device: str = "cpu", threads: int | None = None) -> FeatureNetwork:
    """A feature network from a file of MobileNetV2, SqueezeNet 1.1 or Inception, safetensors or ``.pth``.

    Tensors have torchvision's names. Torchvision's own weights come with a classifier or with counters of
    batches; without, they are taken as converted from Keras, and are fed and padded as Keras does.
    Inception is torch-fidelity's, which is then needed; ``inception`` in place of a path has it download its
    weights. threads: of the CPU; None: all cores.

    Raises `UsageError` where there is no such file, no such device, or no torch-fidelity;
    `CheckpointError` where the file is damaged; `InputError` where it holds another network;
    `DownloadError` where weights cannot be downloaded.
    """
    device, cores = resolve_device(device), resolve_threads(threads)
    if str(path) == INCEPTION and not Path(path).exists():
        return load_inception(None, None, device, cores)
    path = Path(path)
    if not path.is_file():
        raise UsageError(
            f"--features needs a file of MobileNetV2, SqueezeNet 1.1 or Inception, found no file {path}; "
            f"docs/metrics.md says where they are from, `{INCEPTION}` downloads one"
        )
    tensors = {key: value.float() for key, value in read_tensors(path).items()}
    if INCEPTION_KEY in tensors:
        return load_inception(path, tensors, device, cores)
    own = any(key.startswith("classifier.") or key.endswith("num_batches_tracked") for key in tensors)
    trained_by = "torchvision" if own else "Keras"
    try:
        if _MOBILENET in tensors:
            kind, net = "mobilenet_v2", mobilenet_v2(tensors, keras=not own)
        elif _SQUEEZENET in tensors:
            kind, net = "squeezenet1_1", squeezenet1_1(tensors)
        else:
            raise InputError(_unknown(path, tensors))
    except (KeyError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{path}: needed a whole network with torchvision's tensor names, found that it does not fit "
            f"({_one_line(error)}); give another file of features"
        ) from error
    normalise = torchvision if own else keras if kind == "mobilenet_v2" else caffe
    name = f"{kind} by {trained_by} {sha256(path)[:12]}, {SIZE}×{SIZE} PIL bicubic"
    return MapFeatures(name, net.to(device), normalise, device, cores)


def _unknown(path: Path, tensors: Mapping[str, Tensor]) -> str:
    keys = ", ".join(sorted(tensors)[:3])
    return (
        f"{path}: needed the tensors of MobileNetV2 ({_MOBILENET}), SqueezeNet 1.1 ({_SQUEEZENET}) or "
        f"torch-fidelity's Inception ({INCEPTION_KEY}), found {len(tensors)} others ({keys}, …); "
        "give a file of one of these networks, with torchvision's names"
    )


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"no tensor {text}" if isinstance(error, KeyError) else text[:200]
