import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ganprune.errors import UsageError
from ganprune.models.cyclegan import Generator, resnet_widths
from ganprune.pruning.cost import macs, params
from ganprune.pruning.genome import Layout, LayoutKind
from ganprune.pruning.rebuild import rebuilt
from ganprune.pruning.repair import ON_TARGET, WANDER, Constraints, Repairer
from ganprune.pruning.resources import KAPPA, Convolutions, kept_macs
from tests.oracles import counted_macs
from tests.strategies import layouts
from tests.tiny import layout_of, seeded, slim_widths

ORIGINAL = resnet_widths(64, 9)
MIDDLE = resnet_widths(16, 3)


def any_genomes(layout: Layout, n: int, seed: int, keep: float = 0.5) -> Tensor:
    """Coin flips, so that genes may be empty."""
    return torch.rand(n, layout.length, generator=seeded(seed)) < keep


def sizes(layout: Layout) -> dict[str, int]:
    return {gene: piece.stop - piece.start for gene, piece in layout.genes.items()}


def counts(layout: Layout, genome: Tensor) -> dict[str, int]:
    return {gene: int(genome[piece].sum()) for gene, piece in layout.genes.items()}


@given(
    layout=layouts(most=40, blocks=2),
    align=st.sampled_from([1, 2, 8, 16]),
    keep=st.sampled_from([0, 0.01, 0.5, 1]),
    seed=st.integers(0, 999),
)
def test_every_gene_keeps_a_multiple_of_align_or_all(
    layout: Layout, align: int, keep: float, seed: int
) -> None:
    repaired = Repairer(layout, Constraints(align))(any_genomes(layout, 3, seed, keep), seeded(seed))
    for genome in repaired:
        for gene, count in counts(layout, genome).items():
            size = sizes(layout)[gene]
            assert min(align, size) <= count
            assert count % align == 0 or count == size


def test_work_is_macs_and_kappa_for_every_value_that_a_convolution_writes() -> None:
    layout = layout_of(MIDDLE)
    network = Generator(MIDDLE, "instance")
    values = list[int]()
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
            module.register_forward_hook(lambda *args: values.append(args[2].numel()))
    network(torch.rand(1, 3, 16, 16))
    written = sum(values)
    work = Convolutions.of_layout(layout, "work").of(np.array(layout.sizes))
    assert 256 * work == macs(network, 16, 16, "true") + KAPPA * written  # work is of one pixel


def test_a_speed_up_is_met_by_work() -> None:
    layout = layout_of(ORIGINAL)
    work = Convolutions.of_layout(layout, "work")
    repaired = Repairer(layout, Constraints(16, speed_up=4))(any_genomes(layout, 5, 0), seeded(0))
    share = work.of(layout.gene_counts(repaired).numpy()) / work.of(np.array(layout.sizes))
    assert ((share <= 0.25) & (share >= 0.25 * ON_TARGET)).all()


@given(
    kind=st.sampled_from(["filters", "shared"]),
    align=st.sampled_from([1, 4, 8]),
    target=st.none() | st.floats(0.3, 1),
    seed=st.integers(0, 999),
)
def test_repaired_genomes_come_back_unchanged(
    kind: LayoutKind, align: int, target: float | None, seed: int
) -> None:
    layout = layout_of(MIDDLE, kind)
    repair = Repairer(layout, Constraints(align, target))
    once = repair(any_genomes(layout, 2, seed), seeded(seed))
    assert torch.equal(repair(once, seeded(seed + 1)), once)


def test_without_constraints_only_empty_genes_change_and_get_one_filter() -> None:
    layout = layout_of(MIDDLE)
    genomes = any_genomes(layout, 4, seed=0)
    genomes[1, layout.genes["down"]] = False
    genomes[3] = False
    repaired = Repairer(layout, Constraints())(genomes, seeded(0))
    assert torch.equal(repaired[[0, 2]], genomes[[0, 2]])
    assert counts(layout, repaired[1])["down"] == 1
    assert (repaired[1] != genomes[1]).sum() == 1
    assert set(counts(layout, repaired[3]).values()) == {1}


