"""What a compression needs, and one that makes a single slim generator."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ganprune.checkpoints import load_quartet
from ganprune.images import find_domains
from ganprune.images.sources import DOMAINS
from ganprune.runs import Run
from ganprune.settings import CompressSettings
from ganprune.stages import fine_tune, needed_networks, rebuild_both, search, write_both
from tests.stages.test_pictures import SETTINGS, _write_pictures, gan, run
from tests.tiny import TinyGan, tiny_job

__all__ = ["gan", "run"]


def _settings(**changes: object) -> CompressSettings:
    return CompressSettings.from_flat(
        SETTINGS.to_flat() | {k.replace("_", "-"): v for k, v in changes.items()}
    )


def _only(gan: TinyGan, needed: tuple[str, ...]) -> TinyGan:
    """What is left where a checkpoint has but these networks."""
    return replace(
        gan,
        generators={side: net for side, net in gan.generators.items() if f"G_{side}" in needed},
        judges={side: net for side, net in gan.judges.items() if f"D_{side}" in needed},
    )


@pytest.mark.parametrize(
    ("changes", "needed"),
    [
        ({}, ("G_A", "G_B", "D_A", "D_B")),
        ({"direction": "AtoB"}, ("G_A", "G_B", "D_A")),
        ({"direction": "BtoA"}, ("G_A", "G_B", "D_B")),
        ({"direction": "AtoB", "lambda_cycle": 0}, ("G_A", "D_A")),
        ({"loss": "gena"}, ("G_A", "G_B")),
        ({"loss": "gena", "direction": "BtoA", "lambda_cycle": 0}, ("G_B",)),
        ({"loss": "gena", "direction": "BtoA", "lambda_cycle": 0, "budget": "1s"}, ("G_B", "D_B")),
    ],
    ids=str,
)
def test_a_compression_runs_on_the_networks_it_is_said_to_need(
    run: Run, gan: TinyGan, changes: dict[str, object], needed: tuple[str, ...]
) -> None:
    settings = _settings(**changes)
    assert needed_networks(settings) == needed
    few = _only(gan, needed)
    job = tiny_job(run, few, settings)
    state = search(job)
    slim = rebuild_both(job, state)
    assert tuple(slim) == tuple(state.populations) == settings.search.sides
    write_both(job, slim)
    for side in DOMAINS:
        assert (run / f"G_{side}.safetensors").exists() == (side in slim)
    for population in state.populations.values():
        assert (population.L_DisA > 0).all() == (settings.search.loss == "disa")
        assert (population.L_cyc > 0).all() == (settings.search.lambda_cycle > 0)


@pytest.mark.parametrize(("recipe", "still"), [("paper", {"G_A", "D_A"}), ("distil", {"G_A", "D_A", "D_B"})])
def test_one_direction_fine_tunes_its_own_networks_alone(
    run: Run, gan: TinyGan, tmp_path: Path, recipe: str, still: set[str]
) -> None:
    for seed, name in enumerate(("trainA", "trainB")):
        _write_pictures(tmp_path / name, [f"{i}.png" for i in range(6)], seed)
    settings = _settings(direction="BtoA", budget="2steps", recipe=recipe)
    job = tiny_job(run, gan, settings, folders=find_domains(tmp_path))
    slim = rebuild_both(job, search(job))
    tuned = fine_tune(job, slim)
    after = load_quartet(run / "fine-tune")
    moved = {
        "G_A": (gan.generators["A"], after.G_A), "G_B": (slim["B"], after.G_B),
        "D_A": (gan.judges["A"], after.D_A), "D_B": (gan.judges["B"], after.D_B),
    }  # fmt: skip
    for name, (before, now) in moved.items():
        assert now is not None
        same = all(torch.equal(before.state_dict()[key], value) for key, value in now.state_dict().items())
        assert same == (name in still)
    assert tuned.keys() == {"B"}
    assert tuned["B"].widths == slim["B"].widths


ALONE = {"loss": "gena", "direction": "BtoA", "lambda_cycle": 0, "budget": "2steps"}
"""A search that looks at one generator and nothing else."""


@pytest.mark.parametrize(
    ("changes", "needed"),
    [
        (ALONE | {"distil_features": 0}, ("G_B",)),
        (ALONE, ("G_B", "D_B")),
        (ALONE | {"distil_features": 0, "distil_gan": 0.5}, ("G_B", "D_B")),
        (ALONE | {"recipe": "paper"}, ("G_A", "G_B", "D_B")),
        (ALONE | {"recipe": "paper", "paired": True}, ("G_B", "D_B")),
        (ALONE | {"distil_features": 0, "tune_steps": 1}, ("G_A", "G_B", "D_B")),
        ({"loss": "gena", "budget": "2steps", "distil_features": 0}, ("G_A", "G_B")),
        ({"loss": "gena", "budget": "2steps", "recipe": "paper"}, ("G_A", "G_B", "D_A", "D_B")),
    ],
    ids=str,
)
def test_fine_tuning_runs_on_the_networks_it_is_said_to_need_and_writes_no_others(
    run: Run, gan: TinyGan, tmp_path: Path, changes: dict[str, object], needed: tuple[str, ...]
) -> None:
    for seed, name in enumerate(("trainA", "trainB")):
        _write_pictures(tmp_path / name, [f"{i}.png" for i in range(6)], seed)
    settings = _settings(**changes)
    assert needed_networks(settings) == needed
    few = _only(gan, needed)
    job = tiny_job(run, few, settings, folders=find_domains(tmp_path))
    slim = rebuild_both(job, search(job))
    tuned = fine_tune(job, slim)
    written = {path.name.removeprefix("latest_net_")[:3] for path in (run / "fine-tune").glob("latest_net_*")}
    assert written == set(needed)
    for side, net in tuned.items():
        assert any(
            not torch.equal(a, b) for a, b in zip(net.parameters(), slim[side].parameters(), strict=True)
        )
    again = fine_tune(job, slim)
    assert all(
        torch.equal(value, again[side].state_dict()[key])
        for side, net in tuned.items()
        for key, value in net.state_dict().items()
    )
