"""Named settings."""

import pytest
import torch

from ganprune.errors import UsageError
from ganprune.models.cyclegan import resnet_widths
from ganprune.presets import DEFAULT_PRESET, PRESETS, preset
from ganprune.pruning.repair import Repairer
from ganprune.pruning.resources import kept_macs
from ganprune.settings import CompressSettings
from tests.tiny import layout_of, seeded


@pytest.mark.parametrize("name", PRESETS)
def test_preset_is_valid_and_within_reach_of_the_usual_generator(name: str) -> None:
    settings = CompressSettings.from_flat(preset(name).settings)
    for side in ("A", "B"):
        Repairer(layout_of(resnet_widths(64, 9)), settings.search.constraints(side))


@pytest.mark.parametrize("name", PRESETS)
def test_preset_has_a_summary_of_one_line(name: str) -> None:
    assert 0 < len(preset(name).summary) <= 110
    assert "\n" not in preset(name).summary


def test_default_preset_is_four_times_as_fast_in_widths_that_cpus_like() -> None:
    search = CompressSettings.from_flat(preset(DEFAULT_PRESET).settings).search
    assert search.speed_up == (4.2, 4.2)
    assert search.align == 16


@pytest.mark.parametrize(("name", "most"), [("fast", 0.25), ("tiny", 1 / 15)])
def test_presets_keep_at_most_this_share_of_the_arithmetic(name: str, most: float) -> None:
    search = CompressSettings.from_flat(preset(name).settings).search
    layout = layout_of(resnet_widths(64, 9))
    repaired = Repairer(layout, search.constraints("A"))(
        torch.rand(20, layout.length, generator=seeded(0)) < 0.5, seeded(0)
    )
    assert kept_macs(layout, repaired).max() <= most


def test_paper_preset_is_algorithm_1_with_the_numbers_of_the_paper() -> None:
    search = CompressSettings.from_flat(preset("paper").settings).search
    assert (search.population, search.generations) == (32, 100)
    assert (search.gamma, search.lambda_cycle, search.lambda_identity) == (10, 10, 0)
    assert (search.p_select, search.p_crossover, search.parents) == (0.2, 0.7, 1)
    assert (search.mutation, search.mutation_rate) == ("flip", 0.02)
    assert search.cycle == "whole"
    assert search.target_macs is None
    assert search.align == 1


def test_unknown_preset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="quick is not known; there are fast, co-evolution, "):
        preset("quick")


def test_presets_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        PRESETS["mine"] = PRESETS["fast"]  # type: ignore[index]
