"""Scores computed in this process, on one device: real slim networks, nothing computed twice.

The originals' translations and D's patch maps are computed once. By genome are kept: L_DisA, L_GenA,
L_idt, and the translated pictures while the genome is in the population. By (genome, partner) is kept
L_cyc. So an elite that meets a new partner costs one pass of the partner and no other.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from ganprune.errors import CheckpointError, UsageError
from ganprune.evaluation.interface import Domain, Scores
from ganprune.evaluation.memory import Batches
from ganprune.evaluation.originals import grams_file, judged_originals, original_grams
from ganprune.evaluation.tuning import FineTuner
from ganprune.images import to_float
from ganprune.images.sources import DOMAINS
from ganprune.models.channels_last import channels_last
from ganprune.models.traits import channels_of, discriminator_input, sees_both, smallest_picture
from ganprune.pruning.fitness import Reduction, l_cyc, l_disa, l_gena, l_idt
from ganprune.pruning.genome import Layout, genome_key
from ganprune.pruning.rebuild import rebuilt, recalibrated
from ganprune.refit import Gram, refitted_from
from ganprune.reporting import SILENT, Reporter
from ganprune.system.device import Precision, reproducible

_Net = TypeVar("_Net", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class EvaluationSettings:
    """How scores are computed. Another value may change the last digits, so a search keeps to one."""

    device: str = "cpu"
    """A torch device: cpu, cuda, cuda:1."""
    precision: Precision = "float32"
    """Of the networks' arithmetic; distances are always summed in double precision."""
    batch: int = 1
    """Pictures a forward pass; fewer where memory runs out."""
    reduction: Reduction = "mean"
    """What ‖v‖² means; see `ganprune.pruning.fitness.Reduction`."""
    refit: bool = False
    """Whether slim networks are refitted before they run, from the originals' Gram matrices on the same
    pictures; else they run as they were cut. See `ganprune.refit`."""

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise UsageError(f"--batch must be 1 or more, found {self.batch}")


@dataclass(frozen=True, slots=True)
class _Half:
    """Everything fixed about one direction of translation."""

    generator: nn.Module
    judge: nn.Module | None
    layout: Layout
    x: Tensor
    """Pictures of the domain that is translated: [n, 3, h, w] in [-1, 1]."""
    y: Tensor | None
    """Pictures of the domain that is translated to; None: there are none."""
    translated: Tensor
    """G(x) of the original."""
    judged: Tensor | None
    """D(G(x)) of the original: patch maps [n, 1, h', w']; None without a judge."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What depends on a genome alone."""

    L_DisA: float
    L_GenA: float
    L_idt: float | None
    """None: not computed."""


@dataclass(frozen=True, slots=True)
class _Network:
    """A generator as it is scored."""

    placed: nn.Module
    """On the device, in the precision of scores."""
    whole: nn.Module | None = None
    """The same in float32, for the tuner; None without one."""


