"""One step of training: first the generators with the discriminators frozen, then the discriminators."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from ganprune.errors import GanpruneError
from ganprune.images import Domain
from ganprune.networks import Discriminator, Generator
from ganprune.training.distillation import Maps, distillation_losses, with_maps
from ganprune.training.lessons import Lessons
from ganprune.training.objective import discriminator_loss, gan_loss, generator_losses, translate
from ganprune.training.pictures import Drawn
from ganprune.training.pool import ImagePool
from ganprune.training.settings import TrainSettings
from ganprune.training.state import TrainState, runs_channels_last
from ganprune.training.team import ALONE, Team

Half = tuple[Tensor, dict[str, Tensor]]
"""What one side's half of a step gives: the translations, and the losses by name."""

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
    team: Team = ALONE,
) -> dict[str, float]:
    """Change ``state`` by one step on a batch of each domain: float32 [n, 3, h, w] in [-1, 1].

    ``generator`` draws from the image pools. Returns the losses of the networks that learn by CycleGAN's
    names, and the spread of both translations under ``spread_A`` and ``spread_B``. In a ``team`` the
    pictures are this process's share, and step and losses are those of all shares; the spread is the share's
    own. Raises `TrainingError` when a loss or gradient is not finite; the weights are then still those that
    led to it.
    """
    nets = state.networks
    real_A, real_B = in_order(real_A, settings), in_order(real_B, settings)
    _require_grad(judges_that_learn(state, settings), False)
    with autocast(settings), torch.set_grad_enabled(state.opt_G is not None):
        y = translate(nets, real_A, real_B, settings)
        G_terms = generator_losses(nets, y, settings)
    if state.opt_G is not None:
        descend(G_terms, state.opt_G, lr, team)
    D_terms = judges_step(state, real_A, real_B, y.fake_A, y.fake_B, settings, lr, generator, team)
    _count(state, settings, team)
    spread = {"spread_A": y.fake_A.detach().std(), "spread_B": y.fake_B.detach().std()}
    return floats(G_terms | D_terms | spread)


def distil_step(
    state: TrainState,
    real: Mapping[Domain, Tensor],
    lessons: Mapping[Domain, Lessons],
    drawn: Mapping[Domain, Sequence[Drawn]],
    seen_by: Mapping[Domain, Mapping[str, Maps]],
    settings: TrainSettings,
    lr: float,
    generator: torch.Generator,
    for_each_side: Callable[[Callable[[Domain], Half]], dict[Domain, Half]],
    team: Team = ALONE,
) -> dict[str, float]:
    """As `train_step`, for generators that learn from the originals.

    real: what was ``drawn`` of both domains; lessons: of the sides that learn; seen_by: what compares the
    pictures of each, see `distillation_losses`; for_each_side: calls a function for each of those sides.
    """
    assert settings.distil is not None
    assert state.opt_G is not None
    nets, distil = state.networks, settings.distil
    students: dict[Domain, Generator] = {"A": nets.G_A, "B": nets.G_B}
    now: dict[Domain, Discriminator] = {"A": nets.D_A, "B": nets.D_B}
    pictures: dict[Domain, Tensor] = {side: in_order(x, settings) for side, x in real.items()}
    _require_grad(judges_that_learn(state, settings), False)
    start_descent(state.opt_G, lr)

    def half(side: Domain) -> Half:
        lesson, places = lessons[side](drawn[side]), lessons[side].places
        with autocast(settings):
            fake, maps = with_maps(students[side], pictures[side], places)
            fake = fake.float()
            terms = distillation_losses(
                side, fake, maps, in_order(lesson.picture, settings), lesson.maps,
                distil, seen_by[side], state.adapters, places,
            )  # fmt: skip
            if distil.gan:
                terms[f"G_{side}"] = distil.gan * gan_loss(now[side](fake), True, settings.gan_mode)
        torch.stack(tuple(terms.values())).sum().backward()
        return fake.detach(), {name: term.detach() for name, term in terms.items()}

    halves = for_each_side(half)
    G_terms = {name: term for _, terms in halves.values() for name, term in terms.items()}
    finish_descent(G_terms, state.opt_G, team)
    fakes = dict(pictures) | {side: fake for side, (fake, _) in halves.items()}
    D_terms = judges_step(
        state, pictures["A"], pictures["B"], fakes["B"], fakes["A"], settings, lr, generator, team
    )
    _count(state, settings, team)
    named = {"A": "B", "B": "A"}  # G_A's translations are pictures of B
    spread = {f"spread_{named[side]}": fake.std() for side, (fake, _) in halves.items()}
    return floats(G_terms | D_terms | spread)


