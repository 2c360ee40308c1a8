"""Everything that decides a search."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from ganprune.errors import UsageError
from ganprune.settings.fields import check_fields, setting
from ganprune.settings.words import DOMAINS, Domain, LayoutKind

if TYPE_CHECKING:
    from ganprune.pruning.repair import Constraints

Searcher = Literal["coevolution", "annealing", "swarm", "front"]
"""coevolution: Algorithm 1; annealing: chains of small changes; swarm: particles; front: NSGA-II, all sizes
at once, see ``ganprune front``. All score as many."""
CLASSES: Mapping[Searcher, str] = MappingProxyType({
    "coevolution": "coevolution.CoEvolution",
    "annealing": "annealing.Annealing",
    "swarm": "swarm.Swarm",
    "front": "front.Front",
})  # fmt: skip
"""Module of `ganprune.search` and class of each: settings are read without loading any."""

TARGETS = ("speed-up", "target-macs", "target-params", "target-ms", "min-psnr", "max-lost")
"""Settings that say what size, speed or quality to come to."""

Mutation = Literal["auto", "flip", "exchange", "reshape"]
"""flip: any bits. exchange: kept for dropped filters of the same layer, which leaves widths as they are.
reshape: width from one layer to others, at equal cost. auto: with a target exchange and reshape, each for
half of the children; without one flip."""

WHAT, SMALL, TRAINING, WHERE = "Networks and pictures", "How small", "Training", "Where and how"
OPTIONS = "Options"
"""Groups of options; the last is that of a command's own ones."""


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """Everything that decides the outcome of a search, given the networks and the pictures."""

    population: int = setting(32, least=2)
    """K: individuals a generator."""
    generations: int = setting(100, least=0)
    """T."""
    searcher: Searcher = "coevolution"
    """How new individuals come from old ones: Algorithm 1, or another of `ganprune.search`."""
    gamma: float = setting(10.0, least=0)
    """γ: weight of the losses against size in Eq. 11. Larger keeps more filters."""
    weigh_size: Literal["auto", "always"] = "auto"
    """Whether size, N of Eq. 10, counts beside the losses. auto: without a target; with one all individuals
    come to it, and pictures alone decide; always: as in the paper."""
    lambda_cycle: float = setting(10.0, least=0)
    """λ: weight of L_cyc against L_DisA."""
    cycle: Literal["excess", "whole"] = "excess"
    """``excess``: L_cyc counts as far as it is above that of the original pair, which no network that does
    the same can be below; ``whole``: as in Eq. 11."""
    lambda_identity: float = setting(0.0, least=0)
    """Weight of the identity loss beside L_cyc; 0: not computed."""
    layout: LayoutKind = "filters"
    """Which filters share a bit: none, or (shared) all residual convolutions those of the trunk."""
    align: int = setting(1, least=1)
    """Kept filters of every layer come in multiples of this many; 8 (AVX2) or 16 (AVX-512) run fastest."""
    target_ms: tuple[float, float] | None = setting(None, above=0, panel=SMALL)
    """Milliseconds a picture in ONNX Runtime, on this machine's CPU in one thread."""
    speed_up: tuple[float, float] | None = setting(None, least=1, panel=SMALL)
    """How many times as fast to run, by a count of the work; both, or G_A,G_B. Nothing is timed."""
    min_psnr: float | None = setting(None, above=0, panel=SMALL, metavar="DB")
    """In place of the others: as fast as pictures stay so close, in dB, before any training; 32: close."""
    max_lost: float | None = setting(None, above=0, panel=SMALL, metavar="F")
    """Likewise, by the share of the translation that is missing; 0.1: close. Needs lost-by."""
    target_macs: tuple[float, float] | None = setting(None, above=0, most=1, panel=SMALL)
    """Share of the true MACs to keep, one for both or G_A,G_B; none: gamma alone decides."""
    target_params: tuple[float, float] | None = setting(None, above=0, most=1)
    """Share of the parameters to keep."""
    min_filters: int = setting(1, least=1)
    """Fewest filters of a layer."""
    remove_blocks: bool = True
    """Whether whole residual blocks may be taken out, and put back: one that keeps no filters of its own is
    not in the network. The paper keeps all."""
    order: Literal["alternate", "simultaneous"] = "alternate"
    """``alternate``: q meets the best p of this generation, as the paper's text has it;
    ``simultaneous``: that of the generation before, as Algorithm 1's line 5 has it."""
    partners: Literal["evolved", "original"] = "evolved"
    """``original``: both populations keep the original networks as partners: separate evolution."""
    loss: Literal["disa", "gena"] = "disa"
    """``disa``: Eq. 5, what the discriminator sees; ``gena``: Eq. 4, the ablation."""
    parents: float = setting(0.25, above=0, most=1)
    """Share of a population, its fittest, that parents are drawn from by Eq. 12; 1: all, as in the paper."""
    p_select: float = setting(0.0, least=0, most=1)
    """Share of children that are copies of a parent; 0.2 in the paper."""
    p_crossover: float = setting(0.3, least=0, most=1)
    """Share of children by crossover, 0.7 in the paper; the rest are mutated."""
    mutation: Mutation = "auto"
    """How a child differs from its parent. flip: any bits; exchange: kept for dropped filters of a layer;
    reshape: width moves between layers, at equal cost; auto: exchange and reshape, without a target flip."""
    mutation_rate: float | None = setting(None, least=0, most=1)
    """Probability of each bit of a mutated child to flip, or of each kept filter to be exchanged; none: drawn
    anew for each child."""
    refit: bool = True
    """Individuals are refitted to the originals by least squares before they are scored, and half of the
    first generation is near the network that loses least by the same squares, see `ganprune.refit.surgeon`.
    Else they are scored as they were cut, as in the paper, which says little of what they are worth."""
    direction: Literal["both", "AtoB", "BtoA"] = setting("both", panel=WHAT)
    """AtoB: only G_A becomes slim, G_B stays whole; BtoA: the reverse."""
    seed: int = setting(0, least=0, below=2**63, panel=WHERE)
    """Same seed, same result."""

    def __post_init__(self) -> None:
        check_fields(self)
        others = (self.target_macs, self.target_params, self.target_ms)
        if self.quality and any(other is not None for other in others):
            raise UsageError(
                f"{self.quality} is in place of --target-macs, --set target-params and --target-ms"
            )
        if self.p_select + self.p_crossover > 1:
            raise UsageError(
                "--set p-select and --set p-crossover must be at most 1 together, "
                f"found {self.p_select} and {self.p_crossover}"
            )

    @property
    def aimless(self) -> bool:
        """Whether there is no target, so that γ alone decides the size."""
        return self.constraints("A").aimless

    @property
    def quality(self) -> str:
        """What is asked of the pictures, as options; empty: nothing."""
        told = (("--min-psnr", self.min_psnr), ("--max-lost", self.max_lost))
        return " ".join(f"{option} {value:g}" for option, value in told if value is not None)

    @property
    def meet(self) -> bool:
        """Whether two generators evolve and are translated back by each other."""
        return self.direction == "both" and self.partners == "evolved" and self.lambda_cycle > 0

    @property
    def sides(self) -> tuple[Domain, ...]:
        """Generators that evolve."""
        return DOMAINS if self.direction == "both" else ("A",) if self.direction == "AtoB" else ("B",)

    def size_for_all(self, side: Domain) -> float | None:
        """What stands in fitness where N does not count: the share that was asked for; None: N counts."""
        limits = self.constraints(side)
        return None if limits.aimless or self.weigh_size == "always" else limits.share or 1.0

    def constraints(self, side: Domain) -> "Constraints":
        """What genomes of one side must satisfy."""
        from ganprune.pruning.repair import Constraints

        i = DOMAINS.index(side)
        return Constraints(
            align=self.align,
            target_macs=self.target_macs and self.target_macs[i],
            target_params=self.target_params and self.target_params[i],
            target_ms=self.target_ms and self.target_ms[i],
            speed_up=self.speed_up and self.speed_up[i],
            min_filters=self.min_filters,
            remove_blocks=self.remove_blocks,
        )
