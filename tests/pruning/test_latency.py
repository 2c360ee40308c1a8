"""Predicted milliseconds: interpolation, the sum over layers, and a search that goes by it."""

import copy
import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ganprune.errors import RunError, UsageError
from ganprune.models.cyclegan import resnet_widths
from ganprune.pruning.genome import Layout
from ganprune.pruning.latency import ALWAYS, Axis, Latency, LatencyTable, Piece, TimedPart, predicted
from ganprune.pruning.repair import ON_TARGET, Constraints, Repairer
from ganprune.pruning.resources import Convolutions, Resource
from ganprune.search.coevolution import CoEvolution
from ganprune.settings.search import SearchSettings
from ganprune.settings.words import Domain, LayoutKind
from tests.resnet_convs import generator_convs
from tests.search.test_coevolution import FakeScorer
from tests.tiny import layout_of, seeded

GROUPED = Axis((1, 16, 32, 64), block=16, fine=16, granule=4, few=16)
OTHERS = Axis((17, 33, 63))
STAIRS = Axis((1, 16, 17, 32, 48, 64), block=16, fine=32)
SMOOTH = Axis((1, 8, 32, 64))
WIDTHS = resnet_widths(16, 2)


def rising(inputs: Axis, filters: Axis, seed: int, scale: float = 1.0) -> Piece:
    """Random times that grow with inputs and filters."""
    steps = np.random.default_rng(seed).uniform(0.1, 1, (len(inputs.points), len(filters.points)))
    return Piece(inputs, filters, scale * steps.cumsum(0).cumsum(1))


def kind_of(layer: str | None, source: str | None) -> str:
    """Of a layer of CycleGAN's ResNet, by the groups of its filters and inputs: all blocks are alike."""
    return "residual" if (source or "").startswith("inner") else (layer or "picture").rstrip("01")


def any_table() -> LatencyTable:
    """Of CycleGAN's ResNet, up to 64 inputs and filters of every kind, some of which are in two pieces."""
    parts, kinds = list[TimedPart](), dict[str, tuple[Piece, ...]]()
    for seed, conv in enumerate(generator_convs(WIDTHS.blocks)):
        kind = kind_of(conv.target, conv.source)
        two = (rising(GROUPED, STAIRS, seed), rising(OTHERS, SMOOTH, 50 + seed, 1.5))
        kinds[kind] = (rising(SMOOTH, SMOOTH, seed),) if kind.startswith("up") else two
        inputs, filters = ({group: 1.0} if group else {ALWAYS: 3.0} for group in (conv.source, conv.target))
        parts.append(TimedPart(kind, inputs, filters))
    return LatencyTable({"cpu": "a", "size": 256}, tuple(parts), kinds, WHOLE)


WHOLE = ((30.0, 33.0), (200.0, 190.0))
TABLE = any_table()
WHOLE_WIDTHS = layout_of(WIDTHS).graph.sizes
COUNTS = np.arange(1, 65)


def test_between_points_times_are_interpolated_linearly() -> None:
    times = np.array([1.0, 2.0, 10.0, 11.0])
    expected = np.interp(COUNTS, SMOOTH.points, times)
    np.testing.assert_allclose(SMOOTH.weights(COUNTS) @ times, expected)


def test_a_time_is_that_of_the_whole_block_where_blocks_are_not_measured_at_both_ends() -> None:
    times = np.array([1.0, 2.0, 5.0, 7.0, 11.0, 13.0])
    found = dict(zip(COUNTS.tolist(), STAIRS.weights(COUNTS) @ times, strict=True))
    assert [found[n] for n in (33, 40, 48)] == [11.0] * 3
    assert [found[n] for n in (49, 64)] == [13.0] * 2
    assert [found[n] for n in (16, 17, 32)] == [2.0, 5.0, 7.0]
    assert found[24] == pytest.approx(5 + 2 * 7 / 15)


@pytest.mark.parametrize("kind", TABLE.kinds)
def test_a_prediction_is_exact_where_it_was_measured(kind: str) -> None:
    dense = TABLE.dense(kind)
    for piece in TABLE.kinds[kind]:
        assert piece.inputs.serves(np.array(piece.inputs.points)).all()
        for row, i in zip(piece.ms, piece.inputs.points, strict=True):
            np.testing.assert_allclose(dense[i, list(piece.filters.points)], row)