def judges_step(
    state: TrainState,
    real_A: Tensor,
    real_B: Tensor,
    fake_A: Tensor,
    fake_B: Tensor,
    settings: TrainSettings,
    lr: float,
    generator: torch.Generator,
    team: Team = ALONE,
) -> dict[str, Tensor]:
    """The discriminators' half of a step; ``fake_A`` are translations to A. Returns their losses."""
    nets, terms = state.networks, dict[str, Tensor]()
    _require_grad(judges_that_learn(state, settings), True)
    for name, judge, real, fake, pool in (
        ("D_A", nets.D_A, real_B, fake_B, state.pool_B),
        ("D_B", nets.D_B, real_A, fake_A, state.pool_A),
    ):
        if name in settings.trained:
            shown = _swapped(pool, fake.detach(), generator, team)
            pair = [_noisy(picture, settings.noise, generator, team) for picture in (real, shown)]
            with autocast(settings):
                terms[name] = discriminator_loss(judge(pair[0]), judge(pair[1]), settings.gan_mode)
    if state.opt_D is not None:
        descend(terms, state.opt_D, lr, team)
    return terms


def judges_that_learn(state: TrainState, settings: TrainSettings) -> list[nn.Module]:
    """Those of D_A and D_B that ``settings.trained`` names."""
    names = {"D_A", "D_B"} & set(settings.trained)
    return [net for name, net in state.networks.items() if name in names]


def autocast(settings: TrainSettings) -> torch.autocast:
    """Convolutions in the settings' precision."""
    device = torch.device(settings.device).type
    return torch.autocast(device, torch.bfloat16, enabled=settings.precision == "bfloat16")


def in_order(pictures: Tensor, settings: TrainSettings) -> Tensor:
    """The same pictures in the order of memory that the networks of a training like best."""
    if runs_channels_last(settings):
        return pictures.contiguous(memory_format=torch.channels_last)
    return pictures


def _swapped(pool: ImagePool, fakes: Tensor, generator: torch.Generator, team: Team) -> Tensor:
    """What the pool gives for this process's translations; the pools of all processes are the same."""
    if pool.size == 0:
        return fakes
    shown = pool.query(team.gathered(fakes), generator)
    return shown[team.share(len(shown))]


def _noisy(pictures: Tensor, spread: float, generator: torch.Generator, team: Team) -> Tensor:
    """Pictures with Gaussian noise of a standard deviation of ``spread``."""
    if not spread:
        return pictures
    noise = torch.randn((len(pictures) * team.size, *pictures.shape[1:]), generator=generator)
    return pictures + spread * noise[team.share(len(noise))].to(pictures.device)


def _count(state: TrainState, settings: TrainSettings, team: Team) -> None:
    """One step is done. Running statistics of batch norms are averaged over the shares."""
    nets = (net for name, net in state.networks.items() if name in settings.trained)
    team.average(b for net in nets for b in net.buffers() if b.is_floating_point())
    state.count_step(settings.average)


def descend(
    terms: Mapping[str, Tensor], optimizer: torch.optim.Optimizer, lr: float, team: Team = ALONE
) -> None:
    """Follow the gradient of the terms' sum, unless something in it is not finite."""
    start_descent(optimizer, lr)
    torch.stack(tuple(terms.values())).sum().backward()
    finish_descent(terms, optimizer, team)


def start_descent(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Before the gradients are computed."""
    optimizer.zero_grad()
    for group in optimizer.param_groups:
        group["lr"] = lr


def finish_descent(terms: Mapping[str, Tensor], optimizer: torch.optim.Optimizer, team: Team = ALONE) -> None:
    """Follow the gradients; in a team, those and the terms first become the means of all processes.

    Raises `TrainingError` where a gradient is not finite.
    """
    gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    team.average([*gradients, *terms.values()])
    norm = nn.utils.get_total_norm(gradients)
    if not bool(norm.isfinite()):
        values = floats(terms).items()
        bad = [f"the loss {name} is {value}" for name, value in values if not math.isfinite(value)]
        raise TrainingError(bad[0] if bad else f"the gradient of {' + '.join(terms)} is not finite")
    optimizer.step()


def _require_grad(networks: Iterable[nn.Module], wanted: bool) -> None:
    for net in networks:
        net.requires_grad_(wanted)


def floats(values: Mapping[str, Tensor]) -> dict[str, float]:
    """One transfer from the device for all."""
    return dict(zip(values, torch.stack([value.detach() for value in values.values()]).tolist(), strict=True))
