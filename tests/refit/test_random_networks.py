"""Refits of random networks: concatenations, depthwise, dilated and grouped convolutions, shared modules."""

import copy

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ganprune.channels import ChannelGraph, kept
from ganprune.pruning.genome import Layout
from ganprune.pruning.rebuild import rebuilt
from ganprune.refit import RefitSettings, grams, refitted, refitted_from, removals
from ganprune.refit.patches import norm_of, refittable
from tests.channels.networks import Drawn, programs
from tests.refit.test_sequence import settle
from tests.strategies import genomes

ALL = RefitSettings(positions=1 << 20)


def prepared(drawn: Drawn) -> tuple[nn.Module, Layout, list[Tensor]]:
    """In float32, with all pictures, and its batch norms' statistics those of these pictures."""
    net, pictures = drawn.network.float().eval(), list(drawn.pictures.float().split(1))
    layout = Layout.of(ChannelGraph.trace(net, pictures[0]))
    settle(net, drawn.pictures.float())
    return net, layout, pictures


@given(drawn=programs())
def test_with_all_filters_kept_a_refit_changes_no_picture(drawn: Drawn) -> None:
    net, layout, pictures = prepared(drawn)
    same = refitted(net, net, layout.units(layout.full()), pictures, ALL)
    for picture in pictures:
        wanted = net(picture)
        assert (same(picture) - wanted).abs().max() <= 1e-3 * (1 + wanted.abs().max())


def seen(net: nn.Module, names: list[str], pictures: list[Tensor]) -> dict[str, list[tuple[Tensor, Tensor]]]:
    """What each convolution reads and writes of each picture."""
    found: dict[str, list[tuple[Tensor, Tensor]]] = {name: [] for name in names}
    twin = copy.deepcopy(net)
    for name in names:

        def note(_: nn.Module, inputs: tuple[Tensor], output: Tensor, of: str = name) -> None:
            found[of].append((inputs[0].clone(), output.clone()))

        twin.get_submodule(name).register_forward_hook(note)
    for picture in pictures:
        twin(picture)
    return found


def squared_error(
    conv: nn.Module, inputs: list[Tensor], wanted: list[Tensor], norm: nn.Module | None
) -> Tensor:
    """Of a convolution's output, less what the norm behind it takes away."""
    rest = torch.stack([conv(x)[0] - y for x, y in zip(inputs, wanted, strict=True)]).double()
    if isinstance(norm, nn.InstanceNorm2d | nn.BatchNorm2d) and norm.running_mean is None:
        rest = rest - rest.mean((2, 3), keepdim=True)
    elif isinstance(norm, nn.BatchNorm2d):
        rest = rest - rest.mean((0, 2, 3), keepdim=True)
    return rest.square().sum()


@given(data=st.data(), drawn=programs())
def test_a_refitted_layers_output_is_never_worse_than_the_cut_ones(data: st.DataObject, drawn: Drawn) -> None:
    net, layout, pictures = prepared(drawn)
    genome = data.draw(genomes(layout))
    slim, units = rebuilt(net, layout, genome), layout.units(genome)
    fitted = refitted(slim, net, units, pictures, ALL)
    there = [name for name in refittable(net, layout.graph) if name in dict(slim.named_modules())]
    should, does = (seen(one, there, pictures) for one in (net, fitted))
    for layer in layout.graph.layers:
        if (name := layer.name) not in there:
            continue
        norm = norm_of(net, layout.graph, name)
        inputs = [x for x, _ in does[name]] + [x[:, kept(layer.reads, units)] for x, _ in should[name]]
        wanted = [y[0, kept(layer.writes, units)] for _, y in should[name]] * 2
        before, after = (
            squared_error(one.get_submodule(name), inputs, wanted, norm) for one in (slim, fitted)
        )
        scale = sum(y.double().square().sum() for y in wanted)
        assert after <= before * (1 + 1e-4) + 1e-6 * scale


@given(data=st.data(), drawn=programs())
def test_gram_matrices_and_removals_are_of_every_ordinary_convolution(
    data: st.DataObject, drawn: Drawn
) -> None:
    net, layout, pictures = prepared(drawn)
    try:
        net(pictures[0].clone().requires_grad_(True)).sum().backward()
    except RuntimeError:  # its own operations in place forbid it
        return
    found = grams(net, layout.graph, pictures, ALL)
    assert found.keys() == refittable(net, layout.graph).keys()
    gone = removals(net, layout, found)
    for (gene, removal), size in zip(gone.items(), layout.sizes, strict=True):
        assert sorted(removal.order.tolist()) == list(range(size)), gene
    whole = refitted_from(found, net, layout, layout.full())
    for name, parameter in net.named_parameters():
        assert torch.equal(whole.get_parameter(name), parameter)
    slim = refitted_from(found, net, layout, data.draw(genomes(layout)))
    assert all(parameter.isfinite().all() for parameter in slim.parameters())
