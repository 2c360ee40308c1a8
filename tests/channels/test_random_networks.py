import copy
import pickle

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized
from torch.utils.flop_counter import FlopCounterMode

from ganprune.channels import ChannelGraph
from ganprune.pruning.cost import macs, params
from ganprune.pruning.genome import Layout
from ganprune.pruning.importance import importance
from ganprune.pruning.rebuild import masked, rebuilt
from ganprune.pruning.resources import Convolutions, Use
from tests.channels.networks import PICTURE, Drawn, programs
from tests.channels.parts import Functional
from tests.strategies import genomes


def layout_of(network: nn.Module, example: Tensor) -> Layout:
    return Layout.of(ChannelGraph.trace(network, example))


def assert_same(one: nn.Module, other: nn.Module) -> None:
    """Tensors of the same names and values."""
    ours, theirs = one.state_dict(), other.state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@given(data=st.data(), drawn=programs())
def test_a_rebuilt_network_equals_the_masked_one(data: st.DataObject, drawn: Drawn) -> None:
    layout = layout_of(drawn.network, drawn.example)
    genome = data.draw(genomes(layout))
    slim, dense = rebuilt(drawn.network, layout, genome), masked(drawn.network, layout, genome)
    torch.testing.assert_close(slim(drawn.pictures), dense(drawn.pictures), atol=1e-9, rtol=1e-9)


@given(drawn=programs())
def test_the_full_genome_gives_the_original_to_the_last_bit(drawn: Drawn) -> None:
    G = drawn.network
    layout = layout_of(G, drawn.example)
    for same in (rebuilt(G, layout, layout.full()), masked(G, layout, layout.full())):
        assert_same(same, G)
        assert torch.equal(same(drawn.pictures), G(drawn.pictures))


@given(data=st.data(), drawn=programs())
def test_rebuilding_a_slim_network_composes(data: st.DataObject, drawn: Drawn) -> None:
    """And a slim network traced again has the same groups. (Of one channel, depthwise is ordinary.)"""
    layout = layout_of(drawn.network, drawn.example)
    first = data.draw(genomes(layout, least=2))
    slim = rebuilt(drawn.network, layout, first)
    smaller = layout_of(slim, drawn.example)
    assert [*smaller.graph.sizes.values()] == [n for n in layout.slim_widths(first).values() if n]
    assert smaller.graph.notes == layout.graph.notes
    second = data.draw(genomes(smaller, least=2))
    both = torch.zeros_like(first)
    both[first.nonzero().flatten()[second]] = True
    assert_same(rebuilt(slim, smaller, second), rebuilt(drawn.network, layout, both))


def pickled(network: nn.Module) -> nn.Module:
    """There and back; PyTorch refuses it for those whose weights are parametrized."""
    if any(is_parametrized(module) for module in network.modules()):
        return copy.deepcopy(network)
    return pickle.loads(pickle.dumps(network))


def trained(network: nn.Module, pictures: Tensor) -> bool:
    """One step; False where the network's own operations in place forbid it."""
    network.requires_grad_(True).train()
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    try:
        network(pictures).square().sum().backward()
    except RuntimeError:
        return False
    optimizer.step()
    return True


@given(data=st.data(), drawn=programs())
def test_a_slim_network_pickles_copies_and_trains_as_the_original_does(
    data: st.DataObject, drawn: Drawn
) -> None:
    layout = layout_of(drawn.network, drawn.example)
    slim = rebuilt(drawn.network, layout, data.draw(genomes(layout)))
    expected = slim(drawn.pictures)
    for twin in (pickled(slim), copy.deepcopy(slim)):
        assert torch.equal(twin(drawn.pictures), expected)
        assert trained(twin, drawn.pictures) == trained(copy.deepcopy(drawn.network), drawn.pictures)
    assert torch.equal(slim(drawn.pictures), expected)


def counted(network: nn.Module, picture: Tensor) -> int:
    """Multiply-accumulates of convolutions, by PyTorch's counter."""
    with FlopCounterMode(display=False) as counter:
        network(picture)
    found = counter.get_flop_counts()["Global"]
    return sum(flops for name, flops in found.items() if "convolution" in str(name)) // 2


def weights(network: nn.Module) -> int:
    """Of convolutions, each once."""
    convolutions = (m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d))
    of_modules = {id(m._parameters.get("weight")): m._parameters.get("weight") for m in convolutions}
    others = [m.kernel for m in network.modules() if isinstance(m, Functional)]
    return sum(weight.numel() for weight in (*of_modules.values(), *others) if weight is not None)


@given(data=st.data(), drawn=programs())
def test_counts_are_those_of_the_slim_network(data: st.DataObject, drawn: Drawn) -> None:
    layout = layout_of(drawn.network, drawn.example)
    genome = data.draw(genomes(layout))
    slim, kept = rebuilt(drawn.network, layout, genome), layout.gene_counts(genome[None]).numpy()[0]

    def predicted(use: Use) -> float:
        return float(Convolutions.of_layout(layout, use).of(kept))

    height, width = PICTURE
    real = counted(slim, drawn.example)
    assert macs(ChannelGraph.trace(slim, drawn.example), height, width, "true") == real
    np.testing.assert_allclose(predicted("macs") * height * width, real, rtol=1e-12)
    np.testing.assert_allclose(predicted("params"), params(slim), rtol=1e-12)
    np.testing.assert_allclose(predicted("weights"), weights(slim), rtol=1e-12)


@given(drawn=programs())
def test_every_network_has_finite_importances(drawn: Drawn) -> None:
    layout = layout_of(drawn.network, drawn.example)
    scores = importance(drawn.network, layout, drawn.pictures)
    assert scores.shape == (layout.length,)
    assert scores.isfinite().all()
    for piece in layout.genes.values():
        torch.testing.assert_close(scores[piece].mean(), torch.tensor(1.0, dtype=torch.float64))
