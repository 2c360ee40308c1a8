"""What an original and its slim generator make of test pictures, and how far apart they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ganprune.images import in_channels, to_float, to_uint8
from ganprune.models.traits import discriminator_input
from ganprune.pruning.fitness import l_cyc, l_disa, l_gena
from ganprune.reporting import SILENT, Reporter
from ganprune.system.device import reproducible
from ganprune.translation import Translator

MIRRORED = "original, mirrored"
"""The original between two mirrors: what it makes of the mirrored picture, mirrored back. As good a picture,
and another one; so differences below its distance to the original mean little."""


@dataclass(frozen=True, slots=True)
class ComparedNetworks:
    """The networks of one direction. None: not there."""

    original: nn.Module  # G1
    slim: nn.Module  # Ĝ1
    original_partner: nn.Module | None  # G2, which translates back what the original made
    slim_partner: nn.Module | None
    """Ĝ2, which translates back what the slim generator made; G2 where only one direction is slim."""
    judge: nn.Module | None  # D1, the original's
    others: Mapping[str, Translator] = field(default_factory=dict[str, Translator])
    """Further forms of the slim generator, such as files of reduced precision, by name."""


@dataclass(frozen=True, slots=True)
class Translated:
    """Pictures by one network, and their distances to the original's, a mean over pictures each."""

    pictures: Tensor  # uint8 [n, c, h, w], as CycleGAN writes them
    L_GenA: float  # Eq. 4
    L_DisA: float | None  # Eq. 5; None without a discriminator.
    L_cyc: float | None  # Eq. 6; None without a partner.


@torch.inference_mode()
def translated(
    pictures: Tensor, contest: ComparedNetworks, device: str = "cpu", reporter: Reporter = SILENT
) -> dict[str, Translated]:
    """``inputs``, ``original``, `MIRRORED`, ``slim`` and the contest's others: what each makes of pictures.

    pictures: [n, c, h, w], uint8 or floats in [-1, 1]. The inputs stand for a network that changes nothing,
    see `ganprune.images.in_channels` where it gives other channels than it takes. Distances are means over
    elements and pictures, in float32 on float pictures, one at a time. Networks are used in eval mode,
    and moved to the device.
    """
    nets = (
        contest.original, contest.slim, contest.original_partner, contest.slim_partner, contest.judge
    )  # fmt: skip
    for net in nets:
        if net is not None:
            net.eval().to(device)
    kinds = ("inputs", "original", MIRRORED, "slim", *contest.others)
    fakes = {kind: list[Tensor]() for kind in kinds}
    gena, disa, cyc = ({kind: list[float]() for kind in kinds} for _ in range(3))
    back = contest.original_partner
    partners = {"original": back, MIRRORED: back, "slim": contest.slim_partner}
    with reproducible(), reporter.task("translating", len(pictures)) as task:
        for picture in pictures.split(1):
            x = to_float(picture).to(device)
            made = {"original": contest.original(x)}
            made = {"inputs": in_channels(x, made["original"].shape[1])} | made
            made |= {MIRRORED: contest.original(x.flip(3)).flip(3), "slim": contest.slim(x)}
            made |= {kind: other(x.cpu()).to(device) for kind, other in contest.others.items()}
            D = contest.judge
            judged = {} if D is None else {kind: D(discriminator_input(D, x, y)) for kind, y in made.items()}
            for kind, y in made.items():
                # Floats and back would cost the input grey levels, see `to_uint8`.
                shown = in_channels(picture, y.shape[1]) if kind == "inputs" else y
                fakes[kind].append(to_uint8(shown).cpu())
                gena[kind].append(l_gena(made["original"], y))
                if judged:
                    disa[kind].append(l_disa(judged["original"], judged[kind]))
            for kind, partner in partners.items():
                if partner is not None:
                    cyc[kind].append(l_cyc(partner(made[kind]), x))
            task.advance()
    return {
        kind: Translated(torch.cat(part), _mean(gena[kind]) or 0.0, _mean(disa[kind]), _mean(cyc[kind]))
        for kind, part in fakes.items()
    }


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
