"""One step of training: first the generators with the discriminators frozen, then the discriminators."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from ganprune.errors import GanpruneError
from ganprune.images import Domain
from ganprune.models.traits import discriminator_input
from ganprune.training.distillation import Maps, distillation_losses, with_maps
from ganprune.training.graphs import EAGER, Graphs
from ganprune.training.lessons import Lessons
from ganprune.training.objective import (
    discriminator_loss,
    gan_loss,
    generator_losses,
    paired_losses,
    translate,
)
from ganprune.training.pictures import Drawn
from ganprune.training.pool import ImagePool
from ganprune.training.settings import TrainSettings
from ganprune.training.state import TrainState, runs_channels_last
from ganprune.training.team import ALONE, Team

Half = tuple[tuple[Tensor, ...], dict[str, Tensor]]
"""What a part of a step gives: translations, and the losses by name; without gradients."""

MapsOfPair = Callable[[Tensor, Tensor], Sequence[Tensor]]
"""As `Maps`, of an input and its translation: a discriminator may see both."""

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
    graphs: Graphs = EAGER,
) -> dict[str, float]:
    """Change ``state`` by one step on a batch of each domain: float32 [n, c, h, w] in [-1, 1].

    ``generator`` draws from the image pools; ``graphs`` run both halves. Returns the losses of the networks
    that learn by CycleGAN's names, and the spread of both translations under ``spread_A`` and ``spread_B``.
    In a ``team`` the pictures are this process's share, and step and losses are those of all shares; the
    spread is the share's own. Raises `TrainingError` when a loss or gradient is not finite; the weights are
    then still those that led to it.
    """
    nets = state.networks
    real_A, real_B = in_order(real_A, settings), in_order(real_B, settings)
    _require_grad(judges_that_learn(state, settings), False)
    if state.opt_G is not None:
        start_descent(state.opt_G, lr)

    def generators(A: Tensor, B: Tensor) -> Half:
        with autocast(settings), torch.set_grad_enabled(state.opt_G is not None):
            if settings.paired:
                fakes, terms = paired_losses(nets, A, B, settings)
            else:
                y = translate(nets, A, B, settings)
                fakes, terms = (y.fake_A.detach(), y.fake_B.detach()), generator_losses(nets, y, settings)
        return fakes, _gradients(terms)

    (fake_A, fake_B), G_terms = graphs("G", generators, (real_A, real_B), weights_of(state.opt_G))
    if state.opt_G is not None:
        finish_descent(G_terms, state.opt_G, team)
    D_terms = judges_step(state, real_A, real_B, fake_A, fake_B, settings, lr, generator, team, graphs)
    _count(state, settings, team)
    return floats(G_terms | D_terms | {"spread_A": fake_A.std(), "spread_B": fake_B.std()})


def distil_step(
    state: TrainState,
    real: Mapping[Domain, Tensor],
    lessons: Mapping[Domain, Lessons],
    drawn: Mapping[Domain, Sequence[Drawn]],
    seen_by: Mapping[Domain, Mapping[str, MapsOfPair]],
    settings: TrainSettings,
    lr: float,
    generator: torch.Generator,
    for_each_side: Callable[[Callable[[Domain], Half]], dict[Domain, Half]],
    team: Team = ALONE,
    graphs: Graphs = EAGER,
) -> dict[str, float]:
    """As `train_step`, for generators that learn from the originals.

    real: what was ``drawn`` of both domains; lessons: of the sides that learn; seen_by: what compares the
    pictures of each, see `distillation_losses`; for_each_side: calls a function for each of those sides.
    """
    assert settings.distil is not None
    assert state.opt_G is not None
    nets, distil = state.networks, settings.distil
    students: dict[Domain, nn.Module] = {"A": nets.G_A, "B": nets.G_B}
    now: dict[Domain, nn.Module] = {"A": nets.D_A, "B": nets.D_B}
    pictures: dict[Domain, Tensor] = {side: in_order(x, settings) for side, x in real.items()}
    _require_grad(judges_that_learn(state, settings), False)
    start_descent(state.opt_G, lr)

    def half(side: Domain) -> Half:
        lesson, taps = lessons[side](drawn[side]), lessons[side].taps

        def learn(picture: Tensor, wanted: Tensor, *wanted_maps: Tensor) -> Half:
            compared: dict[str, Maps] = {name: partial(see, picture) for name, see in seen_by[side].items()}
            with autocast(settings):
                fake, maps = with_maps(students[side], picture, taps)
                fake = fake.float()
                terms = distillation_losses(
                    side, fake, maps, wanted, wanted_maps, distil, compared, state.adapters
                )
                if distil.gan:
                    judged = now[side](discriminator_input(now[side], picture, fake))
                    terms[f"G_{side}"] = distil.gan * gan_loss(judged, True, settings.gan_mode)
            return (fake.detach(),), _gradients(terms)

        shown = pictures[side], in_order(lesson.picture, settings), *lesson.maps
        return graphs(f"G_{side}", learn, shown, weights_of(state.opt_G))

    halves = for_each_side(half)
    G_terms = {name: term for _, terms in halves.values() for name, term in terms.items()}
    finish_descent(G_terms, state.opt_G, team)
    fakes = dict(pictures) | {side: fake for side, ((fake,), _) in halves.items()}
    D_terms = dict[str, Tensor]()
    if state.opt_D is not None:  # else pictures of one domain may be all there are
        D_terms = judges_step(
            state, pictures["A"], pictures["B"], fakes["B"], fakes["A"], settings, lr, generator, team, graphs
        )
    _count(state, settings, team)
    named = {"A": "B", "B": "A"}  # G_A's translations are pictures of B
    spread = {f"spread_{named[side]}": fake.std() for side, ((fake,), _) in halves.items()}
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
    graphs: Graphs = EAGER,
) -> dict[str, Tensor]:
    """The discriminators' half of a step; ``fake_A`` are translations to A. Returns their losses."""
    nets, pictures = state.networks, list[Tensor]()
    if state.opt_D is None:
        return {}
    _require_grad(judges_that_learn(state, settings), True)
    judges = {"D_A": nets.D_A, "D_B": nets.D_B}
    judges = {name: judge for name, judge in judges.items() if name in settings.trained}
    for name, input, real, fake, pool in (
        ("D_A", real_A, real_B, fake_B, state.pool_B), ("D_B", real_B, real_A, fake_A, state.pool_A)
    ):  # fmt: skip
        if name not in judges:
            continue
        real, fake = (discriminator_input(judges[name], input, picture) for picture in (real, fake))
        drawn = _swapped(pool, fake, generator, team)
        pictures += [_noisy(picture, settings.noise, generator, team) for picture in (real, drawn)]

    def learn(*shown: Tensor) -> Half:
        pairs = zip(judges.items(), shown[::2], shown[1::2], strict=True)
        with autocast(settings):
            terms = {
                name: discriminator_loss(judge(real), judge(fake), settings.gan_mode)
                for (name, judge), real, fake in pairs
            }
        return (), _gradients(terms)

    start_descent(state.opt_D, lr)
    _, terms = graphs("D", learn, pictures, weights_of(state.opt_D))
    finish_descent(terms, state.opt_D, team)
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


def weights_of(optimizer: torch.optim.Optimizer | None) -> list[nn.Parameter]:
    """Those that it changes; none without an optimizer."""
    return [] if optimizer is None else [p for group in optimizer.param_groups for p in group["params"]]


def _gradients(terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The terms, after the gradient of their sum was computed, where anything has one."""
    if any(term.requires_grad for term in terms.values()):
        torch.stack(tuple(terms.values())).sum().backward()
    return {name: term.detach() for name, term in terms.items()}


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
