"""Weights that a file holds in parts, put together as they are in eval mode: spectral and weight norm.

PyTorch has each in two forms, a hook and a parametrization:

    spectral norm   weight_orig, weight_u, weight_v               W / σ,  σ = uᵀ W v with W as a matrix
                    parametrizations.weight.original, .0._u, ._v
    weight norm     weight_g, weight_v                            g · v / ‖v‖, a norm for each first index
                    parametrizations.weight.original0, .original1

Source: ``torch/nn/utils``: ``spectral_norm.py``, ``weight_norm.py``, ``parametrizations.py``.
"""

import copy
from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize, remove_spectral_norm, remove_weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from ganprune.errors import CheckpointError

_SPECTRAL = (
    ("weight_orig", "weight_u", "weight_v"),
    ("parametrizations.weight.original", "parametrizations.weight.0._u", "parametrizations.weight.0._v"),
)
_WEIGHT = (
    ("weight_g", "weight_v"),
    ("parametrizations.weight.original0", "parametrizations.weight.original1"),
)


@torch.no_grad()
def with_plain_weights(network: nn.Module) -> nn.Module:
    """A copy in eval mode whose weights are as they are computed with; of any parametrization."""
    for module, hook in _hooks(network):
        # The weight that it left has a gradient behind it: of such there are no copies.
        setattr(module, hook.name, getattr(module, hook.name).detach())
    twin = copy.deepcopy(network).eval()
    for module, hook in _hooks(twin):
        remove = remove_spectral_norm if isinstance(hook, SpectralNorm) else remove_weight_norm
        remove(module, hook.name)
    for module in twin.modules():
        if parametrize.is_parametrized(module):
            # PyTorch's remove_parametrizations changes the class, which copies of a module share.
            names = list(cast("nn.ModuleDict", module.parametrizations))
            weights = {name: getattr(module, name) for name in names}
            module.__class__ = parametrize.type_before_parametrizations(module)
            del module.parametrizations
            for name, weight in weights.items():
                module.register_parameter(name, nn.Parameter(weight))
    return twin


def _hooks(network: nn.Module) -> list[tuple[nn.Module, SpectralNorm | WeightNorm]]:
    found = list[tuple[nn.Module, SpectralNorm | WeightNorm]]()
    for module in network.modules():
        hooks = cast("list[object]", [*module._forward_pre_hooks.values()])  # pyright: ignore[reportPrivateUsage]
        found += [(module, hook) for hook in hooks if isinstance(hook, SpectralNorm | WeightNorm)]
    return found


def folded(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The same with plain weights, and which norms of weights were folded in.

    Raises CheckpointError where the parts of a weight do not fit each other.
    """
    found, norms = dict(tensors), list[str]()
    for kind, forms, whole in (("spectral norm", _SPECTRAL, _spectral), ("weight norm", _WEIGHT, _weight)):
        for parts in forms:
            for name in [name for name in found if name.endswith(f".{parts[0]}")]:
                layer = name.removesuffix(parts[0])
                if not all(layer + part in found for part in parts):
                    raise CheckpointError(
                        f"holds {name} and lacks "
                        + " and ".join(layer + part for part in parts if layer + part not in found)
                    )
                found[f"{layer}weight"] = whole(name, *(found.pop(layer + part).float() for part in parts))
                norms.append(kind)
    return found, tuple(dict.fromkeys(norms))


def _spectral(name: str, weight: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """W / σ.

    The rows of the matrix are the first index of W, or the second one of a transposed convolution: u and v
    fit one of them. Where they fit both, it is the one whose singular vectors they are: σ is largest there.
    """
    matrices = [weight.transpose(0, rows).flatten(1) for rows in range(min(weight.ndim, 2))]
    sigmas = [u @ matrix @ v for matrix in matrices if matrix.shape == (*u.shape, *v.shape)]
    if not sigmas:
        raise CheckpointError(
            f"{name} has shape {tuple(weight.shape)}, its singular vectors {tuple(u.shape)} and "
            f"{tuple(v.shape)}"
        )
    return weight / max(sigmas)


def _weight(name: str, g: Tensor, v: Tensor) -> Tensor:
    if g.shape != (len(v), *[1] * (v.ndim - 1)):
        raise CheckpointError(f"{name} has shape {tuple(g.shape)}, its directions have {tuple(v.shape)}")
    return g * v / v.flatten(1).norm(dim=1).view_as(g)
