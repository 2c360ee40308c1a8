import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ganprune.errors import UsageError
from ganprune.models.cyclegan import GeneratorWidths, resnet_widths
from ganprune.pruning.genome import Layout, LayoutKind, genome_key, pack, unpack
from ganprune.pruning.rebuild import rebuilt
from ganprune.pruning.resources import kept_macs, kept_weights
from tests.oracles import counted_macs, counted_weights
from tests.strategies import genomes, layouts
from tests.tiny import layout_of, random_generator, random_genomes, random_pictures, slim_widths, widths_of

KINDS: tuple[LayoutKind, ...] = ("filters", "shared")


@pytest.mark.parametrize(("kind", "bits"), [("filters", 2944), ("shared", 640)])
def test_the_original_has_as_many_bits_as_the_method_states(kind: LayoutKind, bits: int) -> None:
    layout = layout_of(resnet_widths(64, 9), kind)
    assert layout.length == len(layout.full()) == bits


@given(layout=layouts())
def test_genes_cover_every_bit_once_and_in_order(layout: Layout) -> None:
    places = [i for piece in layout.genes.values() for i in range(piece.start, piece.stop)]
    assert places == list(range(layout.length))


def test_shared_layout_gives_residual_convolutions_the_trunks_bits_and_filters_their_own() -> None:
    widths = resnet_widths(2, 2)
    shared, own = layout_of(widths, "shared"), layout_of(widths, "filters")
    assert list(shared.genes) == ["stem", "down", "trunk", "up1", "up2"]
    assert list(own.genes) == ["stem", "down", "trunk", "inner0", "inner1", "up1", "up2"]
    genome = random_genomes(shared, 1)[0]
    kept = shared.kept(genome)
    assert kept["inner0"].tolist() == kept["inner1"].tolist() == kept["trunk"].tolist()


def test_shared_layout_is_refused_where_inner_widths_differ_from_the_trunks() -> None:
    with pytest.raises(UsageError, match=r"trunk's 8, found \[8, 6\]; use --set layout=filters"):
        layout_of(GeneratorWidths(2, 4, 8, (8, 6), 4, 2), "shared")


@given(data=st.data(), layout=layouts())
def test_N_is_the_share_of_weights_that_the_rebuilt_network_has(data: st.DataObject, layout: Layout) -> None:
    genome = data.draw(genomes(layout))
    original = random_generator(widths_of(layout))
    share = counted_weights(rebuilt(original, layout, genome)) / counted_weights(original)
    assert kept_weights(layout, genome[None]).item() == pytest.approx(share, rel=1e-15)


@given(data=st.data(), layout=layouts())
def test_share_of_macs_is_the_one_that_pytorch_counts_at_any_picture_size(
    data: st.DataObject, layout: Layout
) -> None:
    genome = data.draw(genomes(layout))
    height, width = 4 * data.draw(st.integers(2, 64)), 4 * data.draw(st.integers(2, 64))
    slim, whole = slim_widths(layout, genome), widths_of(layout)
    share = counted_macs(slim, height, width) / counted_macs(whole, height, width)
    assert kept_macs(layout, genome[None]).item() == pytest.approx(share, rel=1e-15)


@given(layout=layouts())
def test_the_full_genome_keeps_everything(layout: Layout) -> None:
    full = layout.full()[None]
    assert kept_weights(layout, full).item() == kept_macs(layout, full).item() == 1
    assert slim_widths(layout, full[0]) == widths_of(layout)


@given(layout=layouts(), n=st.integers(1, 5), seed=st.integers(0, 999))
def test_a_population_is_counted_as_its_genomes_are_one_by_one(layout: Layout, n: int, seed: int) -> None:
    population = random_genomes(layout, n, seed)
    for count in (kept_weights, kept_macs):
        alone = torch.cat([count(layout, genome[None]) for genome in population])
        assert torch.equal(count(layout, population), alone)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("base", ["full", "random"])
def test_flipping_any_one_bit_changes_N_and_the_networks_output(kind: LayoutKind, base: str) -> None:
    layout = layout_of(resnet_widths(4, 2), kind)
    genome = layout.full() if base == "full" else random_genomes(layout, 1)[0]
    for piece in layout.genes.values():
        genome[piece.start : piece.start + 2] = True  # whichever bit flips, a filter stays
    original, x = random_generator(widths_of(layout)), random_pictures(1, 3, 16, 16)
    N, picture = kept_weights(layout, genome[None]), rebuilt(original, layout, genome)(x)
    for bit in range(layout.length):
        flipped = genome.clone()
        flipped[bit] = ~flipped[bit]
        more = bool(flipped[bit])
        changed = kept_weights(layout, flipped[None])
        assert (changed > N) if more else (changed < N), f"bit {bit}"
        difference = (rebuilt(original, layout, flipped)(x) - picture).abs().max()
        assert difference > 1e-5, f"bit {bit}"


@given(n=st.integers(1, 4), length=st.integers(1, 40), seed=st.integers(0, 999))
def test_packing_is_numpys_and_unpacking_reverses_it(n: int, length: int, seed: int) -> None:
    bits = torch.rand(n, length, generator=torch.Generator().manual_seed(seed)) < 0.5
    packed = pack(bits)
    assert packed.dtype == torch.uint8
    assert np.array_equal(packed.numpy(), np.packbits(bits.numpy(), axis=1))
    assert torch.equal(unpack(packed, length), bits)


def test_every_genome_has_a_key_of_its_own() -> None:
    everything = torch.cartesian_prod(*[torch.tensor([False, True])] * 9)
    assert len({genome_key(genome) for genome in everything}) == 2**9
