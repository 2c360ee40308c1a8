"""Simulated annealing: chains of genomes, each changed a little and kept by Metropolis' rule.

Source: Kirkpatrick et al., "Optimization by Simulated Annealing", Science 220, 1983. The energy is what
Algorithm 1 makes small, E = 1 / F = N + γ (L_DisA + λ L_cyc), so a change is accepted with the probability
min(1, exp(-(E' - E) / T)). T begins as the spread of the energies of generation 0 (White, "Concepts of scale
in simulated annealing", 1984) and falls geometrically to a hundredth of that.

K individuals are scored a generation, as in Algorithm 1: half of them are where the chains stand, because a
new partner gives them a new score, and half are changes of those, made as Algorithm 1 mutates
(the setting `mutation`).
By exchange a chain keeps the widths that it was drawn with. The fittest chain is only ever changed for the
better, so what was found is not lost, as with the elite there.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from ganprune.search.coevolution import CoEvolution, Population, State, random_stream
from ganprune.settings.words import Domain

COOLED = 0.01
"""Temperature of the last generation over that of the first."""


class Annealing(CoEvolution):
    """K / 2 chains a generator; a `State` remembers where each stands and the first temperature."""

    @staticmethod
    def memory_of(population: int, length: int) -> Mapping[str, tuple[torch.dtype, tuple[int, ...]]]:
        """See `CoEvolution.memory_of`."""
        return {"first": (torch.float64, ()), "chains": (torch.int64, (population // 2,))}

    def temperature(self, first: float, t: int) -> float:
        """Of generation t, from that of generation 0."""
        return first * COOLED ** (t / max(self.settings.generations, 1))

    def _breed(self, state: State, side: Domain, t: int) -> Tensor:
        """Where the chains stand, then a change of each; of the fittest two where K is odd."""
        now = state.populations[side].genomes[state.memory[f"{side}.chains"]]
        chance = random_stream(self.settings.seed, t, side)
        changed = self._mutated(side, now[_owners(self.settings.population)], chance)
        return torch.cat([now, self._repair[side](changed, chance)])

    def _memory(
        self, before: State | None, scored: Mapping[Domain, Population], t: int
    ) -> Mapping[str, Tensor]:
        found: dict[str, Tensor] = {}
        for side, population in scored.items():
            chains, energy = self.settings.population // 2, 1 / population.fitness
            if before is None:
                spread = energy[energy.isfinite()].std(correction=0)
                found[f"{side}.first"] = spread.nan_to_num(0.0)
                found[f"{side}.chains"] = energy.argsort(stable=True)[:chains]  # the fittest first
                continue
            first = before.memory[f"{side}.first"]
            chance = random_stream(self.settings.seed, t, f"{side}, accepted")
            stand = accepted(energy, chains, self.temperature(float(first), t), chance)
            found |= {f"{side}.first": first, f"{side}.chains": stand}
        return found


def accepted(energy: Tensor, chains: int, temperature: float, chance: torch.Generator) -> Tensor:
    """Where each chain stands next. energy: float64 [K], of chains, then of changes → int64 [chains].

    The fittest chain, the first of equals, takes no change for the worse. It comes first in what is returned.
    """
    stand, fittest = torch.arange(chains), int(energy[:chains].argmin())
    draws = torch.rand(len(energy) - chains, generator=chance, dtype=torch.float64)
    for i, chain in enumerate(_owners(len(energy)).tolist()):
        rise = float(energy[chains + i] - energy[stand[chain]])
        uphill = chain != fittest and temperature > 0 and draws[i] < torch.tensor(-rise / temperature).exp()
        if rise <= 0 or uphill:
            stand[chain] = chains + i
    return stand[energy[stand].argsort(stable=True)]


def _owners(population: int) -> Tensor:
    """Which chain each change is made of."""
    chains = population // 2
    return torch.arange(population - chains) % chains
