"""Everything that decides a search."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

from ganprune.errors import UsageError
from ganprune.images.sources import DOMAINS, Domain
from ganprune.pruning.genome import LayoutKind
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


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """Everything that decides the outcome of a search, given the networks and the pictures."""

    population: int = 32
    """K: individuals a generator."""
    generations: int = 100
    """T."""
    searcher: Searcher = "coevolution"
    """How new individuals come from old ones: Algorithm 1, or another of `ganprune.search`."""
    gamma: float = 10.0
    """γ: weight of the losses against size in Eq. 11. Larger keeps more filters."""
    lambda_cycle: float = 10.0
    """λ: weight of L_cyc against L_DisA."""
    cycle: Literal["excess", "whole"] = "excess"
    """``excess``: L_cyc counts as far as it is above that of the original pair, which no network that does
    the same can be below; ``whole``: as in Eq. 11."""
    lambda_identity: float = 0.0
    """Weight of the identity loss beside L_cyc; 0: not computed."""
    layout: LayoutKind = "filters"
    """Which filters share a bit."""
    align: int = 1
    """Kept filters of every layer come in multiples of this many; 8 (AVX2) or 16 (AVX-512) run fastest."""
    target_macs: tuple[float, float] | None = None
    """Share of the true MACs that G_A and G_B may keep; None: γ alone decides."""
    target_params: tuple[float, float] | None = None
    """Share of the parameters that they may keep."""
    speed_up: tuple[float, float] | None = None
    """How many times as fast as the originals G_A and G_B are to run, by a count of their work, see
    `ganprune.pruning.resources`; nothing is timed."""
    target_ms: tuple[float, float] | None = None
    """Milliseconds a picture that they may take in ONNX Runtime on this machine's CPU, in one thread."""
    min_psnr: float | None = None
    """Decibels from the originals' pictures, in place of the others: as fast as draws so well before any
    training, see `ganprune.stages.sizing`."""
    max_lost: float | None = None
    """Share of the originals' translation that may be missing, by a network of features
    (`ganprune.metrics.lost`): likewise, and both where both are asked for."""
    min_filters: int = 1
    """Fewest filters of a layer."""
    remove_blocks: bool = True
    """Whether whole residual blocks may be taken out, and put back: one that keeps no filters of its own is
    not in the network. The paper keeps all."""
    order: Literal["alternate", "simultaneous"] = "alternate"
    """``alternate``: q meets the best p of this generation, as the paper's text has it;
    ``simultaneous``: that of the generation before, as Algorithm 1's line 5 has it."""
    partners: Literal["evolved", "original"] = "evolved"
    """``original``: both populations keep the original networks as partners: separate evolution."""
    apart: float = 0.5
    """Share of the generations, the first ones, in which both populations still meet the original partners.
    An untrained slim partner hides most of what an individual is worth."""
    loss: Literal["disa", "gena"] = "disa"
    """``disa``: Eq. 5, what the discriminator sees; ``gena``: Eq. 4, the ablation."""
    parents: float = 0.25
    """Share of a population, its fittest, that parents are drawn from by Eq. 12; 1: all, as in the paper."""
    p_select: float = 0.0
    """Share of children that are copies of a parent; 0.2 in the paper."""
    p_crossover: float = 0.3
    """Share of children by crossover, 0.7 in the paper; the rest are mutated."""
    mutation: Mutation = "auto"
    """How a child differs from its parent, see `Mutation`."""
    mutation_rate: float | None = None
    """Probability of each bit of a mutated child to flip, or of each kept filter to be exchanged; none: drawn
    anew for each child."""
    refit: bool = True
    """Individuals are refitted to the originals by least squares before they are scored, and half of the
    first generation is near the network that loses least by the same squares, see `ganprune.refit.surgeon`.
    Else they are scored as they were cut, as in the paper, which says little of what they are worth."""
    direction: Literal["both", "AtoB", "BtoA"] = "both"
    """``AtoB``: G_A evolves and G_B stays whole, its partner; ``BtoA``: the reverse."""
    seed: int = 0
    """Of every random choice of the search."""

    def __post_init__(self) -> None:
        if self.population < 2:
            raise UsageError(f"--population must be 2 or more, found {self.population}")
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"--seed must be 0 or more and below 2^63, found {self.seed}")
        if self.generations < 0:
            raise UsageError(f"--generations must be 0 or more, found {self.generations}")
        for name in ("gamma", "lambda_cycle", "lambda_identity"):
            value = getattr(self, name)
            if not 0 <= value < float("inf"):
                raise UsageError(f"--{name.replace('_', '-')} must be finite and 0 or more, found {value}")
        others = (self.target_macs, self.target_params, self.target_ms)
        if self.quality and any(other is not None for other in others):
            raise UsageError(f"{self.quality} is in place of --target-macs, --target-params and --target-ms")
        for name in ("min_psnr", "max_lost"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise UsageError(f"--{name.replace('_', '-')} must be above 0 and finite, found {value}")
        if not (self.p_select >= 0 and self.p_crossover >= 0 and self.p_select + self.p_crossover <= 1):
            raise UsageError(
                "--p-select and --p-crossover must be 0 or more and at most 1 together, "
                f"found {self.p_select} and {self.p_crossover}"
            )
        if not 0 < self.parents <= 1:
            raise UsageError(f"--parents must be more than 0 and at most 1, found {self.parents}")
        for name in ("mutation_rate", "apart"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise UsageError(f"--{name.replace('_', '-')} must lie in 0 … 1, found {value}")
        for name, allowed in (
            ("searcher", get_args(Searcher)),
            ("layout", ("filters", "shared")),
            ("order", ("alternate", "simultaneous")),
            ("partners", ("evolved", "original")),
            ("loss", ("disa", "gena")),
            ("cycle", ("excess", "whole")),
            ("mutation", get_args(Mutation)),
            ("direction", ("both", "AtoB", "BtoA")),
        ):
            if getattr(self, name) not in allowed:
                raise UsageError(
                    f"--{name} must be one of {', '.join(allowed)}, found {getattr(self, name)!r}"
                )
        for side in DOMAINS:
            self.constraints(side)  # checks align and target

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
    def sides(self) -> tuple[Domain, ...]:
        """Generators that evolve."""
        return DOMAINS if self.direction == "both" else ("A",) if self.direction == "AtoB" else ("B",)

    def constraints(self, side: Domain) -> Constraints:
        """What genomes of one side must satisfy."""
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
