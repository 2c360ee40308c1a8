"""Averages, validation, and what a training ends with."""

import json
import math
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev
from unittest.mock import patch

import pytest
import torch

from ganprune.training import Budget, Networks, TrainState, train
from ganprune.training.validation import CLEAR, Seen, Validation, further, score
from tests.training.gan import DOMAINS, SETTINGS, STEPS, Gan
from tests.training.kit import pictures, same_bits


def test_a_training_ends_with_the_last_weights_that_are_not_clearly_further(tmp_path: Path, gan: Gan):
    settings = replace(SETTINGS, average=0.9, validations=6, lr=0.05, decay=0.0)  # wild steps
    held_out, folder, seen = gan.validation(), tmp_path / "out", list[tuple[int, bool, Seen]]()
    look = Validation.look

    def spied(validation: Validation, networks: Networks) -> Seen:
        seen.append((len(seen) // 2 * 2, len(seen) % 2 == 1, look(validation, networks)))
        return seen[-1][2]

    with patch.object(Validation, "look", spied):
        result = train(
            gan.networks,
            pictures(tmp_path),
            settings,
            STEPS,
            folder,
            teachers=gan.teachers,
            validation=held_out,
        )
    lines = [json.loads(line) for line in (folder / "validation.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 2, 4, 6, 8, 10, 12]
    best, figures = json.loads((folder / "train.json").read_text())["best"], held_out.figures(result.networks)
    for side in DOMAINS:
        each = [torch.tensor(one.each[f"G_{side}"], dtype=torch.float64).log() for *_, one in seen]
        nearest = [min(each[: i + 1], key=lambda logs: float(logs.mean())) for i in range(len(each))]
        ratios = [one - least for one, least in zip(each, nearest, strict=True)]
        clear = [float(r.mean()) > 2 * float(r.std()) / len(r) ** 0.5 for r in ratios]
        step, averaged, chosen = seen[max(i for i, further in enumerate(clear) if not further)]
        told = best[f"G_{side}"]
        assert (told["step"], told["averaged"]) == (step, averaged)
        assert told["score"] == pytest.approx(chosen.figures[f"L_GenA_{side}"], rel=1e-6)
        assert figures[f"L_GenA_{side}"] == pytest.approx(told["score"], rel=1e-4)
    assert (folder / "last_net_G_A.pth").exists()


def test_one_picture_that_speaks_for_an_earlier_network_is_no_clear_difference():
    earlier, later = [4.0, 3.0, 3.3, 4.7, 6.3, 5.1], [2.0, 2.7, 8.3, 3.2, 5.3, 9.2]
    more, error = further(later, earlier)
    ratios = [math.log(a / b) for a, b in zip(later, earlier, strict=True)]
    assert more == pytest.approx(fmean(ratios))
    assert error == pytest.approx(stdev(ratios) / 6**0.5)
    assert 0 < more < CLEAR * error
    worse, error = further([2 * value for value in earlier], earlier)
    assert worse > CLEAR * error
    assert further([1.0], [2.0]) == (pytest.approx(-math.log(2)), 0)
    assert not math.nan <= further([math.nan, 1.0], [1.0, 1.0])[0]


def test_training_that_only_does_harm_ends_where_it_began(tmp_path: Path, gan: Gan):
    settings = replace(SETTINGS, validations=2, lr=10.0, decay=0.0)
    result = train(
        gan.networks, pictures(tmp_path), settings, STEPS, tmp_path / "out", teachers=gan.teachers,
        validation=gan.validation(),
    )  # fmt: skip
    assert same_bits(result.networks, gan.networks)


def test_patience_ends_a_training_that_gets_no_better(tmp_path: Path, gan: Gan):
    settings = replace(SETTINGS, validations=6, patience=2, lr=1e-30)  # moves nothing
    result = train(
        gan.networks, pictures(tmp_path), settings, Budget(60, "steps"), tmp_path / "out",
        teachers=gan.teachers, validation=gan.validation(),
    )  # fmt: skip
    lines = (tmp_path / "out/validation.jsonl").read_text().splitlines()
    assert result.steps == 20
    assert json.loads(lines[-1])["step"] == result.steps
    again = train(
        gan.networks, pictures(tmp_path), settings, Budget(60, "steps"), tmp_path / "out",
        teachers=gan.teachers, validation=gan.validation(),
    )  # fmt: skip
    assert again.steps == result.steps
    assert same_bits(again.networks, result.networks)


def test_averages_follow_the_weights(gan: Gan):
    state = TrainState.start(gan.networks, replace(SETTINGS, average=0.75))
    name, key = "G_A", "model.1.weight"
    parameter = dict(state.networks.G_A.named_parameters())[key]
    wanted, history = parameter.detach().clone(), []
    for step in range(1, 40):
        with torch.no_grad():
            parameter.add_(1.0)
        state.count_step(0.75)
        keep = min(0.75, step / (step + 9))
        wanted = keep * wanted + (1 - keep) * parameter.detach()
        history.append((state.averages[name][key] - wanted).abs().max())
    assert max(history) < 1e-4
    averaged = state.averaged()
    assert torch.equal(averaged.G_A.state_dict()[key], state.averages[name][key])
    assert torch.equal(state.networks.G_A.state_dict()[key], parameter)


def test_validation_of_the_originals_themselves_finds_no_distance(gan: Gan):
    whole = Networks(gan.whole["A"], gan.whole["B"], gan.discriminators["A"], gan.discriminators["B"])
    figures = gan.validation().figures(whole)
    assert all(figures[f"{term}_{side}"] == 0 for term in ("L_GenA", "L_DisA") for side in DOMAINS)
    assert all(figures[f"L_cyc_{side}"] > 0 for side in DOMAINS)
    assert all(score(figures, name, distilled) == 0 for name in ("G_A", "G_B") for distilled in (False, True))
    slim = gan.validation().figures(gan.networks)
    assert all(slim[f"L_GenA_{side}"] > 0 for side in DOMAINS)


def test_network_that_changes_nothing_is_not_the_best_of_the_cyclegan_recipe():
    # Its pictures come back best of all, but D sees that they are not the original's. Figures of horse2zebra.
    nothing = {"L_GenA_A": 0.029, "L_DisA_A": 0.061, "L_cyc_A": 0.031}
    network = {"L_GenA_A": 0.008, "L_DisA_A": 0.020, "L_cyc_A": 0.038}
    paper = [part["L_DisA_A"] + 10 * part["L_cyc_A"] for part in (nothing, network)]
    assert paper[0] < paper[1]
    assert score(network, "G_A", distilled=False) < score(nothing, "G_A", distilled=False)


def test_result_of_the_cyclegan_recipe_is_what_its_own_distance_says(tmp_path: Path, gan: Gan):
    settings = replace(SETTINGS, average=0.9, validations=6, lr=0.05, distil=None,
                       trained=("G_A", "G_B", "D_A", "D_B"))  # fmt: skip
    result = train(
        gan.networks, pictures(tmp_path), settings, STEPS, tmp_path / "out", validation=gan.validation()
    )
    lines = [json.loads(line) for line in (tmp_path / "out/validation.jsonl").read_text().splitlines()]
    figures = gan.validation().figures(result.networks)
    for side in DOMAINS:
        smallest = min(line[key] for line in lines for key in (f"L_DisA_{side}", f"average_L_DisA_{side}"))
        assert figures[f"L_DisA_{side}"] == pytest.approx(smallest, rel=1e-3)
