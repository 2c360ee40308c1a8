"""A file of weights → a feature network, recognised by its tensors' names."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from ganprune.checkpoints import read_tensors
from ganprune.errors import CheckpointError, InputError, UsageError
from ganprune.metrics.extractor import FeatureNetwork, resized
from ganprune.metrics.inception import INCEPTION_KEY, load_inception
from ganprune.metrics.normalise import caffe, keras, torchvision
from ganprune.metrics.published import Kind, PublishedFeatures, last_map
from ganprune.settings.words import FETCH_FEATURES
from ganprune.storage.files import sha256
from ganprune.system.device import resolve_device, resolve_threads

SIZE = 224  # height and width, pixels, that pictures are resized to

INCEPTION = "inception"  # in place of a path: the weights that torch-fidelity downloads

TOLD_BY: dict[str, Kind] = {
    "features.1.conv.0.0.weight": "mobilenet_v2",
    "features.3.squeeze.weight": "squeezenet1_1",
}
"""Tensors that tell the networks by their names."""


def load_features(path: Path | str, device: str = "cpu", threads: int | None = None) -> FeatureNetwork:
    """A feature network from a file of MobileNetV2, SqueezeNet 1.1 or Inception, safetensors or ``.pth``.

    Tensors have torchvision's names. Torchvision's own weights come with a classifier or with counters of
    batches; without, they are taken as converted from Keras, and are fed and padded as Keras does. All need
    ``ganprune[metrics]``. ``inception`` in place of a path has torch-fidelity download its weights. threads:
    of the CPU; None: all cores.

    Raises `UsageError` where there is no such file, no such device, or no ``ganprune[metrics]``;
    `CheckpointError` where the file is damaged; `InputError` where it holds another network;
    `DownloadError` where weights cannot be downloaded.
    """
    device, cores = resolve_device(device), resolve_threads(threads)
    if str(path) == INCEPTION and not Path(path).exists():
        return load_inception(None, None, device, cores)
    path = Path(path)
    if not path.is_file():
        raise UsageError(
            f"needed a network of features (MobileNetV2, SqueezeNet 1.1 or Inception), found no file {path}; "
            f"{FETCH_FEATURES}; `{INCEPTION}` is the standard one"
        )
    tensors = {key: value.float() for key, value in read_tensors(path).items()}
    if INCEPTION_KEY in tensors:
        return load_inception(path, tensors, device, cores)
    own = any(key.startswith("classifier.") or key.endswith("num_batches_tracked") for key in tensors)
    kinds: list[Kind] = [kind for tensor, kind in TOLD_BY.items() if tensor in tensors]
    if not kinds:
        raise InputError(_unknown(path, tensors))
    (kind, *_) = kinds
    try:
        net = last_map(kind, tensors, keras=not own)
    except CheckpointError as error:
        raise InputError(
            f"{path}: needed a whole network with torchvision's tensor names, found one that {error}; "
            "give another file of features"
        ) from error
    normalise = torchvision if own else keras if kind == "mobilenet_v2" else caffe
    name = f"{kind} by {'torchvision' if own else 'Keras'} {sha256(path)[:12]}, {SIZE}×{SIZE} PIL bicubic"
    net = net.to(device)

    def mean_of_map(pictures: Tensor) -> Tensor:
        return net(normalise(resized(pictures, SIZE).to(device).float())).mean((2, 3))

    return PublishedFeatures(name, mean_of_map, cores)


def _unknown(path: Path, tensors: Mapping[str, Tensor]) -> str:
    keys = ", ".join(sorted(tensors)[:3])
    mobilenet, squeezenet = TOLD_BY
    return (
        f"{path}: needed the tensors of MobileNetV2 ({mobilenet}), SqueezeNet 1.1 ({squeezenet}) or "
        f"torch-fidelity's Inception ({INCEPTION_KEY}), found {len(tensors)} others ({keys}, …); "
        "give a file of one of these networks, with torchvision's names"
    )
