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
from ganprune.images.sources import Domain
from ganprune.models.cyclegan import Generator, GeneratorWidths, generator_convs, resnet_widths
from ganprune.pruning.genome import Layout, LayoutKind
from ganprune.pruning.latency import KINDS, Axis, Kind, Latency, LatencyTable, Piece, kind_of, predicted
from ganprune.pruning.repair import ON_TARGET, Constraints, Repairer
from ganprune.pruning.resources import Resource
from ganprune.search.coevolution import CoEvolution
from ganprune.search.settings import SearchSettings
from tests.search.test_coevolution import FakeScorer
from tests.tiny import layout_of, seeded, slim_widths

GROUPED = Axis((1, 16, 32, 64), block=16, fine=16, granule=4)
OTHERS = Axis((17, 33, 63))
STAIRS = Axis((1, 16, 17, 32, 48, 64), block=16, fine=32)
SMOOTH = Axis((1, 8, 32, 64))
WIDTHS = resnet_widths(16, 2)


def rising(inputs: Axis, filters: Axis, seed: int, scale: float = 1.0) -> Piece:
    """Random times that grow with inputs and filters."""
    steps = np.random.default_rng(seed).uniform(0.1, 1, (len(inputs.points), len(filters.points)))
    return Piece(inputs, filters, scale * steps.cumsum(0).cumsum(1))


def any_table() -> LatencyTable:
    """Up to 64 inputs and filters of every kind, some of which are in two pieces."""
    pieces: dict[Kind, tuple[Piece, ...]] = {}
    for seed, kind in enumerate(KINDS):
        two = (rising(GROUPED, STAIRS, seed), rising(OTHERS, SMOOTH, 50 + seed, 1.5))
        one = (rising(SMOOTH, SMOOTH, seed),)
        pieces[kind] = one if kind.startswith("up") else two
    return LatencyTable({"cpu": "a", "size": 256}, pieces)


TABLE = any_table()
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


@pytest.mark.parametrize("kind", KINDS)
def test_a_prediction_is_exact_where_it_was_measured(kind: Kind) -> None:
    dense = TABLE.dense(kind, 64, 64)
    for piece in TABLE.pieces[kind]:
        assert piece.inputs.serves(np.array(piece.inputs.points)).all()
        for row, i in zip(piece.ms, piece.inputs.points, strict=True):
            np.testing.assert_allclose(dense[i, list(piece.filters.points)], row)


def test_inputs_that_cannot_be_grouped_have_times_of_their_own() -> None:
    dense = TABLE.dense("trunk", 64, 64)
    grouped, others = TABLE.pieces["trunk"]
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


@pytest.mark.parametrize("kind", ["filters", "shared"])
def test_a_network_takes_the_sum_of_its_layers(kind: LayoutKind) -> None:
    layout = layout_of(WIDTHS, kind)
    genomes = torch.rand(6, layout.length, generator=seeded(0)) < 0.6
    found = Latency(TABLE, layout).of(layout.gene_counts(genomes).numpy().reshape(2, 3, -1))
    assert found.shape == (2, 3)
    for genome, ms in zip(genomes, found.flatten().tolist(), strict=True):
        slim = slim_widths(layout, genome)
        channels = {**slim.groups(), "in": slim.in_channels, "out": slim.out_channels}
        expected = 0.0
        for conv in generator_convs(slim.blocks):
            i, f = channels[conv.source or "in"], channels[conv.target or "out"]
            expected += TABLE.dense(kind_of(conv), 64, 64)[i, f]
        assert ms == pytest.approx(expected)
        assert predicted(TABLE, Generator(slim)) == pytest.approx(expected)


def test_blocks_of_different_widths_are_looked_up_in_one_table() -> None:
    uneven = GeneratorWidths(8, 16, 24, (40, 10), 16, 8)
    dense = {kind: TABLE.dense(kind, 64, 64) for kind in KINDS}
    more = replace(uneven, inner=(40, 11))
    grown = dense["inner"][24, 11] - dense["inner"][24, 10]
    grown += dense["residual"][11, 24] - dense["residual"][10, 24]
    assert predicted(TABLE, Generator(more)) - predicted(TABLE, Generator(uneven)) == pytest.approx(grown)


def test_a_table_that_does_not_reach_so_far_is_refused() -> None:
    message = "table reaches 64 inputs and 64 filters of layer trunk, found 32 and 128"
    with pytest.raises(RunError, match=message):
        predicted(TABLE, Generator(replace(resnet_widths(16, 1), trunk=128)))


def test_a_table_comes_back_from_json_as_it_was() -> None:
    again = LatencyTable.from_json(json.loads(json.dumps(TABLE.to_json())))
    assert again.made_for == TABLE.made_for
    for kind in KINDS:
        np.testing.assert_array_equal(again.dense(kind, 64, 64), TABLE.dense(kind, 64, 64))


def damaged(key: str, changed: Any) -> Any:
    """The table as JSON, with something of its first piece of up1 changed."""
    value = copy.deepcopy(TABLE.to_json())
    piece = value["pieces"]["up1"][0]
    piece[key] = piece[key] | changed if isinstance(changed, dict) else changed
    return value


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([], "TypeError"),
        (TABLE.to_json() | {"schema": 1}, "schema is 1"),
        ({"schema": 2}, "KeyError: 'pieces'"),
        (TABLE.to_json() | {"pieces": dict.fromkeys(KINDS, ())}, "a layer is missing"),
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
    target = share * predicted(TABLE, Generator(WIDTHS))
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
    whole = predicted(TABLE, Generator(WIDTHS))
    settings = SearchSettings(population=6, generations=3, target_ms=(0.5 * whole, 0.8 * whole))
    states = list(CoEvolution(settings, layouts, FakeScorer(), latency=latency).states(None))
    assert len(states) == 4
    for state in states:
        for side, share in asked.items():
            ms = latency[side].of(layouts[side].gene_counts(state.populations[side].genomes).numpy())
            assert (ms <= share * whole).all()
            assert (ms >= 0.8 * share * whole).all()  # the stairs of this table are steep


def test_coin_flips_are_weighted_so_that_networks_take_about_what_is_asked_for() -> None:
    layout, whole = layout_of(WIDTHS), predicted(TABLE, Generator(WIDTHS))
    latency, shares = Latency(TABLE, layout), list[float]()
    for target in (0.2 * whole, 0.5 * whole, 0.8 * whole, 2 * whole):
        share = Repairer(layout, Constraints(target_ms=target), latency).uniform_share()
        uniform = np.rint(share * np.array(layout.sizes)).astype(int).clip(1)
        assert latency.of(uniform) <= target
        shares.append(share)
    assert all(small < large for small, large in pairwise(shares))
    assert shares[-1] == 1


def test_milliseconds_out_of_reach_are_refused_with_the_least_that_are_possible() -> None:
    layout = layout_of(WIDTHS)
    least = predicted(TABLE, Generator(GeneratorWidths(4, 4, 4, (4, 4), 4, 4)))
    message = rf"--target-ms 0\.1 cannot be reached with --align 4: .* network has {least:.1f} ms"
    with pytest.raises(UsageError, match=message):
        Repairer(layout, Constraints(4, target_ms=0.1), Latency(TABLE, layout))
