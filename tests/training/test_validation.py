"""Averages, validation, and what a training ends with."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ganprune.training import Budget, DistilSettings, Networks, TrainState, train
from ganprune.training.validation import score
from tests.training.gan import DISTIL, DOMAINS, SETTINGS, STEPS, Gan
from tests.training.kit import pictures, same_bits


def test_the_best_of_all_validated_weights_are_the_result(tmp_path: Path, gan: Gan):
    settings = replace(SETTINGS, average=0.9, validations=6, lr=0.05, decay=0.0)  # wild steps
    held_out, folder = gan.validation(), tmp_path / "out"
    result = train(
        gan.networks, pictures(tmp_path), settings, STEPS, folder, teachers=gan.teachers, validation=held_out
    )
    lines = [json.loads(line) for line in (folder / "validation.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4, 6, 8, 10, 12]
    best = json.loads((folder / "train.json").read_text())["best"]
    figures = held_out.figures(result.networks)
    for side in DOMAINS:
        name = f"L_GenA_{side}"
        smallest = min(line[key] for line in lines for key in (name, f"average_{name}"))
        assert best[f"G_{side}"]["score"] == pytest.approx(smallest, rel=1e-5)
        assert figures[name] == pytest.approx(smallest, rel=1e-4)
    assert (folder / "last_net_G_A.pth").exists()


def test_patience_ends_a_training_that_gets_no_better(tmp_path: Path, gan: Gan):
    settings = replace(SETTINGS, validations=6, patience=2, lr=1e-30)  # moves nothing
    result = train(
        gan.networks, pictures(tmp_path), settings, Budget(60, "steps"), tmp_path / "out",
        teachers=gan.teachers, validation=gan.validation(),
    )  # fmt: skip
    lines = (tmp_path / "out/validation.jsonl").read_text().splitlines()
    assert result.steps == 30
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


@pytest.mark.parametrize(("distil", "loss"), [(None, "L_DisA"), (DISTIL, "L_GenA")])
def test_result_of_a_recipe_is_what_its_own_distance_says(
    tmp_path: Path, gan: Gan, distil: DistilSettings | None, loss: str
):
    settings = replace(SETTINGS, average=0.9, validations=6, lr=0.05, distil=distil,
                       trained=SETTINGS.trained if distil else ("G_A", "G_B", "D_A", "D_B"))  # fmt: skip
    result = train(
        gan.networks, pictures(tmp_path), settings, STEPS, tmp_path / "out",
        teachers=gan.teachers if distil else None, validation=gan.validation(),
    )  # fmt: skip
    lines = [json.loads(line) for line in (tmp_path / "out/validation.jsonl").read_text().splitlines()]
    figures = gan.validation().figures(result.networks)
    for side in DOMAINS:
        smallest = min(line[key] for line in lines for key in (f"{loss}_{side}", f"average_{loss}_{side}"))
        assert figures[f"{loss}_{side}"] == pytest.approx(smallest, rel=1e-3)
