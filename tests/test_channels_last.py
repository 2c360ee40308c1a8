import pytest
import torch
from torch import nn

from ganprune.channels_last import channels_last
from ganprune.networks import NORMS, Discriminator, DiscriminatorWidths, Generator, GeneratorWidths, Norm
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


def test_maps_stay_in_their_order_and_no_instance_norm_is_left() -> None:
    net = channels_last(Generator(GeneratorWidths(4, 5, 6, (3, 7), 5, 4)).eval())
    orders: list[bool] = []
    for module in net.modules():
        assert not isinstance(module, nn.InstanceNorm2d)
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


def test_names_of_tensors_are_the_same() -> None:
    assert channels_last(Generator(SLIM)).state_dict().keys() == Generator(SLIM).state_dict().keys()
