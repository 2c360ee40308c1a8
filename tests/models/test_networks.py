import pytest
import torch
from hypothesis import given
from torch import Tensor, nn

from ganprune.models.cyclegan import (
    NORMS,
    Discriminator,
    DiscriminatorWidths,
    Generator,
    GeneratorWidths,
    Norm,
    resnet_widths,
)
from tests import oracles
from tests.checkpoints import reference
from tests.checkpoints.builders import make_discriminator, make_generator
from tests.resnet_convs import generator_convs
from tests.strategies import generator_widths
from tests.tiny import random_generator, random_judge, random_pictures


@given(widths=generator_widths())
def test_generator_computes_what_the_paper_spells_out(widths: GeneratorWidths) -> None:
    G = random_generator(widths)
    x = random_pictures(2, widths.in_channels, 12, 20)
    torch.testing.assert_close(G(x), oracles.translate(G.state_dict(), x, widths.blocks), atol=1e-12, rtol=0)


@pytest.mark.parametrize("layers", [2, 3, 4, 5])
def test_discriminator_computes_what_the_paper_spells_out(layers: int) -> None:
    D = random_judge(DiscriminatorWidths(tuple(range(3, 3 + layers)), in_channels=2)).double()
    y = random_pictures(2, 2, 64, 96)
    torch.testing.assert_close(D(y), oracles.judge(D.state_dict(), y, layers), atol=1e-12, rtol=0)


