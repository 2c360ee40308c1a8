import copy

import pytest
import torch
from torch import Tensor, nn

from ganprune.models.channels_last import channels_last
from ganprune.models.cyclegan import (
    NORMS,
    Discriminator,
    DiscriminatorWidths,
    Generator,
    GeneratorWidths,
    Norm,
)
from tests.checkpoints.builders import assert_same, make_discriminator, make_generator
from tests.tiny import fill, random_pictures

SLIM = GeneratorWidths(4, 5, 6, (3, 7, 1), 5, 4)


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("norm", NORMS)
def test_a_network_of_channels_last_maps_computes_the_same(norm: Norm, n: int) -> None:
    for net in (Generator(SLIM, norm).double(), Discriminator(DiscriminatorWidths((4, 6, 1)), norm).double()):
        fill(net, 0)
        net.eval()
        x = random_pictures(n, 3, 32, 40)
        with torch.no_grad():
            expected = net(x)
            found = channels_last(net)(x.contiguous(memory_format=torch.channels_last))
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("norm", NORMS)
def test_maps_stay_in_their_order(norm: Norm) -> None:
    net = channels_last(Generator(GeneratorWidths(4, 5, 6, (3, 7), 5, 4), norm).eval())
    orders: list[bool] = []
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(
                lambda m, i, o: orders.append(o.is_contiguous(memory_format=torch.channels_last))
            )
    with torch.no_grad():
        net(random_pictures(1, 3, 32, 32, dtype=torch.float32).contiguous(memory_format=torch.channels_last))
    assert len(orders) == 8
    assert all(orders)


def test_autocast_leaves_paddings_in_the_precision_of_their_maps() -> None:
    net = channels_last(Generator(GeneratorWidths(4, 5, 6, (3,), 5, 4)))
    pads = [module for module in net.modules() if isinstance(module, nn.ReflectionPad2d)]
    assert len(pads) == 4
    kinds: list[torch.dtype] = []
    for pad in pads[1:]:
        pad.register_forward_hook(lambda m, i, o: kinds.append(o.dtype))
    with torch.autocast("cpu", torch.bfloat16):
        net(random_pictures(1, 3, 16, 16, dtype=torch.float32))
    assert kinds == [torch.bfloat16] * 3


@pytest.mark.parametrize("norm", NORMS)
def test_tensors_are_the_same_under_the_same_names(norm: Norm) -> None:
    net = make_generator(1, SLIM, norm)
    assert_same(channels_last(copy.deepcopy(net)), net)


ORDERS = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last}


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("reaching", ORDERS)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("norm", NORMS)
def test_gradients_in_every_order_of_memory_are_those_of_float64_in_contiguous_order(
    norm: Norm, order: str, reaching: str, n: int
) -> None:
    """Of every parameter and of the picture; `nn.InstanceNorm2d` misses them by more than their size."""
    for made in (make_generator(1, SLIM, norm), make_discriminator(1, DiscriminatorWidths((4, 6, 5)), norm)):
        exact, net = copy.deepcopy(made).double().train(), made.train()
        if order == "channels last":
            channels_last(net)
        picture = random_pictures(n, 3, 32, 40)
        upstream = random_pictures(*exact(picture).shape, seed=1)
        wanted = gradients(exact, picture, upstream, torch.contiguous_format)

        shown = picture.float().contiguous(memory_format=ORDERS[order])
        found = gradients(net, shown, upstream.float(), ORDERS[reaching])
        largest = {name: float(gradient.abs().max()) for name, gradient in wanted.items()}
        for name, gradient in wanted.items():
            dead = largest[name] < 1e-9  # biases before an instance norm: what is found is rounding
            scale = max(largest.values()) if dead else largest[name]
            torch.testing.assert_close(found[name].double(), gradient, rtol=0, atol=1e-3 * scale, msg=name)


def gradients(
    net: nn.Module, picture: Tensor, upstream: Tensor, reaching: torch.memory_format
) -> dict[str, Tensor]:
    """Of every parameter, and of the picture; those that reach a norm are in the order ``reaching``."""

    def reorder(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        output.register_hook(lambda gradient: gradient.contiguous(memory_format=reaching))

    for module in net.modules():
        if isinstance(module, nn.InstanceNorm2d | nn.BatchNorm2d):
            module.register_forward_hook(reorder)
    picture = picture.clone().requires_grad_()
    net.requires_grad_()(picture).backward(upstream)
    found = {name: parameter.grad for name, parameter in net.named_parameters()} | {"picture": picture.grad}
    return {name: gradient for name, gradient in found.items() if gradient is not None}
