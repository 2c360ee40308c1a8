"""Which norm a network has, told by the names of its tensors, and which tensors come with it.

Source: pytorch-CycleGAN-and-pix2pix, ``networks.py``, ``get_norm_layer``. Instance norm has no tensors
and lets the convolutions before it keep their biases. Batch norm has weights, biases and running
statistics, and without a norm there is nothing; in both cases those convolutions have no biases.
Affine instance norm, which others build into the same network, has weights and biases, and so have the
convolutions before it.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ganprune.errors import CheckpointError, UnsupportedArchitecture
from ganprune.models.cyclegan import Norm, norm_key

AFFINE_PARTS = ("weight", "bias")
"""Tensors of an affine instance norm, one number a channel each."""

BATCH_PARTS = (*AFFINE_PARTS, "running_mean", "running_var")
"""Tensors of a batch norm, one number a channel each."""

COUNT = "num_batches_tracked"
"""How many batches a batch norm has seen; nothing depends on it in eval mode, and old files lack it."""


def norm_of(tensors: Mapping[str, Tensor], normed: Sequence[str]) -> Norm:
    """The norm after the convolutions called ``normed``.

    Raises UnsupportedArchitecture for norms with weights after convolutions that have biases where such a
    network has none, or none where it has them.
    """
    norms = [norm_key(key) for key in normed]
    learned = [key for key in norms if f"{key}.weight" in tensors and tensors[f"{key}.weight"].ndim == 1]
    biases = [key for key in normed if f"{key}.bias" in tensors]
    if not learned:
        return "instance" if biases else "none"
    if not any(f"{key}.running_var" in tensors for key in norms):
        if biases:
            return "affine-instance"
        raise UnsupportedArchitecture(
            f"has a norm with weights and no running statistics ('{learned[0]}.weight') after convolutions "
            "without biases; ganprune reads affine instance norm after convolutions that have them, and "
            "batch norm with its running statistics"
        )
    if biases:
        raise UnsupportedArchitecture(
            f"has a norm with weights and running statistics ('{learned[0]}.weight') after convolutions with "
            f"biases ('{biases[0]}.bias'); in CycleGAN's batch norm networks they have none"
        )
    return "batch"


def vectors(key: str, norm: Norm | None) -> list[str]:
    """Names of the tensors with one number a filter of the convolution ``key``; None: no norm comes after."""
    if norm == "batch":
        return [f"{norm_key(key)}.{part}" for part in BATCH_PARTS]
    if norm == "affine-instance":
        return [f"{key}.bias", *(f"{norm_key(key)}.{part}" for part in AFFINE_PARTS)]
    return [] if norm == "none" else [f"{key}.bias"]


def batches_seen(tensors: Mapping[str, Tensor], name: str) -> Tensor:
    """A batch norm's count, int64 []; 0 where the file has none that can be read as one."""
    found = tensors.get(name)
    if found is None or found.numel() != 1 or found.is_floating_point() or found.is_complex():
        return torch.tensor(0)
    return found.detach().reshape(()).to("cpu", torch.int64, copy=True)


def check_variances(name: str, tensor: Tensor) -> None:
    """Raise CheckpointError for a running variance that is negative; its root would be NaN."""
    if name.endswith(".running_var") and bool((tensor < 0).any()):
        raise CheckpointError(f"{name} holds negative variances; the file is damaged")
