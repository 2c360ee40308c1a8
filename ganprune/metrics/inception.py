"""The Inception network of published FID figures, through torch-fidelity."""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganprune.errors import DownloadError, InputError
from ganprune.metrics.published import PublishedFeatures, module_of_extra
from ganprune.storage.files import sha256
from ganprune.storage.scratch import scratch_folder

INCEPTION_KEY = "Conv2d_1a_3x3.conv.weight"  # a tensor that tells the network by its name
FEATURES = "2048"  # the last average pool, on which published FID is defined; torch-fidelity's name for it


def load_inception(
    file: Path | None, tensors: Mapping[str, Tensor] | None, device: str, threads: int
) -> PublishedFeatures:
    """From a file and the tensors that it holds; without, torch-fidelity downloads its own weights once.

    Raises `UsageError` where torch-fidelity is not installed, `InputError` where tensors do not fit,
    `DownloadError` where nothing could be downloaded.
    """
    fidelity = module_of_extra("torch_fidelity.feature_extractor_inceptionv3")
    if file is None:
        net, file = _downloaded(fidelity)
    else:
        with scratch_folder() as scratch:  # it reads files alone, and any pickle
            weights = scratch / "inception.pth"
            torch.save(dict(tensors or {}), weights)
            try:
                net = fidelity.FeatureExtractorInceptionV3(
                    "inception", [FEATURES], feature_extractor_weights_path=str(weights)
                )
            except RuntimeError as error:
                reason = " ".join(str(error).split())[:200]
                raise InputError(
                    f"{file}: needed the weights of torch-fidelity's Inception, found others ({reason}); "
                    "leave them to `--features inception`"
                ) from error
    name = (
        f"inception_v3 by torch-fidelity {version('torch-fidelity')}, {sha256(file)[:12]}, last pool, "
        "299×299 TensorFlow 1 bilinear"
    )
    net = net.eval().to(device)  # resizes pictures itself, as TensorFlow 1 did
    return PublishedFeatures(name, lambda pictures: net(pictures.contiguous().to(device))[0], threads)


def _downloaded(fidelity: Any) -> tuple[nn.Module, Path]:
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(fidelity.URL_INCEPTION_V3).name
    try:
        return fidelity.FeatureExtractorInceptionV3("inception", [FEATURES]), file
    except OSError as error:
        raise DownloadError(
            f"needed the Inception weights of {fidelity.URL_INCEPTION_V3}, the download gave: {error}; "
            "get the file by other means and give --features FILE"
        ) from error
