"""One step of training: first both generators with the discriminators frozen, then both discriminators."""

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from ganprune.errors import GanpruneError
from ganprune.training.objective import discriminator_loss, generator_losses, translate
from ganprune.training.settings import TrainSettings
from ganprune.training.state import TrainState

FLAT = 1e-3
"""A translation whose values spread less than this, of a range of 2, counts as one colour."""


class TrainingError(GanpruneError):
    """The training went wrong: losses that are no numbers, or generators that draw nothing."""


def train_step(
    state: TrainState,
    real_A: Tensor,
    real_B: Tensor,
    settings: TrainSettings,
    lr: float,
    generator: torch.Generator,
) -> dict[str, float]:
    """Change ``state`` by one step on a batch of each domain: float32 [n, 3, h, w] in [-1, 1].

    ``generator`` draws from the image pools. Returns the losses by CycleGAN's names, and the spread of
    both translations under ``spread_A`` and ``spread_B``. Raises `TrainingError` when a loss or gradient
    is not finite; the weights are then still those that led to it.
    """
    nets, mode = state.networks, settings.gan_mode
    autocast = torch.autocast(real_A.device.type, torch.bfloat16, enabled=settings.precision == "bfloat16")
    for group in (*state.opt_G.param_groups, *state.opt_D.param_groups):
        group["lr"] = lr

    _require_grad(nets.discriminator_parameters(), False)
    state.opt_G.zero_grad()
    with autocast:
        y = translate(nets, real_A, real_B, identity=settings.lambda_identity > 0)
        G_terms = generator_losses(nets, y, settings)
    _descend(G_terms, state.opt_G)

    _require_grad(nets.discriminator_parameters(), True)
    state.opt_D.zero_grad()
    fake_B = state.pool_B.query(y.fake_B.detach(), generator)
    fake_A = state.pool_A.query(y.fake_A.detach(), generator)
    with autocast:
        D_terms = {
            "D_A": discriminator_loss(nets.D_A(real_B), nets.D_A(fake_B), mode),
            "D_B": discriminator_loss(nets.D_B(real_A), nets.D_B(fake_A), mode),
        }
    _descend(D_terms, state.opt_D)

    state.step += 1
    spread = {"spread_A": y.fake_A.detach().std(), "spread_B": y.fake_B.detach().std()}
    return _floats(G_terms | D_terms | spread)


def _descend(terms: Mapping[str, Tensor], optimizer: torch.optim.Optimizer) -> None:
    """Follow the gradient of the terms' sum, unless something in it is not finite."""
    torch.stack(tuple(terms.values())).sum().backward()
    gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    norm = nn.utils.get_total_norm(gradients)
    if not bool(norm.isfinite()):
        values = _floats(terms).items()
        bad = [f"the loss {name} is {value}" for name, value in values if not math.isfinite(value)]
        raise TrainingError(bad[0] if bad else f"the gradient of {' + '.join(terms)} is not finite")
    optimizer.step()


def _require_grad(parameters: Iterable[nn.Parameter], wanted: bool) -> None:
    for parameter in parameters:
        parameter.requires_grad_(wanted)


def _floats(values: Mapping[str, Tensor]) -> dict[str, float]:
    """One transfer from the device for all."""
    return dict(zip(values, torch.stack([value.detach() for value in values.values()]).tolist(), strict=True))
