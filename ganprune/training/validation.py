"""How near slim generators are to the originals, on pictures that no step sees.

The distances are those of the search: L_GenA, L_DisA and L_cyc (Eq. 4-6 of the paper), each a mean over
pictures and elements.
"""

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from ganprune.checkpoints import NetName
from ganprune.images import Domain, to_float
from ganprune.models.traits import discriminator_input
from ganprune.pruning.fitness import l_cyc, l_disa, l_gena
from ganprune.storage.files import write_atomically
from ganprune.system.device import Precision
from ganprune.training.lines import whole_lines
from ganprune.training.networks import Networks

VALIDATION = "validation.jsonl"


class Validation:
    """Pictures of both domains, and what the originals make of them."""

    def __init__(
        self,
        pictures: Mapping[Domain, Tensor],
        originals: Mapping[Domain, nn.Module],
        judges: Mapping[Domain, nn.Module],
        sides: Sequence[Domain] = ("A", "B"),
        device: str = "cpu",
        precision: Precision = "float32",
    ) -> None:
        """pictures: [n, c, h, w] of both domains; originals and judges: the complete networks' own.

        ``sides`` are scored. Without its judge a side has no L_DisA.
        """
        self._device, self._precision = device, precision
        self._x: dict[Domain, Tensor] = {side: to_float(part).to(device) for side, part in pictures.items()}
        self._judges: dict[Domain, nn.Module] = {
            side: copy.deepcopy(judges[side]).to(device) for side in sides if side in judges
        }
        self._wanted: dict[Domain, Tensor] = {
            side: self._run(copy.deepcopy(originals[side]).to(device), self._x[side]) for side in sides
        }
        self._judged: dict[Domain, Tensor] = {
            side: self._seen(side, self._wanted[side]) for side in self._judges
        }

    def figures(self, networks: Networks) -> dict[str, float]:
        """L_GenA, L_DisA and L_cyc of each side, such as ``L_GenA_A`` for G_A; those that networks allow."""
        nets: dict[Domain, nn.Module] = {"A": networks.G_A, "B": networks.G_B}
        modes: dict[Domain, bool] = {side: net.training for side, net in nets.items()}
        for net in nets.values():
            net.eval()
        found: dict[str, float] = {}
        for side, wanted in self._wanted.items():
            fake = self._run(nets[side], self._x[side])
            found[f"L_GenA_{side}"] = l_gena(wanted, fake)
            if side in self._judged:
                found[f"L_DisA_{side}"] = l_disa(self._judged[side], self._seen(side, fake))
            other: Domain = "B" if side == "A" else "A"
            if f"G_{other}" not in networks.absent:
                found[f"L_cyc_{side}"] = l_cyc(self._run(nets[other], fake), self._x[side])
        for side, net in nets.items():
            net.train(modes[side])
        return found

    def _seen(self, side: Domain, made: Tensor) -> Tensor:
        return self._run(self._judges[side], discriminator_input(self._judges[side], self._x[side], made))

    @torch.no_grad()
    def _run(self, net: torch.nn.Module, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self._precision == "bfloat16"):
            return torch.cat([net(part).float() for part in x.split(1)])


def score(figures: Mapping[str, float], name: NetName, taught: bool) -> float:
    """What decides which weights of a generator are best; smaller is better.

    Where the originals teach, the distance to their pictures, L_GenA. The CycleGAN recipe wants no particular
    pictures, only such as D takes for the other domain: there L_DisA, how far D's patch map is from that of
    the original's picture. L_cyc, which the search weighs beside it, has no say here: it is small for what
    changes little and outweighs L_DisA, and so ranks the untouched input above most networks. To take the
    original's own L_cyc off does not mend this: that is the same number for all.
    """
    side, loss = name[-1], "L_GenA" if taught else "L_DisA"
    return figures.get(f"{loss}_{side}", figures[f"L_GenA_{side}"])  # without a D there is no L_DisA


class ValidationLog:
    """validation.jsonl: a line a validation, of the weights as they are and of their averages."""

    def __init__(self, folder: Path, step: int) -> None:
        """Go on after ``step`` steps; later lines of an interrupted training are dropped."""
        self._path = folder / VALIDATION
        self.lines = whole_lines(self._path, step)

    def add(self, step: int, now: Mapping[str, float], average: Mapping[str, float]) -> None:
        """Write a line; nothing where the step is there already."""
        if any(line["step"] == step for line in self.lines):
            return
        prefixed = {f"average_{name}": value for name, value in average.items()}
        rounded = {name: float(f"{value:.6g}") for name, value in (dict(now) | prefixed).items()}
        self.lines.append({"step": step} | rounded)
        text = "".join(json.dumps(line) + "\n" for line in self.lines)
        write_atomically(self._path, text.encode(), over="own")


def panels(lines: Sequence[Mapping[str, float]]) -> dict[str, dict[str, str]]:
    """Panels of curves for what the lines hold."""
    names = {name for line in lines for name in line}
    found = {
        f"{term}, validation": {
            label: name
            for side in ("A", "B")
            for label, name in (
                (f"G_{side}", f"{term}_{side}"),
                (f"G_{side} average", f"average_{term}_{side}"),
            )
            if name in names
        }
        for term in ("L_GenA", "L_DisA", "L_cyc")
    }
    return {title: curves for title, curves in found.items() if curves}
