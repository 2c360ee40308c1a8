import pytest
import torch
import torch_pruning
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ganprune.models.cyclegan import Generator, GeneratorWidths, resnet_widths
from ganprune.pruning.cost import macs, mebibytes, params
from tests.oracles import counted_macs
from tests.strategies import generator_widths

ORIGINAL = resnet_widths(64, 9)


def bare(widths: GeneratorWidths) -> Generator:
    """A generator without numbers."""
    with torch.device("meta"):
        return Generator(widths)


def torch_pruning_counts(widths: GeneratorWidths, height: int, width: int) -> tuple[int, int]:
    """What Torch-Pruning counts: convolutions with biases, and the biases' additions alone."""
    G, x = bare(widths), torch.empty(1, widths.in_channels, height, width, device="meta")
    _, _, *others = torch_pruning.utils.count_ops_and_params(G, x, layer_wise=True)
    layers = others[0]
    convs = [m for m in G.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    biases = 0

    def count(_: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        nonlocal biases
        biases += output.numel()

    for conv in convs:
        conv.register_forward_hook(count)
    G(x)
    return int(sum(layers[conv] for conv in convs)), biases


def test_the_original_has_11378179_parameters() -> None:
    assert params(bare(ORIGINAL)) == 11_378_179


def test_the_original_takes_49_55_G_true_macs_as_pytorch_counts_them() -> None:
    assert macs(Generator(ORIGINAL), 256, 256, "true") == counted_macs(ORIGINAL, 256, 256) == 49_551_507_456


def test_the_original_takes_56_80_G_paper_macs_as_torch_pruning_counts_convolutions() -> None:
    convs, biases = torch_pruning_counts(ORIGINAL, 256, 256)
    assert macs(Generator(ORIGINAL), 256, 256, "paper") == convs - biases == 56_799_264_768


@given(widths=generator_widths(most=300, blocks=9), h=st.integers(2, 64), w=st.integers(2, 64))
def test_true_macs_equal_pytorchs_counter_at_any_widths_and_picture(
    widths: GeneratorWidths, h: int, w: int
) -> None:
    assert macs(Generator(widths), 4 * h, 4 * w, "true") == counted_macs(widths, 4 * h, 4 * w)


@given(widths=generator_widths(most=300), h=st.integers(2, 64), w=st.integers(2, 64))
def test_paper_macs_equal_torch_prunings_convolutions_at_any_widths_and_picture(
    widths: GeneratorWidths, h: int, w: int
) -> None:
    convs, biases = torch_pruning_counts(widths, 4 * h, 4 * w)
    assert macs(Generator(widths), 4 * h, 4 * w, "paper") == convs - biases


@pytest.mark.parametrize(
    ("stem", "down", "trunk", "inner", "million", "giga"),
    [
        (64, 128, 256, 256, 11.378, 56.80),
        (31, 61, 123, 123, 2.632, 13.41),  # uniform 48 %
        (32, 64, 128, 128, 2.851, 14.51),
        (64, 128, 256, 64, 3.414, 24.18),
        (16, 32, 64, 64, 0.716, 3.78),
        (12, 24, 48, 48, 0.404, 2.18),
    ],
)
def test_well_known_sizes_come_out(
    stem: int, down: int, trunk: int, inner: int, million: float, giga: float
) -> None:
    widths = GeneratorWidths(stem, down, trunk, (inner,) * 9, down, stem)
    assert round(params(bare(widths)) / 1e6, 3) == million
    assert round(macs(Generator(widths), 256, 256, "paper") / 1e9, 2) == giga


def test_memory_is_that_of_the_papers_table() -> None:
    original = mebibytes(params(bare(ORIGINAL)))
    for slim, ratio in ((10.16, 4.27), (10.00, 4.34), (7.98, 5.44), (7.61, 5.70)):
        assert original / slim == pytest.approx(ratio, abs=0.006)
