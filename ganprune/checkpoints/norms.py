"""Which norm a network has, told by the names of its tensors, and which tensors come with it.

Source: pytorch-CycleGAN-and-pix2pix, ``networks.py``, ``get_norm_layer``. Instance norm has no tensors
and lets the convolutions before it keep their biases. Batch norm has weights, biases and running
statistics, and without a norm there is nothing; in both cases those convolutions have no biases.
Affine instance norm, which others build into the same network, has weights and biases, and so have the
convolutions before it.
"""

from collections.abc import Mapping, Sequence

from torch import Tensor

from ganprune.errors import UnsupportedArchitecture
from ganprune.models.cyclegan import Norm, norm_key


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
