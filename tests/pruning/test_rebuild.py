import copy
import itertools
from collections.abc import Callable

import pytest
import torch
import torch_pruning
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ganprune.models.cyclegan import NORMS, Generator, GeneratorWidths, Norm, resnet_widths
from ganprune.pruning.genome import Layout, LayoutKind
from ganprune.pruning.rebuild import masked, rebuilt
from tests.checkpoints import reference
from tests.checkpoints.builders import assert_same, make_generator
from tests.oracles import translate
from tests.resnet_convs import generator_convs
from tests.strategies import genomes, layouts
from tests.tiny import (
    layout_of,
    random_generator,
    random_genomes,
    random_pictures,
    seeded,
    slim_widths,
    widths_of,
)

KINDS: tuple[LayoutKind, ...] = ("filters", "shared")


def one_per_gene(layout: Layout) -> Tensor:
    """The last filter of every gene alone."""
    genome = torch.zeros(layout.length, dtype=torch.bool)
    genome[[piece.stop - 1 for piece in layout.genes.values()]] = True
    return genome


def random_order(n: int) -> Tensor:
    return torch.randperm(n, generator=seeded(n))


def assert_slim_equals_dense(G: Generator, layout: Layout, genome: Tensor, x: Tensor, atol: float) -> None:
    """The slim network against the masked twin, and against activations masked after the norm (Eq. 9)."""
    slim = rebuilt(G, layout, genome)
    assert slim.widths == slim_widths(layout, genome)
    by_activation = translate(G.state_dict(), x, widths_of(layout).blocks, layout.kept(genome))
    for dense in (masked(G, layout, genome)(x), by_activation):
        torch.testing.assert_close(slim(x), dense, atol=atol, rtol=0)


@given(data=st.data(), layout=layouts(), seed=st.integers(0, 2**32))
def test_rebuilt_generator_equals_masked_generator_in_float64(
    data: st.DataObject, layout: Layout, seed: int
) -> None:
    G, x = (
        random_generator(widths_of(layout), seed),
        random_pictures(1, widths_of(layout).in_channels, 20, 16),
    )
    assert_slim_equals_dense(G, layout, data.draw(genomes(layout)), x, atol=1e-9)


@given(data=st.data(), layout=layouts(), seed=st.integers(0, 2**32))
def test_rebuilt_generator_equals_masked_generator_in_float32(
    data: st.DataObject, layout: Layout, seed: int
) -> None:
    G = random_generator(widths_of(layout), seed, torch.float32)
    x = random_pictures(1, widths_of(layout).in_channels, 32, 32, dtype=torch.float32)
    assert_slim_equals_dense(G, layout, data.draw(genomes(layout)), x, atol=1e-4)


@pytest.mark.parametrize("norm", NORMS)
@given(data=st.data(), layout=layouts(), seed=st.integers(0, 2**32))
def test_rebuilt_generator_equals_masked_generator_whatever_the_norm(
    norm: Norm, data: st.DataObject, layout: Layout, seed: int
) -> None:
    G = make_generator(seed, widths_of(layout), norm).double()
    layout = Layout.of(G, layout.kind)
    x, genome = random_pictures(2, widths_of(layout).in_channels, 20, 16), data.draw(genomes(layout))
    slim = rebuilt(G, layout, genome)
    assert (slim.widths, slim.norm) == (slim_widths(layout, genome), norm)
    by_activation = reference.translated(G.state_dict(), x, norm, layout.kept(genome))
    for dense in (masked(G, layout, genome)(x), by_activation):
        torch.testing.assert_close(slim(x), dense, atol=1e-9, rtol=0)


@pytest.mark.parametrize("norm", NORMS)
@given(data=st.data(), layout=layouts())
def test_every_tensor_of_a_slim_generator_is_a_slice_of_the_originals(
    norm: Norm, data: st.DataObject, layout: Layout
) -> None:
    G = make_generator(1, widths_of(layout), norm)
    genome = data.draw(genomes(layout, without_blocks=False))
    layout = Layout.of(G, layout.kind)
    slim, kept = rebuilt(G, layout, genome), layout.kept(genome)
    original = G.state_dict()
    assert list(slim.state_dict()) == list(original)
    for conv in generator_convs(widths_of(layout).blocks):
        inputs = slice(None) if conv.source is None else kept[conv.source]
        filters = slice(None) if conv.target is None else kept[conv.target]
        ours, theirs = slim.state_dict()[f"{conv.key}.weight"], original[f"{conv.key}.weight"]
        if conv.transposed:
            ours, theirs = ours.transpose(0, 1), theirs.transpose(0, 1)
        assert torch.equal(ours, theirs[filters][:, inputs])
        for name in (n for n in original if n.rpartition(".")[0] in (conv.key, conv.norm_key)):
            if original[name].ndim == 1:
                assert torch.equal(slim.state_dict()[name], original[name][filters]), name
            elif original[name].ndim == 0:
                assert torch.equal(slim.state_dict()[name], original[name]), name


