"""Spectral and weight norm: a network that has them computes the same once they are folded in."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from ganprune.checkpoints import load_generator, load_quartet
from ganprune.checkpoints.own import fitted
from ganprune.errors import CheckpointError
from ganprune.models.cyclegan import Discriminator, DiscriminatorWidths, Generator, GeneratorWidths
from tests.checkpoints.builders import CYCLEGAN_NAMES, seeded, write_networks

ALIKE = GeneratorWidths(stem=4, down=4, trunk=4, inner=(4,), up1=4, up2=4)
"""Transposed convolutions with as many filters as inputs: both matrices that σ could be of have one shape."""
UNLIKE = GeneratorWidths(stem=2, down=3, trunk=4, inner=(5,), up1=3, up2=2)
Normed = Callable[[nn.Module], nn.Module]
NORMS: dict[str, Normed] = {
    "spectral norm, hooks": nn.utils.spectral_norm,
    "spectral norm, parametrizations": parametrizations.spectral_norm,
    "weight norm, hooks": nn.utils.weight_norm,
    "weight norm, parametrizations": parametrizations.weight_norm,
}


def trained(network: nn.Module, norm: Normed) -> nn.Module:
    """With a norm on every convolution, after some passes in training mode, in eval mode."""
    for module in list(network.modules()):
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            norm(module)
    for _ in range(20):
        network.train()(torch.zeros(1, 3, 32, 32))
    return network.eval()


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")
@pytest.mark.parametrize("widths", [UNLIKE, ALIKE], ids=["unlike", "alike"])
@pytest.mark.parametrize("norm", NORMS)
def test_a_generator_with_a_norm_of_weights_computes_the_same_once_read(
    tmp_path: Path, norm: str, widths: GeneratorWidths
) -> None:
    network = seeded(lambda: trained(Generator(widths), NORMS[norm]), 1)
    x = seeded(lambda: torch.rand(2, 3, 32, 32), 2) * 2 - 1
    with torch.no_grad():
        expected = network(x)
    torch.save(network.state_dict(), tmp_path / "latest_net_G.pth")
    torch.testing.assert_close(load_generator(tmp_path / "latest_net_G.pth")(x), expected)
    (_, note) = sorted(load_quartet(tmp_path).notes)
    assert (
        note
        == f"{norm.partition(',')[0]} of latest_net_G.pth is folded into the weights, as eval mode has them"
    )


@pytest.mark.parametrize("norm", list(NORMS)[:2])
def test_a_discriminator_with_spectral_norm_judges_the_same_once_read(tmp_path: Path, norm: str) -> None:
    write_networks(tmp_path, CYCLEGAN_NAMES)
    judge = seeded(lambda: trained(Discriminator(DiscriminatorWidths((2, 3, 4))), NORMS[norm]), 3)
    torch.save(judge.state_dict(), tmp_path / CYCLEGAN_NAMES["D_B"])
    x = seeded(lambda: torch.rand(1, 3, 32, 32), 2)
    quartet = load_quartet(tmp_path)
    assert quartet.D_B is not None
    with torch.no_grad():
        torch.testing.assert_close(quartet.D_B(x), judge(x))


def test_parts_of_a_weight_that_do_not_fit_are_named(tmp_path: Path) -> None:
    network = seeded(lambda: trained(Generator(UNLIKE), nn.utils.spectral_norm), 1)
    state, file = network.state_dict(), tmp_path / "latest_net_G.pth"
    torch.save({name: tensor for name, tensor in state.items() if name != "model.4.weight_u"}, file)
    with pytest.raises(CheckpointError, match=r"holds model\.4\.weight_orig and lacks model\.4\.weight_u$"):
        load_quartet(tmp_path)
    torch.save(state | {"model.4.weight_u": torch.ones(9)}, file)
    with pytest.raises(
        CheckpointError, match=r"model\.4\.weight_orig has shape \(3, 2, 3, 3\), its singular"
    ):
        load_quartet(tmp_path)


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")
@pytest.mark.parametrize("norm", [*NORMS, "orthogonal"])
def test_a_module_of_ones_own_has_plain_weights_too(norm: str) -> None:
    def made() -> nn.Module:
        network = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.ConvTranspose2d(6, 3, 3))
        return trained(network, NORMS.get(norm, parametrizations.orthogonal))

    network, like = seeded(made, 1), seeded(made, 2)
    x = seeded(lambda: torch.rand(1, 3, 8, 8), 3)
    with torch.no_grad():
        expected = network(x)
    for tensors in (state := network.state_dict(), {f"module.{name}": one for name, one in state.items()}):
        found = fitted(like, tensors)
        assert sorted(found.state_dict()) == ["0.bias", "0.weight", "2.bias", "2.weight"]
        torch.testing.assert_close(found(x), expected)
        torch.testing.assert_close(fitted(like, found.state_dict())(x), expected)  # as slim ones are written
    with torch.no_grad():
        torch.testing.assert_close(network(x), expected)
    with pytest.raises(CheckpointError, match=r"does not fit Sequential: RuntimeError: .* size mismatch"):
        fitted(like, {name: tensor[:1] for name, tensor in state.items()})