@pytest.mark.parametrize("norm", NORMS)
@given(widths=generator_widths())
def test_generator_of_any_norm_computes_what_its_layers_spell_out(
    norm: Norm, widths: GeneratorWidths
) -> None:
    G = make_generator(1, widths, norm).double()
    x = random_pictures(2, widths.in_channels, 12, 20)
    expected = reference.translated(G.state_dict(), x, norm)
    torch.testing.assert_close(G(x), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("filters", [(3, 2), (2, 4, 3), (2, 3, 4, 5, 6)])
def test_discriminator_of_any_norm_computes_what_its_layers_spell_out(
    norm: Norm, filters: tuple[int, ...]
) -> None:
    D = make_discriminator(1, DiscriminatorWidths(filters, in_channels=2), norm).double()
    y = random_pictures(2, 2, 64, 96)
    torch.testing.assert_close(D(y), reference.judged(D.state_dict(), y, norm), atol=1e-12, rtol=0)


@pytest.mark.parametrize("norm", NORMS)
def test_networks_of_any_norm_have_the_tensors_of_cyclegan(norm: Norm) -> None:
    pairs = (
        (Generator(resnet_widths(2, 6), norm), reference.resnet(2, 6, norm)),
        (Discriminator(DiscriminatorWidths((2, 4, 8, 16)), norm), reference.patchgan(2, 3, norm)),
    )
    for ours, theirs in pairs:
        shapes = {name: tensor.shape for name, tensor in theirs.state_dict().items()}
        assert {name: tensor.shape for name, tensor in ours.state_dict().items()} == shapes
        assert list(ours.state_dict()) == list(shapes)


@pytest.mark.parametrize("norm", NORMS)
def test_conv_table_names_the_norm_after_each_convolution(norm: Norm) -> None:
    kinds = {"batch": nn.BatchNorm2d, "none": nn.Identity}
    kinds |= dict.fromkeys(("instance", "affine-instance"), nn.InstanceNorm2d)
    with torch.device("meta"):
        G = Generator(resnet_widths(2, 3), norm)
    named = [conv.norm_key for conv in generator_convs(3) if conv.norm_key]
    assert all(isinstance(G.get_submodule(key), kinds[norm]) for key in named)
    assert len(named) == sum(isinstance(module, kinds[norm]) for module in G.modules())
    assert [conv.norm_key for conv in generator_convs(3)][-1] is None


def test_batch_norm_uses_running_statistics_in_eval_mode_and_the_pictures_own_in_training() -> None:
    G = make_generator(1, resnet_widths(2, 1), "batch")
    x = random_pictures(3, 3, 16, 16, dtype=torch.float32)
    torch.testing.assert_close(G(x)[:1], G(x[:1]), atol=1e-6, rtol=0)  # other pictures play no part
    assert not torch.allclose(G.train()(x)[:1], G(x[:1]), atol=1e-3)


@pytest.mark.parametrize(("blocks", "tail"), [(9, (19, 22, 26)), (6, (16, 19, 23))])
def test_generator_has_the_tensor_names_of_cyclegan(blocks: int, tail: tuple[int, ...]) -> None:
    inside = [f"{10 + i}.conv_block.{j}" for i in range(blocks) for j in (1, 5)]
    convs = ["1", "4", "7", *inside, *map(str, tail)]
    names = [f"model.{conv}.{tensor}" for conv in convs for tensor in ("weight", "bias")]
    with torch.device("meta"):
        assert list(Generator(resnet_widths(64, blocks)).state_dict()) == names


def test_generator_has_the_tensor_shapes_of_cyclegan() -> None:
    with torch.device("meta"):
        shapes = {name: tuple(t.shape) for name, t in Generator(resnet_widths()).state_dict().items()}
    assert shapes["model.1.weight"] == (64, 3, 7, 7)
    assert shapes["model.7.weight"] == (256, 128, 3, 3)
    assert shapes["model.18.conv_block.5.weight"] == (256, 256, 3, 3)
    assert shapes["model.19.weight"] == (256, 128, 3, 3)  # transposed: [in, out, k, k]
    assert shapes["model.22.weight"] == (128, 64, 3, 3)
    assert shapes["model.26.weight"] == (3, 64, 7, 7)


def test_the_usual_discriminator_has_2764737_parameters_and_a_30_by_30_map() -> None:
    with torch.device("meta"):
        D, y = Discriminator(DiscriminatorWidths()), torch.empty(1, 3, 256, 256)
    names = {name for name in D.state_dict() if name.endswith("weight")}
    assert names == {f"model.{i}.weight" for i in (0, 2, 5, 8, 11)}
    assert sum(p.numel() for p in D.parameters()) == 2_764_737
    assert D(y).shape == (1, 1, 30, 30)


@pytest.mark.parametrize(("layers", "pixels"), [(2, 16), (3, 34), (4, 70), (5, 142)])
def test_each_judgement_sees_the_patch_that_pix2pix_states(layers: int, pixels: int) -> None:
    D = Discriminator(DiscriminatorWidths((2,) * layers))
    for parameter in D.parameters():
        nn.init.ones_(parameter)
    local = nn.Sequential(*(nn.Identity() if isinstance(m, nn.InstanceNorm2d) else m for m in D.model))
    y = torch.ones(1, 3, 256, 256, requires_grad=True)
    patches = local(y)
    middle = patches.shape[2] // 2
    patches[0, 0, middle, middle].backward()
    assert isinstance(y.grad, Tensor)
    rows = y.grad.abs().sum((0, 1, 3)).nonzero()
    assert int(rows[-1] - rows[0]) + 1 == pixels


@given(widths=generator_widths())
def test_conv_table_states_the_channels_kernels_and_strides_of_the_modules(widths: GeneratorWidths) -> None:
    G = random_generator(widths)
    seen: dict[str, tuple[int, ...]] = {}

    def note(name: str, conv: nn.Conv2d | nn.ConvTranspose2d) -> None:
        def hook(_: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
            padding = conv.kernel_size[0] - 1 if conv.padding[0] == 0 else 0  # by a reflection before
            height = inputs[0].shape[2] - padding
            seen[name] = (inputs[0].shape[1], output.shape[1], conv.kernel_size[0], 32 // height)
            seen[name] += (32 // output.shape[2], int(isinstance(conv, nn.ConvTranspose2d)))

        conv.register_forward_hook(hook)

    for name, module in G.named_modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            note(name, module)
    G(random_pictures(1, widths.in_channels, 32, 32))
    groups = widths.groups()
    assert list(seen) == [conv.key for conv in generator_convs(widths.blocks)]
    for conv in generator_convs(widths.blocks):
        inputs = widths.in_channels if conv.source is None else groups[conv.source]
        filters = widths.out_channels if conv.target is None else groups[conv.target]
        strides = (conv.input_stride, conv.output_stride)
        assert seen[conv.key] == (inputs, filters, conv.kernel, *strides, int(conv.transposed))


@given(widths=generator_widths())
def test_widths_come_back_from_their_groups(widths: GeneratorWidths) -> None:
    assert widths.with_groups(widths.groups()) == widths
    doubled = widths.with_groups({group: 2 * width for group, width in widths.groups().items()})
    assert list(doubled.groups().values()) == [2 * width for width in widths.groups().values()]
    assert (doubled.in_channels, doubled.out_channels) == (widths.in_channels, widths.out_channels)


def test_a_layer_without_filters_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="every layer needs at least one filter, down has 0"):
        GeneratorWidths(4, 0, 4, (4, 4, 4), 4, 4)
    with pytest.raises(ValueError, match="at least two layers of filters, found \\(4,\\)"):
        DiscriminatorWidths((4,))