@given(data=st.data(), layout=layouts())
def test_masked_batch_norms_give_zeros_for_dropped_filters_and_keep_their_statistics(
    data: st.DataObject, layout: Layout
) -> None:
    genome = data.draw(genomes(layout, without_blocks=False))
    G = make_generator(1, widths_of(layout), "batch")
    layout = Layout.of(G, layout.kind)
    twin, kept = masked(G, layout, genome), layout.kept(genome)
    for conv in generator_convs(widths_of(layout).blocks):
        if conv.norm_key is None or conv.target is None:
            continue
        theirs, ours = (
            G.get_submodule(conv.norm_key).state_dict(),
            twin.get_submodule(conv.norm_key).state_dict(),
        )
        mask = torch.zeros(len(theirs["weight"])).index_fill(0, kept[conv.target], 1)
        for part, tensor in theirs.items():
            expected = tensor * mask if part in ("weight", "bias") else tensor
            assert torch.equal(ours[part], expected), part


@given(data=st.data(), layout=layouts())
def test_masked_generator_zeroes_dropped_filters_their_biases_what_reads_them_and_nothing_else(
    data: st.DataObject, layout: Layout
) -> None:
    genome = data.draw(genomes(layout))
    G, kept = random_generator(widths_of(layout)), layout.kept(genome)
    twin = masked(G, layout, genome)

    def mask(group: str | None, size: int) -> Tensor:
        places = torch.arange(size) if group is None else kept[group]
        return torch.zeros(size, dtype=torch.float64).index_fill(0, places, 1)

    for conv in generator_convs(widths_of(layout).blocks):
        (weight, bias), (masked_weight, masked_bias) = (
            (net.get_parameter(f"{conv.key}.weight"), net.get_parameter(f"{conv.key}.bias"))
            for net in (G, twin)
        )
        weight, masked_weight = (w.transpose(0, 1) if conv.transposed else w for w in (weight, masked_weight))
        filters, inputs = mask(conv.target, len(bias)), mask(conv.source, weight.shape[1])
        assert torch.equal(masked_weight, weight * torch.outer(filters, inputs)[:, :, None, None])
        assert torch.equal(masked_bias, bias * filters)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("blocks", [0, 1, 6, 9])