def test_inputs_that_cannot_be_grouped_have_times_of_their_own() -> None:
    dense = TABLE.dense("trunk")
    grouped, others = TABLE.kinds["trunk"]
    for i in COUNTS.tolist():
        piece = grouped if i <= 16 or i % 4 == 0 else others
        np.testing.assert_allclose(dense[i, 1:], piece.over(np.array([i]), COUNTS)[0])
    assert dense[63, 1] > dense[64, 1]  # as it was measured


@given(seed=st.integers(0, 999), noise=st.floats(0, 3))
def test_within_a_piece_more_channels_never_take_less_time(seed: int, noise: float) -> None:
    whole = rising(GROUPED, STAIRS, seed)
    disturbed = 1 + noise * np.random.default_rng(seed).random(whole.ms.shape)
    served = COUNTS[GROUPED.serves(COUNTS)]
    ms = replace(whole, ms=whole.ms * disturbed).over(served, COUNTS)
    assert (np.diff(ms, axis=0) >= -1e-9).all()
    assert (np.diff(ms, axis=1) >= -1e-9).all()
    assert (ms >= whole.over(served, COUNTS) - 1e-9).all()


def test_a_disturbed_time_is_lowered_to_that_of_something_larger() -> None:
    calm = rising(SMOOTH, SMOOTH, 0)
    ms = calm.ms.copy()
    ms[1, 1] *= 100
    lowered = replace(calm, ms=ms).over(np.array([8]), np.array([8]))[0, 0]
    assert lowered == pytest.approx(min(calm.ms[1, 2], calm.ms[2, 1]))


def test_what_reads_or_writes_nothing_takes_no_time() -> None:
    dense = TABLE.dense("inner")
    assert not dense[0].any()
    assert not dense[:, 0].any()
    assert dense[1:, 1:].all()


@pytest.mark.parametrize("kind", ["filters", "shared"])
def test_a_network_takes_what_whole_ones_took_of_the_sum_of_its_layers(kind: LayoutKind) -> None:
    layout = layout_of(WIDTHS, kind)
    genomes = torch.rand(6, layout.length, generator=seeded(0)) < 0.6
    genomes[0, layout.genes["trunk"]] = False
    found = Latency(TABLE, layout).of(layout.gene_counts(genomes).numpy().reshape(2, 3, -1))
    assert found.shape == (2, 3)
    for genome, ms in zip(genomes, found.flatten().tolist(), strict=True):
        widths, total = layout.slim_widths(genome), 0.0
        for conv in generator_convs(WIDTHS.blocks):
            i, f = (widths[group] if group else 3 for group in (conv.source, conv.target))
            total += TABLE.dense(kind_of(conv.target, conv.source))[i, f]
        assert ms == pytest.approx(np.interp(total, [0, 30, 200], [0, 33, 190]))
        assert predicted(TABLE, widths) == pytest.approx(ms)
    without = {group: n for group, n in layout.graph.sizes.items() if group != "inner1"}
    assert predicted(TABLE, without) == predicted(TABLE, without | {"inner1": 0})


def test_a_table_that_does_not_reach_so_far_is_refused() -> None:
    message = "table reaches 64 inputs and 64 filters of trunk, found 32 and 128"
    with pytest.raises(RunError, match=message):
        predicted(TABLE, layout_of(replace(resnet_widths(16, 1), trunk=128)).graph.sizes)


@pytest.mark.parametrize("kind", ["filters", "shared"])
def test_without_parts_times_are_in_proportion_to_work(kind: LayoutKind) -> None:
    layout = layout_of(WIDTHS, kind)
    work, latency = (
        Convolutions.of_layout(layout, "work"),
        Latency(LatencyTable.by_work(layout.graph, 70, {}), layout),
    )
    counts = np.random.default_rng(0).integers(1, layout.sizes, (5, len(layout.sizes)))
    full = np.array(layout.sizes)
    np.testing.assert_allclose(latency.of(counts), 70 * work.of(counts) / work.of(full), rtol=1e-6)


def test_a_table_comes_back_from_json_as_it_was() -> None:
    again = LatencyTable.from_json(json.loads(json.dumps(TABLE.to_json())))
    assert again.made_for == TABLE.made_for
    assert (again.parts, again.whole) == (TABLE.parts, TABLE.whole)
    for kind in TABLE.kinds:
        np.testing.assert_array_equal(again.dense(kind), TABLE.dense(kind))


