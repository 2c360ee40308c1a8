"""Batch norm by each picture's own statistics: what CycleGAN's test.py shows without ``--eval``.

Source: pytorch-CycleGAN-and-pix2pix, ``test.py``: networks stay in training mode unless ``--eval`` is given,
and pictures come one by one. The batch norm of one picture is its instance norm, with weights and biases.
"""

import copy
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from ganprune.models.cyclegan import Generator, InstanceNorm
from ganprune.models.traits import norm_of

OPTION = "--set picture-statistics=true"


def by_picture(generator: nn.Module) -> nn.Module:
    """The network of affine instance norm that normalises each picture by its own statistics, in any batch;
    itself where it has no batch norm."""
    if not any(isinstance(module, nn.BatchNorm2d) for module in generator.modules()):
        return generator
    learns = any(parameter.requires_grad for parameter in generator.parameters())
    if isinstance(generator, Generator):
        with torch.device(next(generator.parameters()).device):
            made = Generator(generator.widths, "affine-instance")
        made.block_name = generator.block_name
        # Biases before an instance norm do nothing; before a batch norm there are none.
        known = {name: torch.zeros_like(value) for name, value in made.state_dict().items()}
    else:
        made, known = copy.deepcopy(generator), dict[str, Tensor]()
        for name, module in list(made.named_modules()):
            if isinstance(module, nn.BatchNorm2d):
                norm = InstanceNorm(module.num_features, module.eps, affine=module.affine)
                made.set_submodule(name, norm.to(next(generator.parameters()).device))
    names = made.state_dict().keys()
    known |= {name: value for name, value in generator.state_dict().items() if name in names}
    made.load_state_dict(known)
    return made.train(generator.training).requires_grad_(learns)


def told(names: Iterable[str]) -> str:
    """One line for those whose networks of these names have batch norm."""
    return (
        f"batch norm in {', '.join(names)}: its running statistics are used, as CycleGAN's test.py does with "
        f"--eval and not without; `compress`, `export` and `translate` use each picture's own with {OPTION}"
    )


def told_of(networks: Mapping[str, nn.Module], by_picture: bool) -> str | None:
    """What becomes of the batch norms of some networks; None where there is nothing to say."""
    names = [name for name, network in networks.items() if "batch" in norm_of(network)]
    if by_picture:
        where = f"in {', '.join(names)}" if names else "in none of the networks, and changes nothing"
        return f"{OPTION}: each picture's own statistics for the batch norm {where}"
    return told(names) if names else None