@given(
    kind=st.sampled_from(["filters", "shared"]),
    target=st.floats(0.001, 1),
    keep=st.floats(0.05, 1),
    seed=st.integers(0, 999),
)
def test_with_single_filters_the_target_is_met_from_below_within_two_percent(
    kind: LayoutKind, target: float, keep: float, seed: int
) -> None:
    layout = layout_of(ORIGINAL, kind)
    genomes = any_genomes(layout, 1, seed, min(1, max(target**0.5 * 1.1, keep * target**0.5)))
    repaired = Repairer(layout, Constraints(1, target))(genomes, seeded(seed))
    true = counted_macs(slim_widths(layout, repaired[0]), 64, 64) / counted_macs(ORIGINAL, 64, 64)
    assert ON_TARGET * target <= true <= target


@given(
    layout=layouts(most=64, blocks=2),
    align=st.sampled_from([1, 8, 16]),
    room=st.floats(0, 1),
    seed=st.integers(0, 999),
)
def test_the_target_is_never_exceeded_and_missed_only_where_no_step_up_fits(
    layout: Layout, align: int, room: float, seed: int
) -> None:
    least = Repairer(layout, Constraints(align))(any_genomes(layout, 1, 0, keep=0), seeded(0))
    smallest = float(kept_macs(layout, least))
    target = smallest + room * (1 - smallest)
    (genome,) = Repairer(layout, Constraints(align, target))(any_genomes(layout, 1, seed), seeded(seed))
    share = float(kept_macs(layout, genome[None]))
    assert share <= target * (1 + 1e-12)
    if share < ON_TARGET * target:
        for gene, piece in layout.genes.items():
            dropped = (~genome[piece]).nonzero().flatten() + piece.start
            larger = genome.clone()
            larger[dropped[: next_step(sizes(layout)[gene], counts(layout, genome)[gene], align)]] = True
            assert len(dropped) == 0 or kept_macs(layout, larger[None]) > target, gene