def damaged(key: str, changed: Any) -> Any:
    """The table as JSON, with something of its first piece of up changed."""
    value = copy.deepcopy(TABLE.to_json())
    piece = value["kinds"]["up"][0]
    piece[key] = piece[key] | changed if isinstance(changed, dict) else changed
    return value


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([], "TypeError"),
        (TABLE.to_json() | {"schema": 1}, "schema is 1"),
        ({"schema": 3}, "KeyError: 'kinds'"),
        (TABLE.to_json() | {"kinds": {}}, "a part is missing"),
        (TABLE.to_json() | {"parts": []}, "a part is missing"),
        (TABLE.to_json() | {"whole": [[2, 2], [3, 1]]}, "do not fit together"),
        (TABLE.to_json() | {"whole": []}, "do not fit together"),
        (damaged("ms", "fast"), "could not convert"),
        (damaged("ms", [[1.0]]), "do not fit together"),
        (damaged("ms", (-np.ones((4, 4))).tolist()), "do not fit together"),
        (damaged("ms", np.full((4, 4), np.nan).tolist()), "do not fit together"),
        (damaged("inputs", {"points": [8, 1, 32, 64]}), "do not fit together"),
        (damaged("filters", {"block": 0}), "do not fit together"),
    ],
)
def test_a_damaged_table_is_refused(value: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        LatencyTable.from_json(value)


# Going by it


@pytest.mark.parametrize("kind", ["filters", "shared"])
@pytest.mark.parametrize("align", [1, 4])
@pytest.mark.parametrize("share", [0.4, 0.7])
def test_repaired_genomes_take_what_is_asked_for(kind: LayoutKind, align: int, share: float) -> None:
    layout = layout_of(WIDTHS, kind)
    latency = Latency(TABLE, layout)
    target = share * predicted(TABLE, WHOLE_WIDTHS)
    repair = Repairer(layout, Constraints(align, target_ms=target), latency)
    genomes = repair(torch.rand(8, layout.length, generator=seeded(1)) < share, seeded(2))
    ms = latency.of(layout.gene_counts(genomes).numpy())
    assert (ms <= target).all()
    for counts, found in zip(layout.gene_counts(genomes).numpy(), ms, strict=True):
        larger = counts + align * np.eye(len(counts), dtype=int)
        fits = [row for row in larger if (row <= layout.sizes).all() and latency.of(row) <= target]
        assert found >= ON_TARGET * target or not fits


def test_the_first_generation_and_all_others_keep_to_the_milliseconds() -> None:
    layouts: dict[Domain, Layout] = {"A": layout_of(WIDTHS), "B": layout_of(WIDTHS, "shared")}
    latency: dict[Domain, Resource] = {side: Latency(TABLE, layout) for side, layout in layouts.items()}
    asked: dict[Domain, float] = {"A": 0.5, "B": 0.8}
    whole = predicted(TABLE, WHOLE_WIDTHS)
    settings = SearchSettings(population=6, generations=3, target_ms=(0.5 * whole, 0.8 * whole))
    states = list(CoEvolution(settings, layouts, FakeScorer(), latency=latency).states(None))
    assert len(states) == 4
    for state in states:
        for side, share in asked.items():
            ms = latency[side].of(layouts[side].gene_counts(state.populations[side].genomes).numpy())
            assert (ms <= share * whole).all()
            assert (ms >= 0.8 * share * whole).all()  # the stairs of this table are steep


def test_coin_flips_are_weighted_so_that_networks_take_about_what_is_asked_for() -> None:
    layout, whole = layout_of(WIDTHS), predicted(TABLE, WHOLE_WIDTHS)
    latency, shares = Latency(TABLE, layout), list[float]()
    for target in (0.2 * whole, 0.5 * whole, 0.8 * whole, 2 * whole):
        share = Repairer(layout, Constraints(target_ms=target), latency).uniform_share()
        uniform = np.rint(share * np.array(layout.sizes)).astype(int).clip(1)
        assert latency.of(uniform) <= target
        shares.append(share)
    assert all(small < large for small, large in pairwise(shares))
    assert shares[-1] == pytest.approx(1)


def test_milliseconds_out_of_reach_are_refused_with_the_least_that_are_possible() -> None:
    layout = layout_of(WIDTHS)
    least = predicted(TABLE, dict.fromkeys(WHOLE_WIDTHS, 4))
    message = rf"--target-ms 0\.1 cannot be reached with --set align=4: .* network has {least:.1f} ms"
    with pytest.raises(UsageError, match=message):
        Repairer(layout, Constraints(4, target_ms=0.1), Latency(TABLE, layout))
