"""One step of training: first the generators with the discriminators frozen, then the discriminators."""

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

    ``generator`` draws from the image pools. Returns the losses of the networks that learn by CycleGAN's
    names, and the spread of both translations under ``spread_A`` and ``spread_B``. Raises `TrainingError`
    when a loss or gradient is not finite; the weights are then still those that led to it.
    """
    nets, mode = state.networks, settings.gan_mode
    autocast = torch.autocast(real_A.device.type, torch.bfloat16, enabled=settings.precision == "bfloat16")

    judges = [net for name, net in nets.items() if name in ("D_A", "D_B") and name in settings.trained]
    _require_grad(judges, False)
    with autocast, torch.set_grad_enabled(state.opt_G is not None):
        y = translate(nets, real_A, real_B, settings)
        G_terms = generator_losses(nets, y, settings)
    if state.opt_G is not None:
        _descend(G_terms, state.opt_G, lr)

    _require_grad(judges, True)
    D_terms = dict[str, Tensor]()
    for name, judge, real, fake, pool in (
        ("D_A", nets.D_A, real_B, y.fake_B, state.pool_B),
        ("D_B", nets.D_B, real_A, y.fake_A, state.pool_A),
    ):
        if name in settings.trained:
            shown = pool.query(fake.detach(), generator)
            pair = [_noisy(picture, settings.noise, generator) for picture in (real, shown)]
            with autocast:
                D_terms[name] = discriminator_loss(judge(pair[0]), judge(pair[1]), mode)
    if state.opt_D is not None:
        _descend(D_terms, state.opt_D, lr)

    state.step += 1
    spread = {"spread_A": y.fake_A.detach().std(), "spread_B": y.fake_B.detach().std()}
    return _floats(G_terms | D_terms | spread)


def _noisy(pictures: Tensor, spread: float, generator: torch.Generator) -> Tensor:
    """Pictures with Gaussian noise of a standard deviation of ``spread``."""
    if not spread:
        return pictures
    return pictures + spread * torch.randn(pictures.shape, generator=generator).to(pictures.device)


def _descend(terms: Mapping[str, Tensor], optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Follow the gradient of the terms' sum, unless something in it is not finite."""
    optimizer.zero_grad()
    for group in optimizer.param_groups:
        group["lr"] = lr
    torch.stack(tuple(terms.values())).sum().backward()
    gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    norm = nn.utils.get_total_norm(gradients)
    if not bool(norm.isfinite()):
        values = _floats(terms).items()
        bad = [f"the loss {name} is {value}" for name, value in values if not math.isfinite(value)]
        raise TrainingError(bad[0] if bad else f"the gradient of {' + '.join(terms)} is not finite")
    optimizer.step()


def _require_grad(networks: Iterable[nn.Module], wanted: bool) -> None:
    for net in networks:
        net.requires_grad_(wanted)


def _floats(values: Mapping[str, Tensor]) -> dict[str, float]:
    """One transfer from the device for all."""
    return dict(zip(values, torch.stack([value.detach() for value in values.values()]).tolist(), strict=True))