def next_step(size: int, count: int, align: int) -> int:
    """Filters to add for the next allowed count."""
    return min((count // align + 1) * align, size) - count


@given(align=st.sampled_from([1, 8]), target=st.none() | st.floats(0.3, 1), seed=st.integers(0, 999))
def test_within_a_gene_bits_are_only_added_or_only_dropped(
    align: int, target: float | None, seed: int
) -> None:
    layout = layout_of(MIDDLE)
    before = any_genomes(layout, 1, seed)
    after = Repairer(layout, Constraints(align, target))(before, seeded(seed))
    for gene, piece in layout.genes.items():
        flips = int((before[0, piece] != after[0, piece]).sum())
        assert flips == abs(counts(layout, after[0])[gene] - counts(layout, before[0])[gene]), gene


def test_counts_round_to_a_neighbour_in_proportion_to_its_nearness() -> None:
    layout = layout_of(MIDDLE)
    piece, n = layout.genes["trunk"], 2000
    genomes = layout.full().repeat(n, 1)
    genomes[:, piece] = torch.arange(64) < 10  # between 8 and 16, a quarter of the way up
    repaired = Repairer(layout, Constraints(align=8))(genomes, seeded(0))
    kept = repaired[:, piece].sum(1)
    assert set(kept.tolist()) == {8, 16}
    assert (kept == 16).sum().item() == pytest.approx(n / 4, abs=4 * math.sqrt(n * 3 / 16))


def test_dropped_filters_are_drawn_evenly() -> None:
    layout = layout_of(MIDDLE)
    piece, n = layout.genes["down"], 4000
    genomes = layout.full().repeat(n, 1)
    genomes[:, piece.stop - 2 : piece.stop] = False  # 30 of 32 kept, so 6 more go for 24
    repaired = Repairer(layout, Constraints(align=24))(genomes, seeded(0))
    down = repaired[repaired[:, piece].sum(1) == 24][:, piece.start : piece.stop - 2]
    expected = len(down) * 24 / 30
    assert torch.all((down.sum(0) - expected).abs() < 5 * math.sqrt(expected * 6 / 30))


def test_repair_depends_on_the_generator_alone_and_leaves_its_input() -> None:
    layout = layout_of(MIDDLE)
    repair, genomes = Repairer(layout, Constraints(8, 0.4)), any_genomes(layout, 3, seed=0)
    before = genomes.clone()
    first, again, other = (repair(genomes, seeded(seed)) for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(genomes, before)


@pytest.mark.parametrize("kind", ["filters", "shared"])
@pytest.mark.parametrize("target", [0.15, 0.4])
def test_a_target_of_parameters_holds_for_the_network_that_is_built(kind: LayoutKind, target: float) -> None:
    layout, original = layout_of(MIDDLE, kind), Generator(MIDDLE)
    repair = Repairer(layout, Constraints(target_params=target))
    for genome in repair(any_genomes(layout, 4, seed=1), seeded(0)):
        share = params(rebuilt(original, layout, genome)) / params(original)
        assert (ON_TARGET - 0.01) * target <= share <= target * 1.0001


class Milliseconds:
    """One for every kept filter."""

    def of(self, counts: np.ndarray) -> np.ndarray:
        return counts.sum(-1).astype(float)


def test_of_several_targets_all_are_kept_and_one_is_met() -> None:
    layout = layout_of(MIDDLE)
    macs, ms = 0.5, layout.length / 2
    repair = Repairer(layout, Constraints(target_macs=macs, target_ms=ms), Milliseconds())
    for genome in repair(any_genomes(layout, 6, seed=2), seeded(0)):
        used = [float(kept_macs(layout, genome[None])) / macs, int(genome.sum()) / ms]
        assert ON_TARGET <= max(used) <= 1
    with pytest.raises(UsageError, match="--target-ms needs a table of this machine's speed"):
        Repairer(layout, Constraints(target_ms=1.0))
    with pytest.raises(UsageError, match=r"--target-ms 1 cannot be reached .* such network has \d+\.0 ms"):
        Repairer(layout, Constraints(target_ms=1.0), Milliseconds())


class Stairs:
    """Milliseconds that rise by leaps: what runtimes do where blocks of channels begin."""

    def of(self, counts: np.ndarray) -> np.ndarray:
        return (np.ceil(counts / 16) * np.linspace(1, 3, counts.shape[-1])).sum(-1)


@pytest.mark.parametrize("ms", [18.4, 20.0, 21.4, 27.2])
def test_a_target_is_met_by_exchange_where_no_single_step_fits(ms: float) -> None:
    layout = layout_of(MIDDLE)
    repair = Repairer(layout, Constraints(align=16, target_ms=ms), Stairs())
    genomes = repair(any_genomes(layout, 12, seed=4), seeded(0))
    used = Stairs().of(layout.gene_counts(genomes).numpy()) / ms
    assert (used <= 1).all()
    assert (used >= ON_TARGET).all()
    assert torch.equal(repair(genomes, seeded(1)), genomes)
    (option, amount, met) = repair.outcome(genomes[0])[0]
    assert (option, met) == (f"--target-ms {ms:g}", True)
    assert amount == f"{used[0] * ms:.1f} ms"


def test_what_no_steps_can_meet_is_told() -> None:
    layout = layout_of(MIDDLE)
    repair = Repairer(
        layout, Constraints(align=16, target_ms=17.0), Stairs()
    )  # 16 is the least, 17.1 the next
    genome = repair(any_genomes(layout, 1, seed=4), seeded(0))[0]
    assert repair.outcome(genome) == [("--target-ms 17", "16.0 ms", False)]
    assert Repairer(layout, Constraints(align=16)).outcome(genome) == []


@pytest.mark.parametrize(("align", "least"), [(1, 5), (4, 6), (8, 100)])
def test_no_gene_keeps_fewer_filters_than_the_minimum(align: int, least: int) -> None:
    layout = layout_of(MIDDLE)
    repair = Repairer(layout, Constraints(align, min_filters=least))
    for genome in repair(any_genomes(layout, 4, seed=3, keep=0.1), seeded(0)):
        for gene, count in counts(layout, genome).items():
            size = layout.genes[gene].stop - layout.genes[gene].start
            assert count >= min(least, size)
            assert count % align == 0 or count == size


def test_the_smallest_network_is_within_reach_and_nothing_below_it() -> None:
    layout = layout_of(MIDDLE)
    smallest = Repairer(layout, Constraints(8))(any_genomes(layout, 1, 0, keep=0), seeded(0))
    least = float(kept_macs(layout, smallest))
    reached = Repairer(layout, Constraints(8, least))(layout.full()[None], seeded(0))
    assert set(counts(layout, reached[0]).values()) == {8}
    message = (
        rf"^--target-macs 0\.01 cannot be reached with --set align=8: the smallest such network has "
        rf"{least:.4f} of the MACs; allow more, or use a smaller --set align=N$"
    )
    with pytest.raises(UsageError, match=message):
        Repairer(layout, Constraints(8, 0.01))


@given(
    target=st.floats(0.1, 0.9), align=st.sampled_from([1, 4]), seed=st.integers(0, 99), n=st.integers(0, 4)
)
def test_reshaping_moves_width_between_layers_and_stays_on_target(
    target: float, align: int, seed: int, n: int
) -> None:
    layout = layout_of(MIDDLE)
    repair = Repairer(layout, Constraints(align, target))
    before = repair(any_genomes(layout, n, seed), seeded(seed)) if n else any_genomes(layout, 0, 0)
    after = repair.reshaped(before, seeded(seed))
    assert after.shape == before.shape
    macs = kept_macs(layout, before), kept_macs(layout, after)
    assert (macs[1] <= target).all()
    assert (macs[1] >= torch.minimum(macs[0], torch.tensor(ON_TARGET * target)) - 0.1).all()
    for old, new in zip(before, after, strict=True):
        for gene, piece in layout.genes.items():  # filters come or go, none is exchanged
            assert not ((old & ~new)[piece].any() and (new & ~old)[piece].any()), gene


def test_reshaping_changes_most_shapes() -> None:
    layout = layout_of(ORIGINAL)
    repair = Repairer(layout, Constraints(16, 0.25))
    before = repair(any_genomes(layout, 8, 0), seeded(0))
    moved = layout.gene_counts(repair.reshaped(before, seeded(1))) - layout.gene_counts(before)
    assert ((moved != 0).sum(1) >= 2).sum() >= 6  # one narrower, another wider


def test_filters_that_are_easy_to_do_without_go_first_and_hard_ones_come_first() -> None:
    layout = layout_of(ORIGINAL)
    scores = torch.rand(layout.length, generator=seeded(2)).double()
    repair = Repairer(layout, Constraints(16, 0.25), scores=scores)
    genomes = repair(torch.stack([layout.full(), any_genomes(layout, 1, 0, keep=0.05)[0]]), seeded(0))
    for piece in layout.genes.values():
        rank = scores[piece].argsort().argsort() / (piece.stop - piece.start)
        whole = genomes[0, piece]
        assert rank[whole].min() >= rank[~whole].max() - WANDER - 0.01 if not whole.all() else True
        assert rank[whole].mean() > rank.mean() or whole.all()
        assert rank[genomes[1, piece]].mean() > rank.mean() or genomes[1, piece].all()


def test_a_network_of_which_nothing_can_go_is_refused_with_the_reason() -> None:
    layout = Layout.of(
        nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(2), nn.Unflatten(2, (32, 32)), nn.Conv2d(4, 3, 1))
    )
    with pytest.raises(UsageError, match=r"nothing of this generator can be taken out: 2: .* kept whole"):
        Repairer(layout, Constraints())
