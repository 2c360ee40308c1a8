"""Features that were computed before: kept by what the pictures hold and which network saw them."""

import hashlib
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from ganprune.metrics.extractor import FeatureNetwork, Pictures, features_of
from ganprune.reporting import SILENT, Reporter
from ganprune.storage.files import sha256, write_atomically


def cached_features(
    network: FeatureNetwork,
    pictures: Pictures,
    batch: int = 32,
    folder: Path | None = None,
    reporter: Reporter = SILENT,
) -> Tensor:
    """`features_of`, from a file in ``folder`` where the same pictures met the same network before.

    The file is found by the bytes of the pictures, in their order, and the network's name; a damaged one is
    made anew. Without a folder nothing is kept.
    """
    if folder is None:
        return features_of(network, pictures, batch, reporter)
    path = folder / f"features-{content_key(network, pictures)}.safetensors"
    try:
        return load_tensors(path.read_bytes())["features"]
    except (FileNotFoundError, SafetensorError, KeyError):
        found = features_of(network, pictures, batch, reporter)
        write_atomically(path, save_tensors({"features": found}, {"network": network.name}), over="any")
        return found


def content_key(network: FeatureNetwork, pictures: Pictures) -> str:
    """32 hexadecimal digits that change with any byte of the pictures, their order, or the network."""
    digest = hashlib.sha256(network.name.encode())
    if isinstance(pictures, Tensor):
        digest.update(repr(tuple(pictures.shape)).encode())
        digest.update(pictures.contiguous().numpy().tobytes())
    else:
        for path in pictures:
            digest.update(sha256(path).encode())
    return digest.hexdigest()[:32]
