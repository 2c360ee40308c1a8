"""Binary particle swarm: particles drawn towards their own best place and the swarm's.

Source: Kennedy & Eberhart, "A discrete binary version of the particle swarm algorithm", SMC 1997. For bit d
of particle i, with r uniform on 0 … 1:

    v_id ← v_id + φ r1 (p_id - x_id) + φ r2 (g_d - x_id),  |v_id| ≤ V_max
    x_id ← 1 with the probability 1 / (1 + exp(-v_id)), else 0

with φ = 2 and V_max = 6. Positions are then repaired, as all children are. Velocities begin where a particle
draws as many filters of each layer as it has, at the logit of that share: from 0 it would draw half
of them, and repair would take most away again by lot.

K individuals are scored a generation, as in Algorithm 1: the best place g, again, because a new partner gives
it a new score, and K - 1 particles. A particle's own best place keeps the score that it had when it was
found; that of generation 0, when partners were the originals, with which all score better, is forgotten.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from ganprune.pruning.genome import Layout, pack, unpack
from ganprune.search.coevolution import CoEvolution, Population, State, random_stream
from ganprune.settings.words import Domain

PULL = 2.0
"""φ: the most that one best place adds to a velocity."""
FASTEST = 6.0
"""V_max: a bit is never surer than 1 / (1 + exp(-6)) = 99.75 %."""


class Swarm(CoEvolution):
    """K - 1 particles a generator; a `State` remembers their velocities and their own best places."""

    @staticmethod
    def memory_of(population: int, length: int) -> Mapping[str, tuple[torch.dtype, tuple[int, ...]]]:
        """See `CoEvolution.memory_of`."""
        n = population - 1
        return {
            "velocity": (torch.float32, (n, length)),
            "own": (torch.uint8, (n, -(-length // 8))),
            "own_fitness": (torch.float64, (n,)),
        }

    def _breed(self, state: State, side: Domain, t: int) -> Tensor:
        """The best place, then all particles where they have moved to."""
        population, chance = state.populations[side], random_stream(self.settings.seed, t, side)
        v = self._velocity(state, side, t)
        x = torch.rand(v.shape, generator=chance) < v.sigmoid()
        return torch.cat([population.best_genome[None], self._repair[side](x, chance)])

    def _velocity(self, state: State, side: Domain, t: int) -> Tensor:
        """v of generation t. float32 [K - 1, L]."""
        population = state.populations[side]
        own = unpack(state.memory[f"{side}.own"], population.genomes.shape[1])
        chance = random_stream(self.settings.seed, t, f"{side}, pulled")
        return velocity(
            state.memory[f"{side}.velocity"], population.genomes[1:], own, population.best_genome, chance
        )

    def _memory(
        self, before: State | None, scored: Mapping[Domain, Population], t: int
    ) -> Mapping[str, Tensor]:
        found: dict[str, Tensor] = {}
        for side, population in scored.items():
            x, fitness = population.genomes[1:], population.fitness[1:]
            if before is None:
                found[f"{side}.velocity"] = first_velocity(x, self.layouts[side])
                found |= {f"{side}.own": pack(x), f"{side}.own_fitness": fitness}
                continue
            before_own = before.memory[f"{side}.own_fitness"]
            if t == 1 and len(scored) > 1 and self.settings.partners == "evolved":  # not so in generation 0
                before_own = torch.full_like(before_own, -torch.inf)
            better = fitness > before_own
            found[f"{side}.velocity"] = self._velocity(before, side, t)
            found[f"{side}.own"] = torch.where(better[:, None], pack(x), before.memory[f"{side}.own"])
            found[f"{side}.own_fitness"] = fitness.maximum(before_own)
        return found


def first_velocity(x: Tensor, layout: Layout) -> Tensor:
    """The logit of the share of each gene's filters that a particle keeps. bool [n, L] → float32 [n, L]."""
    sizes = torch.tensor(layout.sizes)
    share = layout.gene_counts(x) / sizes
    return share.logit().clamp(-FASTEST, FASTEST).repeat_interleave(sizes, 1)


def velocity(v: Tensor, x: Tensor, own: Tensor, best: Tensor, chance: torch.Generator) -> Tensor:
    """The next velocities. v: float32 [n, L]; x, own: bool [n, L]; best: bool [L] → float32 [n, L]."""
    to_own = PULL * torch.rand(v.shape, generator=chance) * (own.float() - x.float())
    to_best = PULL * torch.rand(v.shape, generator=chance) * (best.float() - x.float())
    return (v + to_own + to_best).clamp(-FASTEST, FASTEST)