def test_one_filter_a_gene_still_equals_the_masked_generator(kind: LayoutKind, blocks: int) -> None:
    layout = layout_of(resnet_widths(3, blocks), kind)
    genome = one_per_gene(layout)
    assert set(slim_widths(layout, genome).groups().values()) == {1}
    G, x = random_generator(widths_of(layout)), random_pictures(2, 3, 16, 16)
    assert_slim_equals_dense(G, layout, genome, x, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_aligned_widths_equal_the_masked_generator(kind: LayoutKind) -> None:
    layout = layout_of(resnet_widths(16, 2), kind)
    genome = torch.zeros(layout.length, dtype=torch.bool)
    for piece in layout.genes.values():
        size = piece.stop - piece.start
        genome[piece] = random_order(size) < max(8, size // 16 * 8)
    assert {width % 8 for width in slim_widths(layout, genome).groups().values()} == {0}
    G, x = random_generator(widths_of(layout)), random_pictures(1, 3, 16, 16)
    assert_slim_equals_dense(G, layout, genome, x, atol=1e-9)


@pytest.mark.parametrize("norm", NORMS)
@given(layout=layouts())
def test_the_full_genome_gives_the_original_to_the_last_bit(norm: Norm, layout: Layout) -> None:
    G = make_generator(1, widths_of(layout), norm).double()
    layout = Layout.of(G, layout.kind)
    x = random_pictures(1, widths_of(layout).in_channels, 16, 16)
    slim = rebuilt(G, layout, layout.full())
    assert torch.equal(slim(x), G(x))
    assert torch.equal(masked(G, layout, layout.full())(x), G(x))
    assert_same(slim, G)


@pytest.mark.parametrize("norm", NORMS)
@given(data=st.data(), layout=layouts())
def test_rebuilding_a_slim_generator_composes(norm: Norm, data: st.DataObject, layout: Layout) -> None:
    G = make_generator(1, widths_of(layout), norm)
    layout, first = Layout.of(G, layout.kind), data.draw(genomes(layout))
    slim = rebuilt(G, layout, first)
    smaller = Layout.of(slim, layout.kind)
    second = data.draw(genomes(smaller))
    both = torch.zeros_like(first)
    both[first.nonzero().flatten()[second]] = True
    twice, once = rebuilt(slim, smaller, second), rebuilt(G, layout, both)
    assert twice.widths == once.widths
    assert_same(twice, once)


def prune_with_torch_pruning(G: Generator, kept: dict[str, Tensor]) -> Generator:
    """The same filters removed by Torch-Pruning, which finds the coupled convolutions itself."""
    twin = copy.deepcopy(G).requires_grad_(True)
    for module in twin.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False  # its tracer loses a norm before an operation in place
    blocks = G.widths.blocks
    roots = {"stem": "1", "down": "4", "trunk": "7", "up1": f"{10 + blocks}", "up2": f"{13 + blocks}"}
    roots |= {f"inner{i}": f"{10 + i}.conv_block.1" for i in range(blocks)}
    x = random_pictures(1, G.widths.in_channels, 16, 16)
    for group, width in G.widths.groups().items():
        dropped = sorted(set(range(width)) - set(kept[group].tolist()))
        graph = torch_pruning.DependencyGraph().build_dependency(twin, example_inputs=x)
        root = twin.get_submodule(f"model.{roots[group]}")
        if dropped:
            graph.get_pruning_group(root, torch_pruning.prune_conv_out_channels, idxs=dropped).prune()
    return twin


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("seed", [0, 1])
def test_rebuilt_generator_is_torch_prunings(kind: LayoutKind, norm: Norm, seed: int) -> None:
    G, x = make_generator(1, resnet_widths(3, 2), norm).double(), random_pictures(1, 3, 16, 16)
    layout = Layout.of(G, kind)
    genome = random_genomes(layout, 1, seed)[0]
    slim, other = rebuilt(G, layout, genome), prune_with_torch_pruning(G, layout.kept(genome))
    assert_same(slim, other)
    torch.testing.assert_close(slim(x), other(x), atol=1e-12, rtol=0)


@pytest.mark.parametrize("build", [rebuilt, masked])
@pytest.mark.parametrize("base", ["full", "random"])
def test_the_original_is_left_untouched_and_shares_no_memory(
    build: Callable[[Generator, Layout, Tensor], Generator], base: str
) -> None:
    layout = layout_of(resnet_widths(3, 2))
    G = random_generator(widths_of(layout))
    before = copy.deepcopy(G.state_dict())
    genome = layout.full() if base == "full" else random_genomes(layout, 1)[0]
    other = build(G, layout, genome)
    storages = {tensor.untyped_storage().data_ptr() for tensor in other.state_dict().values()}
    assert storages.isdisjoint(t.untyped_storage().data_ptr() for t in G.state_dict().values())
    for tensor in other.state_dict().values():
        tensor.fill_(7)
    assert all(torch.equal(before[name], tensor) for name, tensor in G.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_precision_is_the_originals_and_weights_stand_alone(dtype: torch.dtype) -> None:
    layout = layout_of(resnet_widths(3, 1))
    slim = rebuilt(random_generator(widths_of(layout), dtype=dtype), layout, random_genomes(layout, 1)[0])
    assert not slim.training
    for parameter in slim.parameters():
        assert parameter.dtype == dtype
        assert parameter.device.type == "cpu"
        assert not parameter.requires_grad
        assert parameter.numel() * parameter.itemsize == parameter.untyped_storage().nbytes()


def test_an_empty_gene_is_refused_by_name_where_no_block_goes_with_it() -> None:
    layout = layout_of(resnet_widths(2, 1))
    G = random_generator(widths_of(layout))
    for gene, piece in layout.genes.items():
        if gene in layout.blocks:
            continue
        genome = layout.full()
        genome[piece] = False
        with pytest.raises(ValueError, match=f"every group needs at least one filter, {gene} has none"):
            rebuilt(G, layout, genome)


def test_all_genomes_of_the_smallest_network_equal_their_masked_twins() -> None:
    widths = GeneratorWidths(1, 2, 2, (2,), 2, 1, in_channels=1, out_channels=1)
    layout = layout_of(widths)
    G, x = random_generator(widths), random_pictures(1, 1, 16, 16)
    either = [(True, False), (False, True), (True, True)]
    for down, trunk, inner, up1 in itertools.product(either, repeat=4):
        genome = torch.tensor([True, *down, *trunk, *inner, *up1, True])
        assert_slim_equals_dense(G, layout, genome, x, atol=1e-9)
