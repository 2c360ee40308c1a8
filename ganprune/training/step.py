"""One step of training, from top to bottom: the generators, then the discriminators, then the averages."""

import math
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganprune.errors import GanpruneError
from ganprune.models.channels_last import RightGradients
from ganprune.models.traits import discriminator_input
from ganprune.settings.training import TrainSettings
from ganprune.settings.words import OTHER, Domain
from ganprune.training.distillation import TranslatedMaps, with_maps
from ganprune.training.graphs import EAGER, Graphs, Work
from ganprune.training.objective import (
    ImagePool,
    discriminator_loss,
    gan_loss,
    generator_losses,
    paired_losses,
)
from ganprune.training.pictures import Drawn
from ganprune.training.process_group import ALONE, ProcessGroup
from ganprune.training.state import TrainState, runs_channels_last
from ganprune.training.teacher_cache import Distillation

Half = tuple[tuple[Tensor, ...], dict[str, Tensor]]
"""What a part of a step gives: fakes, and the losses by name; without gradients."""


class TrainingError(GanpruneError):
    """The training went wrong: losses that are no numbers, or generators that draw nothing."""


@dataclass(frozen=True, slots=True)
class Trainer:
    """Makes the steps of a training."""

    state: TrainState  # what a step changes
    settings: TrainSettings
    distillation: Distillation | None = None
    """Where the originals teach, by ``settings.distil``; None: CycleGAN's or pix2pix's recipe."""
    group: ProcessGroup = ALONE
    """Of several processes each steps on its share of the batch; step and losses are those of all shares."""
    graphs: Graphs = EAGER  # run the parts of a step

    def step(
        self,
        real: Mapping[Domain, Tensor],
        lr: float,
        generator: torch.Generator,
        drawn: Mapping[Domain, Sequence[Drawn]] | None = None,
    ) -> dict[str, float]:
        """Change the state by one step on this process's share of a batch: float32 [n, c, h, w] in [-1, 1].

        ``generator`` draws from the image pools; the teachers need to know how the pictures were ``drawn``.
        Returns the losses of the networks that learn by CycleGAN's names, and the spread of each generator's
        fakes in this share, as ``spread_G_A``. Raises `TrainingError` when a loss or gradient is not finite;
        the weights are then still those that led to it.
        """
        state, settings = self.state, self.settings
        real = {side: in_order(pictures, settings) for side, pictures in real.items()}

        # 1. The generators that learn; discriminators stay as they are, and cost no gradients of their own.
        _require_grad(self._discriminators().values(), False)
        if state.opt_G is not None:
            _start(state.opt_G, lr)
        if self.distillation is None:
            fakes, losses = self._by_recipe(real)
        else:
            fakes, losses = self._by_originals(self.distillation, real, drawn or {})
        if state.opt_G is not None:
            self._descend(state.opt_G, losses)
        spread = {f"spread_G_{side}": fake.std() for side, fake in fakes.items()}

        # 2. The discriminators that learn, on real pictures and on fakes, of this step and of earlier ones.
        if state.opt_D is not None:
            _require_grad(self._discriminators().values(), True)
            shown: list[Tensor] = []
            pools: dict[Domain, ImagePool] = {"A": state.pool_B, "B": state.pool_A}
            for side, pool in pools.items():
                if (D := self._discriminators().get(f"D_{side}")) is not None:
                    real_one, fake = (
                        discriminator_input(D, real[side], y) for y in (real[OTHER[side]], fakes[side])
                    )
                    if pool.size:  # the pools of all processes are the same
                        whole = pool.query(self.group.gathered(fake), generator)
                        fake = whole[self.group.share(len(whole))]
                    shown += [self._noisy(picture, generator) for picture in (real_one, fake)]
            _start(state.opt_D, lr)
            _, D_losses = self.graphs("D", self._discriminate, shown, weights_of(state.opt_D))
            self._descend(state.opt_D, D_losses)
            losses |= D_losses

        # 3. Running statistics become means over the shares; the averages of the weights follow.
        trained = (net for name, net in state.networks.items() if name in settings.trained)
        self.group.average(b for net in trained for b in net.buffers() if b.is_floating_point())
        state.count_step(settings.average)
        return floats(losses | spread)

    def _by_recipe(self, real: Mapping[Domain, Tensor]) -> tuple[dict[Domain, Tensor], dict[str, Tensor]]:
        """Fakes of both generators, and their losses, after the gradients were computed."""
        state, settings = self.state, self.settings
        losses_of = paired_losses if settings.paired else generator_losses

        def learn(A: Tensor, B: Tensor) -> Half:
            with computing(settings), torch.set_grad_enabled(state.opt_G is not None):
                fake_B, fake_A, losses = losses_of(state.networks, A, B, settings)
            return (fake_B.detach(), fake_A.detach()), _gradients(losses)

        of, losses = self.graphs("G", learn, (real["A"], real["B"]), weights_of(state.opt_G))
        return {"A": of[0], "B": of[1]}, losses

    def _by_originals(
        self,
        distillation: Distillation,
        real: Mapping[Domain, Tensor],
        drawn: Mapping[Domain, Sequence[Drawn]],
    ) -> tuple[dict[Domain, Tensor], dict[str, Tensor]]:
        """The same for generators that learn from the originals, which are independent of each other."""
        state, settings = self.state, self.settings
        assert settings.distil is not None
        adversarial = settings.distil.gan
        students: dict[Domain, nn.Module] = {"A": state.networks.G_A, "B": state.networks.G_B}
        discriminators: dict[Domain, nn.Module] = {"A": state.networks.D_A, "B": state.networks.D_B}
        distillation.begin(state.step)

        def work_of(side: Domain) -> Work:
            def learn(picture: Tensor, wanted: Tensor, *wanted_maps: Tensor) -> Half:
                with computing(settings):
                    fake, maps = with_maps(students[side], picture, distillation.caches[side].taps)
                    fake = fake.float()
                    teacher = TranslatedMaps(wanted, wanted_maps)
                    losses = distillation.terms(side, picture, TranslatedMaps(fake, maps), teacher)
                    if adversarial:
                        D = discriminators[side]
                        patches = D(discriminator_input(D, picture, fake))
                        losses[f"G_{side}"] = adversarial * gan_loss(patches, True, settings.gan_mode)
                return (fake.detach(),), _gradients(losses)

            return learn

        def half(side: Domain) -> Half:
            wanted, wanted_maps = distillation.caches[side](drawn[side])
            shown = real[side], in_order(wanted, settings), *wanted_maps
            return self.graphs(f"G_{side}", work_of(side), shown, weights_of(state.opt_G))

        halves = distillation.each_side(half)
        losses = {name: loss for _, losses in halves.values() for name, loss in losses.items()}
        return {side: fake for side, ((fake,), _) in halves.items()}, losses

    def _discriminate(self, *shown: Tensor) -> Half:
        """Real pictures and fakes in turn, for each discriminator that learns."""
        pairs = zip(self._discriminators().items(), shown[::2], shown[1::2], strict=True)
        with computing(self.settings):
            losses = {name: discriminator_loss(D(real), D(fake), self.settings.gan_mode)
                      for (name, D), real, fake in pairs}  # fmt: skip
        return (), _gradients(losses)

    def _discriminators(self) -> dict[str, nn.Module]:
        """Those that learn."""
        names = {"D_A", "D_B"} & set(self.settings.trained)
        return {name: D for name, D in self.state.networks.items() if name in names}

    def _noisy(self, pictures: Tensor, generator: torch.Generator) -> Tensor:
        """Pictures with Gaussian noise, see `TrainSettings.noise`."""
        if not self.settings.noise:
            return pictures
        noise = torch.randn((len(pictures) * self.group.size, *pictures.shape[1:]), generator=generator)
        return pictures + self.settings.noise * noise[self.group.share(len(noise))].to(pictures.device)

    def _descend(self, optimizer: torch.optim.Optimizer, losses: Mapping[str, Tensor]) -> None:
        """Follow the gradients; those and the losses first become the means of all processes.

        Raises `TrainingError` where a gradient is not finite.
        """
        gradients = [weight.grad for weight in weights_of(optimizer) if weight.grad is not None]
        self.group.average([*gradients, *losses.values()])
        if not bool(nn.utils.get_total_norm(gradients).isfinite()):
            bad = [f"the loss {name} is {x}" for name, x in floats(losses).items() if not math.isfinite(x)]
            raise TrainingError(bad[0] if bad else f"the gradient of {' + '.join(losses)} is not finite")
        optimizer.step()


