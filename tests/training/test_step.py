"""A step against CycleGAN's recipe written down plainly, once more, with other means."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from ganprune.training import (
    Networks,
    Trainer,
    TrainingError,
    TrainSettings,
    TrainState,
    learning_rate,
)
from tests.tiny import random_pictures, seeded
from tests.training.kit import TINY, networks, weights

STEPS = 6


def plain_training(
    made: Networks, batches: list[tuple[Tensor, Tensor]], settings: TrainSettings
) -> tuple[Networks, list[dict[str, float]]]:
    """models/cycle_gan_model.py as one function, without its classes."""
    nets = copy.deepcopy(made)
    G_A, G_B, D_A, D_B = nets.G_A, nets.G_B, nets.D_A, nets.D_B
    betas = (settings.beta1, settings.beta2)
    adam_G = torch.optim.Adam([*G_A.parameters(), *G_B.parameters()], betas=betas, foreach=False, fused=False)
    adam_D = torch.optim.Adam([*D_A.parameters(), *D_B.parameters()], betas=betas, foreach=False, fused=False)
    seen: dict[str, list[Tensor]] = {"A": [], "B": []}

    def gan(patches: Tensor, target: float) -> Tensor:
        if settings.gan_mode == "lsgan":
            return ((patches - target) ** 2).mean()
        p = torch.sigmoid(patches.double())
        return -(target * p.log() + (1 - target) * (1 - p).log()).mean().float()

    def from_pool(domain: str, picture: Tensor, generator: torch.Generator) -> Tensor:
        pool = seen[domain]
        if len(pool) < settings.pool_size:
            pool.append(picture)
        elif torch.rand(1, generator=generator).item() > 0.5:
            i = int(torch.randint(0, settings.pool_size, (1,), generator=generator).item())
            picture, pool[i] = pool[i], picture
        return picture

    history: list[dict[str, float]] = []
    for step, (A, B) in enumerate(batches):
        generator = seeded(step)
        lr = settings.lr if step < STEPS // 2 else settings.lr * (STEPS - step) / (STEPS - STEPS // 2)
        for group in adam_G.param_groups + adam_D.param_groups:
            group["lr"] = lr
        fake_B, fake_A = G_A(A), G_B(B)
        loss = {
            "G_A": gan(D_A(fake_B), 1.0),
            "G_B": gan(D_B(fake_A), 1.0),
            "cycle_A": settings.lambda_A * (G_B(fake_B) - A).abs().mean(),
            "cycle_B": settings.lambda_B * (G_A(fake_A) - B).abs().mean(),
        }
        if settings.lambda_identity:
            loss["idt_A"] = settings.lambda_B * settings.lambda_identity * (G_A(B) - B).abs().mean()
            loss["idt_B"] = settings.lambda_A * settings.lambda_identity * (G_B(A) - A).abs().mean()
        adam_G.zero_grad()
        sum(loss.values(), torch.zeros(())).backward()
        adam_G.step()

        fake_B, fake_A = fake_B.detach(), fake_A.detach()
        old_B = torch.cat([from_pool("B", f[None], generator) for f in fake_B])
        old_A = torch.cat([from_pool("A", f[None], generator) for f in fake_A])
        adam_D.zero_grad()
        loss["D_A"] = (gan(D_A(B), 1.0) + gan(D_A(old_B), 0.0)) * 0.5
        loss["D_B"] = (gan(D_B(A), 1.0) + gan(D_B(old_A), 0.0)) * 0.5
        loss["D_A"].backward()
        loss["D_B"].backward()
        adam_D.step()
        history.append({name: value.item() for name, value in loss.items()})
    return nets, history


def batches(n: int) -> list[tuple[Tensor, Tensor]]:
    return [
        (
            random_pictures(n, 3, 16, 16, seed=10 * i, dtype=torch.float32),
            random_pictures(n, 3, 16, 20, seed=10 * i + 1, dtype=torch.float32),
        )
        for i in range(STEPS)
    ]


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"gan_mode": "vanilla"},
        {"lambda_identity": 0.0},
        {"lambda_A": 3.0, "lambda_B": 7.0},
        {"pool_size": 1},
    ],
    ids=str,
)
def test_steps_follow_the_recipe(batch: int, changed: dict[str, object]):
    follow_the_recipe(networks(), batch, replace(TINY, **changed))  # type: ignore[arg-type]


def test_steps_of_affine_instance_norm_follow_the_recipe():
    follow_the_recipe(networks("affine-instance"), 1, TINY)


def follow_the_recipe(made: Networks, batch: int, settings: TrainSettings) -> None:
    wanted, history = plain_training(made, batches(batch), settings)
    state = TrainState.start(made, settings)
    for step, (A, B) in enumerate(batches(batch)):
        lr = learning_rate(settings.lr, step, STEPS)
        losses = Trainer(state, settings).step({"A": A, "B": B}, lr, seeded(step))
        spread = {name: losses.pop(name) for name in ("spread_G_A", "spread_G_B")}
        assert losses == pytest.approx(history[step], rel=1e-3)
        assert all(0 < value < 2 for value in spread.values())
    assert state.step == STEPS
    got, start = weights(state.networks), weights(made)
    for key, value in weights(wanted).items():
        # A bias before a norm has no gradient but rounding noise; nor has one behind it that no ReLU cuts.
        if key.endswith(".weight"):
            moved = (value - start[key]).abs().mean()
            assert (got[key] - value).abs().mean() < (0.01 if value.dim() > 1 else 0.05) * moved, key


def test_discriminators_see_old_translations_of_their_own_domain():
    settings = replace(TINY, pool_size=2)
    state = TrainState.start(networks(), settings)
    for step, (A, B) in enumerate(batches(1)):
        Trainer(state, settings).step({"A": A, "B": B}, 1e-3, seeded(step))
        assert len(state.pool_A.pictures) == len(state.pool_B.pictures) == min(step + 1, 2)
    assert {p.shape for p in state.pool_A.pictures} == {(3, 16, 20)}  # as wide as pictures of B
    assert {p.shape for p in state.pool_B.pictures} == {(3, 16, 16)}
    assert not any(p.requires_grad for p in (*state.pool_A.pictures, *state.pool_B.pictures))


def test_a_step_starts_from_copies():
    made = networks()
    before = weights(made)
    state = TrainState.start(made, TINY)
    A, B = batches(1)[0]
    Trainer(state, TINY).step({"A": A, "B": B}, 1e-3, seeded(0))
    assert all(torch.equal(before[key], value) for key, value in weights(made).items())
    assert not all(torch.equal(before[key], value) for key, value in weights(state.networks).items())


def test_bfloat16_steps_stay_near_float32_ones():
    made, settings = networks(), replace(TINY, precision="bfloat16")
    _, history = plain_training(made, batches(1), TINY)
    state = TrainState.start(made, settings)
    for step, (A, B) in enumerate(batches(1)):
        losses = Trainer(state, settings).step(
            {"A": A, "B": B}, learning_rate(1e-3, step, STEPS), seeded(step)
        )
        for name, value in history[step].items():
            assert losses[name] == pytest.approx(value, rel=0.05, abs=0.02)
            assert losses[name] != value
    assert {value.dtype for value in weights(state.networks).values()} == {torch.float32}


@pytest.mark.parametrize("where", ["G_A", "D_B"])
def test_what_is_not_finite_never_reaches_the_weights(where: str):
    made = networks()
    with torch.no_grad():
        parameter = next(getattr(made, where).parameters())
        parameter[0, 0, 0, 0] = math.inf
    state = TrainState.start(made, TINY)
    before = weights(state.networks)
    A, B = batches(1)[0]
    with pytest.raises(TrainingError, match=r"the loss (G_A|G_B) is nan"):
        Trainer(state, TINY).step({"A": A, "B": B}, 1e-3, seeded(0))
    after = weights(state.networks)
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert state.step == 0
