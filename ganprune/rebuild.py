"""From a genome to a network: a physically slim one, and its masked dense twin.

Instance norm without parameters maps a channel of zeros to zeros, so a filter whose weights *and*
bias are zeroed contributes nothing, through residual sums too: the masked twin and the slim network
compute the same pictures. A zeroed filter that keeps its bias would leave about 1e-6 behind.
"""

import copy

import torch
from torch import Tensor

from ganprune.genome import Layout
from ganprune.networks import Generator, generator_convs


def rebuilt(generator: Generator, layout: Layout, genome: Tensor) -> Generator:
    """The slim generator that a genome describes: slices of the weights, nothing retrained.

    genome: bool [L], at least one bit in every gene. The result shares no memory with ``generator``
    and has its device and precision. Raises `ValueError` for a layout of other widths, or an empty gene.
    """
    if layout.widths != generator.widths:
        raise ValueError(f"the layout is of {layout.widths}, the generator of {generator.widths}")
    kept, original = layout.kept(genome), generator.state_dict()
    state: dict[str, Tensor] = {}
    for conv in generator_convs(layout.widths.blocks):
        weight, bias = original[f"{conv.key}.weight"], original[f"{conv.key}.bias"]
        filters, inputs = (1, 0) if conv.transposed else (0, 1)  # [in, out, k, k] or [out, in, k, k]
        if conv.target is not None:
            index = kept[conv.target].to(weight.device)
            weight, bias = weight.index_select(filters, index), bias.index_select(0, index)
        if conv.source is not None:
            weight = weight.index_select(inputs, kept[conv.source].to(weight.device))
        state[f"{conv.key}.weight"], state[f"{conv.key}.bias"] = weight.clone(), bias.clone()
    with torch.device("meta"):  # no time lost on random weights
        slim = Generator(layout.slim_widths(genome))
    slim.load_state_dict(state, assign=True)
    return slim.requires_grad_(False).eval()


def masked(generator: Generator, layout: Layout, genome: Tensor) -> Generator:
    """The dense network of Eq. 9: dropped filters zeroed, biases too. Computes what `rebuilt` computes."""
    twin, kept = copy.deepcopy(generator), layout.kept(genome)
    state = twin.state_dict()
    for conv in generator_convs(layout.widths.blocks):
        if conv.target is None:
            continue
        weight, bias = state[f"{conv.key}.weight"], state[f"{conv.key}.bias"]
        mask = torch.zeros_like(bias)
        mask[kept[conv.target]] = 1
        shape = (1, -1, 1, 1) if conv.transposed else (-1, 1, 1, 1)
        weight.mul_(mask.view(shape))
        bias.mul_(mask)
    return twin.requires_grad_(False).eval()
