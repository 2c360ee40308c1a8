"""The weights that a training begins with."""

import torch
from torch import nn

GAIN = 0.02
"""Standard deviation of first weights (``init_weights`` in ``networks.py`` of CycleGAN's code)."""


@torch.no_grad()
def draw_weights(network: nn.Module, gain: float, generator: torch.Generator) -> None:
    """Draw all weights of a network on the CPU anew, in place: normal, biases zero, those of norms about one.

    gain: standard deviation. Running statistics of batch norm begin anew.
    """
    for name, parameter in network.named_parameters():
        if parameter.dim() > 1:
            nn.init.normal_(parameter, 0.0, gain, generator=generator)
        elif name.endswith(".bias"):
            nn.init.zeros_(parameter)
        else:
            nn.init.normal_(parameter, 1.0, gain, generator=generator)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
