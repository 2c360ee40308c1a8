"""What is different on a GPU: steps are recorded once and replayed."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from ganprune.images import Domain
from ganprune.pruning.genome import Layout
from ganprune.system.device import reproducible
from ganprune.training import (
    Budget,
    DistilSettings,
    Networks,
    Teacher,
    Trainer,
    TrainingPictures,
    TrainSettings,
    TrainState,
    train,
)
from ganprune.training.graphs import EAGER, MOST, Graphs
from ganprune.training.teacher_cache import Distillation
from tests.skips import needs_cuda
from tests.tiny import random_pictures, seeded
from tests.training.kit import TINY, networks, pictures, weights

CUDA = replace(TINY, device="cuda")
STEPS = 6


def near(found: Mapping[str, float], wanted: Mapping[str, float]) -> None:
    assert found == pytest.approx(wanted, rel=2e-2, abs=1e-4)


def test_cudnn_stays_in_use_where_results_must_repeat() -> None:
    with reproducible():
        assert torch.backends.cudnn.enabled
        assert torch.backends.cudnn.deterministic
        assert not torch.backends.cudnn.benchmark


def test_nothing_is_recorded_on_a_cpu_or_beside_running_statistics() -> None:
    assert not Graphs("cpu", ()).used
    assert Graphs("cuda", [torch.nn.InstanceNorm2d(3)]).used
    assert not Graphs("cuda", [torch.nn.BatchNorm2d(3)]).used


@needs_cuda
@pytest.mark.parametrize(
    "changes", [{}, {"pool_size": 0}, {"trained": ("D_A", "D_B")}, {"trained": ("G_B", "D_B")}], ids=str
)
def test_recorded_steps_of_the_cyclegan_recipe_are_those_of_plain_pytorch(changes: dict[str, Any]) -> None:
    settings = replace(CUDA, **changes)
    trainers = [
        Trainer(TrainState.start(networks(), settings), settings, graphs=graphs)
        for graphs in (EAGER, Graphs("cuda", ()))
    ]
    for step in range(STEPS):
        A, B = (random_pictures(1, 3, 16, 16, seed=2 * step + i, dtype=torch.float32).cuda() for i in (0, 1))
        plain, replayed = (trainer.step({"A": A, "B": B}, 1e-3, seeded(step)) for trainer in trainers)
        near(replayed, plain)


def distilled(
    root: Path, settings: TrainSettings
) -> tuple[Networks, dict[Domain, Teacher], TrainingPictures]:
    """Full-width students of four other networks."""
    made = networks()
    teachers: dict[Domain, Teacher] = {}
    whole: dict[Domain, tuple[nn.Module, nn.Module]] = {
        "A": (made.G_A, made.D_A),
        "B": (made.G_B, made.D_B),
    }
    for side, (G, D) in whole.items():
        layout = Layout.of(G)
        teachers[side] = Teacher(G, layout.graph, layout.units(layout.full()), D)
    students = networks()
    with torch.no_grad():
        for _, net in students.items():
            for weight in net.parameters():
                weight.add_(0.05 * torch.randn(weight.shape, generator=seeded(weight.numel())))
    return students, teachers, TrainingPictures(pictures(root), settings.transform)


@needs_cuda
@pytest.mark.parametrize("changes", [{}, {"adapters": True}, {"gan": 1.0}], ids=str)
def test_recorded_steps_of_distillation_are_those_of_plain_pytorch(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    distil = DistilSettings(**changes)
    trained = ("G_A", "G_B", "D_A", "D_B") if distil.gan else ("G_A", "G_B")
    settings = replace(CUDA, distil=distil, trained=trained, average=0.9)
    students, teachers, data = distilled(tmp_path, settings)
    trainers: list[Trainer] = []
    for graphs in (EAGER, Graphs("cuda", ())):
        distillation = Distillation(data, teachers, settings)
        state = TrainState.start(students, settings, distillation.adapters)
        trainers.append(Trainer(state, settings, distillation, graphs=graphs))
    for step in range(STEPS):
        drawn = data.drawn(0, step, 1, seeded(step))
        real: dict[Domain, torch.Tensor] = {s: data.pictures(s, drawn[s]).cuda() for s in ("A", "B")}
        plain, replayed = (trainer.step(real, 1e-4, seeded(step), drawn) for trainer in trainers)
        near(replayed, plain)
    first, second = (weights(trainer.state.networks) for trainer in trainers)
    start = weights(students)
    for key, value in first.items():
        if value.dim() > 1 and key.startswith("G"):  # a bias before a norm has no gradient but rounding noise
            moved = (value.cpu() - start[key]).abs().mean()
            assert (second[key] - value).abs().mean().cpu() < 0.1 * moved, key


@needs_cuda
def test_inputs_of_ever_new_shapes_are_computed_without_graphs() -> None:
    weight, graphs = torch.nn.Parameter(torch.ones(1, device="cuda")), Graphs("cuda", ())

    def work(x: torch.Tensor) -> tuple[tuple[torch.Tensor, ...], dict[str, torch.Tensor]]:
        loss = (weight * x).sum()
        loss.backward()
        return (x * 2,), {"loss": loss.detach()}

    for repeat in (1.0, 3.0):
        for n in range(1, 2 * MOST):
            weight.grad = None
            (twice,), losses = graphs("sum", work, [torch.full((n,), repeat, device="cuda")], [weight])
            assert weight.grad is not None
            assert (float(weight.grad), float(losses["loss"]), float(twice[0])) == (
                repeat * n,
                repeat * n,
                2 * repeat,
            )
    assert len(graphs._recorded["sum"]) == MOST  # pyright: ignore[reportPrivateUsage]


@needs_cuda
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_training_on_cuda_goes_on_where_it_stopped(tmp_path: Path, precision: Any) -> None:
    settings = replace(CUDA, precision=precision)
    shown = pictures(tmp_path)
    whole = train(networks(), shown, settings, Budget(8, "steps"), tmp_path / "run")
    assert whole.steps == 8
    assert all(torch.isfinite(value).all() for value in weights(whole.networks).values())
    again = train(networks(), shown, settings, Budget(8, "steps"), tmp_path / "run")
    assert again.steps == 8