@contextmanager
def computing(settings: TrainSettings) -> Generator[None]:
    """Convolutions in the settings' precision; right gradients of any network's norms."""
    device = torch.device(settings.device).type
    bfloat16 = torch.autocast(device, torch.bfloat16, enabled=settings.precision == "bfloat16")
    with bfloat16, RightGradients() if device == "cpu" else nullcontext():
        yield


def in_order(pictures: Tensor, settings: TrainSettings) -> Tensor:
    """The same pictures in the order of memory that the networks of a training like best."""
    if runs_channels_last(settings):
        return pictures.contiguous(memory_format=torch.channels_last)
    return pictures


def weights_of(optimizer: torch.optim.Optimizer | None) -> list[nn.Parameter]:
    """Those that it changes; none without an optimizer."""
    return [] if optimizer is None else [p for group in optimizer.param_groups for p in group["params"]]


def floats(values: Mapping[str, Tensor]) -> dict[str, float]:
    """One transfer from the device for all."""
    return dict(zip(values, torch.stack([value.detach() for value in values.values()]).tolist(), strict=True))


def _gradients(losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The losses, after the gradient of their sum was computed, where anything has one."""
    if any(loss.requires_grad for loss in losses.values()):
        torch.stack(tuple(losses.values())).sum().backward()
    return {name: loss.detach() for name, loss in losses.items()}


def _start(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Before the gradients are computed."""
    optimizer.zero_grad()
    for group in optimizer.param_groups:
        group["lr"] = lr


def _require_grad(networks: Iterable[nn.Module], wanted: bool) -> None:
    for net in networks:
        net.requires_grad_(wanted)
