"""How near slim generators are to the originals, on pictures that no step sees, and which are nearest.

The distances are those of the search: L_GenA, L_DisA and L_cyc (Eq. 4-6 of the paper), each a mean over
pictures and elements.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import Tensor, nn

from ganprune.checkpoints import NetName
from ganprune.images import to_float
from ganprune.models.traits import discriminator_input
from ganprune.pruning.fitness import UNSEEN, l_cyc, l_disa, squared_norm
from ganprune.settings.training import TrainSettings
from ganprune.settings.words import OTHER, Domain, Precision
from ganprune.training.log import StepLog
from ganprune.training.networks import Networks
from ganprune.training.state import Best, TrainState

GENERATORS: tuple[NetName, ...] = ("G_A", "G_B")
CLEAR = 2.0
"""Standard errors by which a generator must be further from the original than an earlier one to be dropped
for it. Of twenty on a training's way, the nearest one on eight pictures was the furthest on others."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a validation finds of two generators."""

    figures: dict[str, float]  # see `Validation.figures`
    each: dict[str, list[float]]  # L_GenA of each picture, by a generator's name


class Validation:
    """Pictures of both domains, and what the originals make of them."""

    def __init__(
        self, pictures: Mapping[Domain, Tensor], originals: Mapping[Domain, nn.Module],
        discriminators: Mapping[Domain, nn.Module], sides: Sequence[Domain] = ("A", "B"), device: str = "cpu",
        precision: Precision = "float32",
    ) -> None:  # fmt: skip
        """pictures: [n, c, h, w] of both domains; the networks: the complete ones.

        ``sides`` are scored. Without its discriminator a side has no L_DisA.
        """
        self._precision = precision
        self._x: dict[Domain, Tensor] = {side: to_float(part).to(device) for side, part in pictures.items()}
        self._discriminators: dict[Domain, nn.Module] = {
            side: copy.deepcopy(discriminators[side]).to(device) for side in sides if side in discriminators
        }
        self._wanted: dict[Domain, Tensor] = {
            side: self._run(copy.deepcopy(originals[side]).to(device), self._x[side]) for side in sides
        }
        self._patches: dict[Domain, Tensor] = {
            side: self._patches_of(side, self._wanted[side]) for side in self._discriminators
        }

    def figures(self, networks: Networks) -> dict[str, float]:
        """L_GenA, L_DisA and L_cyc of each side, such as ``L_GenA_A`` for G_A; those that networks allow."""
        return self.look(networks).figures

    def look(self, networks: Networks) -> Seen:
        """`figures`, and those of single pictures that decide."""
        nets: dict[Domain, nn.Module] = {"A": networks.G_A, "B": networks.G_B}
        modes: dict[Domain, bool] = {side: net.training for side, net in nets.items()}
        for net in nets.values():
            net.eval()
        found, each = dict[str, float](), dict[str, list[float]]()
        for side, wanted in self._wanted.items():
            fake = self._run(nets[side], self._x[side])
            each[f"G_{side}"] = squared_norm(wanted - fake, "mean").tolist()
            found[f"L_GenA_{side}"] = fmean(each[f"G_{side}"])
            if side in self._patches:
                found[f"L_DisA_{side}"] = l_disa(self._patches[side], self._patches_of(side, fake))
            if f"G_{OTHER[side]}" not in networks.absent:
                found[f"L_cyc_{side}"] = l_cyc(self._run(nets[OTHER[side]], fake), self._x[side])
        for side, net in nets.items():
            net.train(modes[side])
        return Seen(found, each)

    def _patches_of(self, side: Domain, made: Tensor) -> Tensor:
        D = self._discriminators[side]
        return self._run(D, discriminator_input(D, self._x[side], made))

    @torch.no_grad()
    def _run(self, net: torch.nn.Module, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self._precision == "bfloat16"):
            return torch.cat([net(part).float() for part in x.split(1)])


def score(figures: Mapping[str, float], name: NetName, distilled: bool) -> float:
    """What decides which weights of a generator are best; smaller is better.

    Where the originals teach, the distance to their pictures, L_GenA. The CycleGAN recipe wants no particular
    pictures, only such as D takes for the other domain: there L_DisA, how far D's patch map is from that of
    the original's picture. L_cyc, which the search weighs beside it, has no say here: it is small for what
    changes little and outweighs L_DisA, and so ranks the untouched input above most networks. To take the
    original's own L_cyc off does not mend this: that is the same number for all.
    """
    side, loss = name[-1], "L_GenA" if distilled else "L_DisA"
    return figures.get(f"{loss}_{side}", figures[f"L_GenA_{side}"])  # without a D there is no L_DisA


def further(each: Sequence[float], least: Sequence[float]) -> tuple[float, float]:
    """How much further one generator is from the original than another, and the standard error of that.

    each, least: L_GenA of the same pictures by the one and by the other. The mean logarithm of their ratios:
    below 0 where the first is nearer. Of one picture there is no error.
    """
    one, other = torch.tensor([list(each), list(least)], dtype=torch.float64).clamp_min(UNSEEN).log()
    ratios = one - other
    return float(ratios.mean()), float(ratios.std()) / len(ratios) ** 0.5 if len(ratios) > 1 else 0.0


def validation_steps(settings: TrainSettings, steps: int) -> set[int]:
    """After which of ``steps`` steps there is a validation; the last is always one of them."""
    n = settings.validations
    return {round(steps * (i + 1) / n) for i in range(n)}


def validate(state: TrainState, validation: Validation, settings: TrainSettings, log: StepLog) -> None:
    """Score the generators as they are, and their averages; remember in ``state`` what to end with.

    Where originals teach: the last one, the average before the other, that is not further from the original
    than the nearest so far by more than `CLEAR`. By the CycleGAN recipe: the one of the best `score`. Where
    neither originals teach nor averages are kept, scores are written down and choose nothing.
    """
    candidates = [(state.networks, False)] + ([(state.averaged(), True)] if state.averages else [])
    scored = [(validation.look(networks), networks, averaged) for networks, averaged in candidates]
    named = {
        ("average_" if averaged else "") + name: float(f"{value:.6g}")
        for seen, _, averaged in scored
        for name, value in seen.figures.items()
    }
    log.add(state.step, named)
    distilled = settings.distil is not None
    if not distilled and not state.averages:
        return
    better = False
    for name in GENERATORS:
        for seen, networks, averaged in scored if name in settings.trained else ():
            found, each, known = score(seen.figures, name, distilled), seen.each[name], state.best.get(name)
            improves, allowed, least = known is None or found < known.score, False, each
            if known is not None and distilled and known.least:
                more, error = further(each, known.least)
                improves, allowed = more < 0, more <= CLEAR * error
                least = each if improves else known.least
            better |= improves
            if improves or allowed:
                weights = getattr(networks, name).state_dict()
                kept = {key: value.detach().clone() for key, value in weights.items()}
                state.best[name] = Best(found, state.step, averaged, kept, least)
    state.waited = 0 if better else state.waited + 1
