"""Gradients of every network, in training's order of memory, against float64 in contiguous order."""

import copy
import runpy
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import instance_norm

from ganprune.models import read_discriminator, read_generator
from ganprune.settings.training import TrainSettings
from ganprune.training.networks import Networks
from ganprune.training.state import TrainState
from ganprune.training.step import computing, in_order
from tests.models import schools
from tests.own.small_unet import SmallUNet
from tests.tiny import fill, random_pictures

STYLE = Path(__file__).parents[2] / "benchmarks/own/udnie.py"
SETTINGS = TrainSettings(device="cpu", batch=1, precision="float32")


class AsFunctions(nn.Module):
    """Norms that are no layers."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(n, 6, 3, padding=1) for n in (3, 6, 6)])
        self.last = nn.Conv2d(6, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(instance_norm(self.convs[0](x)))
        for conv in list(self.convs)[1:]:
            x = x + torch.instance_norm(conv(x), None, None, None, None, True, 0.1, 1e-5, True)
        return torch.tanh(self.last(x))


def read(make: Callable[[], nn.Module], reader: Callable[[Mapping[str, Tensor]], nn.Module]) -> nn.Module:
    return reader(schools.trained(make).state_dict())


def filled(net: nn.Module) -> nn.Module:
    fill(net, 1)
    return net


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    **{name: partial(read, make, read_generator) for name, (make, _) in schools.GENERATORS.items()},
    **{
        f"D of {name}": partial(read, make, read_discriminator)
        for name, make in schools.DISCRIMINATORS.items()
    },
    "a module of one's own": lambda: filled(SmallUNet()),
    "fast style transfer, of one's own": lambda: filled(runpy.run_path(str(STYLE))["Style"]()),
    "norms that are no layers": lambda: filled(AsFunctions()),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_in_the_order_of_training_are_those_of_float64(name: str) -> None:
    made = NETWORKS[name]()
    placed = TrainState.start(Networks(made, made, made, made), SETTINGS).networks
    exact, net = copy.deepcopy(made).double().eval().requires_grad_(), placed.G_A.eval()
    x = random_pictures(1, next(m.in_channels for m in made.modules() if isinstance(m, nn.Conv2d)), 64, 64)
    expected = exact(x)
    wanted = torch.randn(expected.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    (expected * wanted).sum().backward()
    with computing(SETTINGS):
        (net(in_order(x.float(), SETTINGS)) * in_order(wanted.float(), SETTINGS)).sum().backward()
    found = dict(net.named_parameters())
    for key, parameter in exact.named_parameters():
        gradient, mine = parameter.grad, found[key].grad
        assert gradient is not None
        assert mine is not None
        if gradient.abs().max() > 1e-9:  # biases before an instance norm: what is found is rounding
            error = (mine.double() - gradient).norm() / gradient.norm()
            assert error < 1e-2, f"{key}: {error:.1e}"