class LocalEvaluator:
    """An `Evaluator` for one device."""

    def __init__(
        self,
        generators: Mapping[Domain, nn.Module],
        judges: Mapping[Domain, nn.Module],
        layouts: Mapping[Domain, Layout],
        pictures: Mapping[Domain, Tensor],
        settings: EvaluationSettings,
        on_scored: Callable[[], object] = lambda: None,
        tuner: FineTuner | None = None,
        cache: Path | None = None,
        reporter: Reporter = SILENT,
    ) -> None:
        """Compute everything about the originals.

        generators: G_A under "A", G_B under "B"; judges: D_A, which judges the output of G_A, under "A".
        layouts: of the sides that are to be scored; such a side needs its generator. Without its judge
        L_DisA is zero, without the other generator L_cyc. A partner that is a genome needs its layout.
        pictures: uint8 [n, 3, h, w] of domain A and of domain B. The networks are copied. Those of a domain
        that is only translated to may be missing where no identity loss is asked for.
        on_scored: called after every individual, to show progress. tuner: fine-tunes every individual
        before it is scored, beside its partner; all its terms then depend on the partner too. A partner is
        fine-tuned itself, beside the original, as it was in generation 0. cache: a folder where what the
        originals make of the pictures is kept. reporter: is warned where memory runs out, see `Batches`.

        Raises `CheckpointError` for networks of other channels than the pictures', `UsageError` for pictures
        too small for a discriminator.
        """
        for side, generator in generators.items():
            _check_fit(generator, judges.get(side), pictures.get(side, next(iter(pictures.values()))))
        self.settings, self._on_scored = settings, on_scored
        self.evaluations = 0
        """Number of slim networks run so far: new genomes, and known genomes with a new partner."""
        self._batches = Batches(settings.batch, reporter)
        dtype = torch.bfloat16 if settings.precision == "bfloat16" else torch.float32
        self._device, self._dtype = torch.device(settings.device), dtype
        self._on_cpu = self._device.type == "cpu"
        x: dict[Domain, Tensor] = {
            side: self._laid_out(to_float(part).to(self._device, dtype)) for side, part in pictures.items()
        }
        self._layouts, self._tuner = layouts, tuner
        self._originals = dict(generators)
        """As given: float32."""
        self._generators = {side: self._place(generator) for side, generator in generators.items()}
        self._halves: dict[Domain, _Half] = {}
        for side, layout in layouts.items():
            G, D = self._generators[side], self._place(judges[side]) if side in judges else None
            file = None if cache is None else cache / f"original_{side}.safetensors"
            setting = f"channels-last, batch {settings.batch}, {torch.get_num_threads()} threads"
            translated, judged = judged_originals(G, D, x[side], self._run, setting, file)
            self._halves[side] = _Half(G, D, layout, x[side], x.get(_other(side)), translated, judged)
        self._grams = dict[Domain, dict[str, Gram]]()
        for side in layouts if settings.refit else ():
            exact = to_float(pictures[side]).to(self._device)
            original = copy.deepcopy(generators[side]).to(self._device)
            file = None if cache is None else cache / grams_file(side)
            self._originals[side] = original
            self._grams[side] = original_grams(original, layouts[side].graph, exact, file)
        self._known: dict[Domain, dict[bytes, _Known]] = {side: {} for side in DOMAINS}
        self._pictures: dict[Domain, dict[bytes, Tensor]] = {side: {} for side in DOMAINS}
        self._backs: dict[Domain, tuple[bytes, _Network]] = {}
        self._cycles: dict[Domain, dict[tuple[bytes, bytes], float]] = {side: {} for side in DOMAINS}

    def score(
        self, side: Domain, genomes: Tensor, partner: Tensor | None, *, identity: bool = False
    ) -> Scores:
        """See `Evaluator.score`."""
        half, partner_key = self._halves[side], b"" if partner is None else genome_key(partner)
        back = self._partner(side, partner, partner_key)
        keys = [genome_key(genome) + (partner_key if self._tuner else b"") for genome in genomes]
        self._pictures[side] = {k: v for k, v in self._pictures[side].items() if k in set(keys)}
        rows: list[tuple[float, float, float, float]] = []
        for key, genome in zip(keys, genomes, strict=True):
            cycle, known = self._cycles[side].get((key, partner_key)), self._known[side].get(key)
            if cycle is None or known is None or (identity and known.L_idt is None):
                self.evaluations += 1
                translated = self._translate(side, key, genome, back, identity)
                cycle = 0.0
                if back is not None:
                    cycle = l_cyc(self._run(back.placed, translated), half.x, self.settings.reduction)
                self._cycles[side][key, partner_key] = cycle
            known = self._known[side][key]
            rows.append((known.L_DisA, known.L_GenA, cycle, known.L_idt if identity and known.L_idt else 0.0))
            self._on_scored()
        columns = torch.tensor(rows, dtype=torch.float64).unbind(1)
        return Scores(*columns)

    def controls(self, side: Domain, *, identity: bool = False) -> Scores:
        """The terms of the original itself and of a network that returns its input: float64 [2] each.

        Beside the original partner. They tell which scores are worse than doing nothing.
        """
        half, back, reduction = (
            self._halves[side],
            self._generators.get(_other(side)),
            self.settings.reduction,
        )
        rows: list[tuple[float, float, float, float]] = []
        for made in (half.translated, half.x):
            seen = cycle = same = 0.0
            if half.judge is not None and half.judged is not None:
                together = discriminator_input(half.judge, half.x, made)
                seen = l_disa(half.judged, self._run(half.judge, together), reduction)
            if back is not None:
                cycle = l_cyc(self._run(back, made), half.x, reduction)
            if (
                identity and half.y is not None and made is half.translated
            ):  # what returns its input has no L_idt
                same = l_idt(self._run(half.generator, half.y), half.y, reduction)
            rows.append((seen, l_gena(half.translated, made, reduction), cycle, same))
        return Scores(*torch.tensor(rows, dtype=torch.float64).unbind(1))

    def _partner(self, side: Domain, genome: Tensor | None, key: bytes) -> _Network | None:
        """The generator that translates back; one that was built for the last call is not built again."""
        other = _other(side)
        if other not in self._generators:
            return None
        if genome is None:
            return self._original(other)
        if self._backs.get(side, (b"", None))[0] != key:
            # Beside the original, so that a score depends on two genomes, not on all partners before them.
            self._backs[side] = key, self._network(other, genome, self._original(side), key)
        return self._backs[side][1]

    def _original(self, side: Domain) -> _Network:
        return _Network(self._generators[side], self._originals.get(side))

    def _network(self, side: Domain, genome: Tensor, partner: _Network | None, key: bytes) -> _Network:
        """The slim network of a genome, fine-tuned beside its partner where there is a tuner."""
        if self._tuner is None:
            return _Network(self._slim(side, genome))
        assert partner is not None
        assert partner.whole is not None
        tuned = self._tuner(side, self._cut(side, genome), partner.whole, key.hex())
        return _Network(self._place(tuned), tuned)

    def _translate(
        self, side: Domain, key: bytes, genome: Tensor, partner: _Network | None, identity: bool
    ) -> Tensor:
        """Ĝ(x) of one genome; fills in what is known of it."""
        known = self._known[side].get(key)
        complete = known is not None and (known.L_idt is not None or not identity)
        if complete and key in self._pictures[side]:
            return self._pictures[side][key]
        half, reduction = self._halves[side], self.settings.reduction
        slim = self._network(side, genome, partner, key).placed
        translated = self._run(slim, half.x)
        if not complete:
            seen = 0.0
            if half.judge is not None and half.judged is not None:
                together = discriminator_input(half.judge, half.x, translated)
                seen = l_disa(half.judged, self._run(half.judge, together), reduction)
            unchanged = None
            if identity and half.y is not None:
                unchanged = l_idt(self._run(slim, half.y), half.y, reduction)
            self._known[side][key] = _Known(seen, l_gena(half.translated, translated, reduction), unchanged)
        self._pictures[side][key] = translated
        return translated

    def _cut(self, side: Domain, genome: Tensor) -> nn.Module:
        """The slim network in float32, refitted where the settings say so."""
        original, layout = self._originals[side], self._layouts[side]
        if side in self._grams:
            return refitted_from(self._grams[side], original, layout, genome)
        return rebuilt(original, layout, genome)

    def _slim(self, side: Domain, genome: Tensor) -> nn.Module:
        """The slim network; one of batch norm with the statistics of the pictures that it translates."""
        x = self._halves[side].x
        if side in self._grams:
            slim = self._cut(side, genome).to(self._dtype)
        else:  # of the placed original, which is already of the right precision and on the device
            slim = rebuilt(self._generators[side], self._layouts[side], genome)
        slim = self._batches.attempt(lambda n: recalibrated(slim, x.split(n)))
        return channels_last(slim) if self._on_cpu else slim

    @torch.inference_mode()
    def _run(self, net: nn.Module, x: Tensor) -> Tensor:
        with reproducible():
            return self._batches.attempt(lambda n: torch.cat([net(part) for part in x.split(n)]))

    def _place(self, net: _Net) -> _Net:
        placed = copy.deepcopy(net).to(self._device, self._dtype)
        return channels_last(placed) if self._on_cpu else placed

    def _laid_out(self, pictures: Tensor) -> Tensor:
        return pictures.contiguous(memory_format=torch.channels_last) if self._on_cpu else pictures


def _other(side: Domain) -> Domain:
    return "B" if side == "A" else "A"


def _check_fit(generator: nn.Module, judge: nn.Module | None, pictures: Tensor) -> None:
    (channels, *size), (inputs, outputs) = pictures.shape[1:], channels_of(generator)
    judged = channels if judge is None or sees_both(judge, generator) else channels_of(judge)[0]
    if {inputs, outputs, judged} != {channels}:
        raise CheckpointError(
            f"pictures of {channels} channels need networks of as many, found a generator from "
            f"{inputs} to {outputs} and a discriminator of {judged}; "
            "give a checkpoint that was trained on RGB"
        )
    if judge is not None and min(size) < (least := smallest_picture(judge)):
        raise UsageError(
            f"a discriminator needs pictures of at least {least} pixels, found {min(size)}; "
            "give a larger --size"
        )
