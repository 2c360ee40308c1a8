"""Scores computed in this process, on one device: real slim networks, nothing computed twice.

The originals' translations and D's patch maps are computed once. What depends on a genome alone is kept while
it is in the population: its translated pictures, L_DisA, L_GenA, L_idt. So an elite that meets a new partner
costs one pass of the partner and no other.
"""

import copy
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from ganprune.errors import CheckpointError, UsageError
from ganprune.images import in_channels, to_float
from ganprune.models.channels_last import channels_last
from ganprune.models.traits import channels_by_domain, discriminator_input, smallest_picture
from ganprune.pruning.fitness import Mean, Reduction, l_cyc, l_disa, l_gena, l_idt
from ganprune.pruning.genome import Layout, genome_of
from ganprune.pruning.rebuild import rebuilt
from ganprune.pruning.statistics import Spread, following, seen_by_norms
from ganprune.refit import Gram, refitted_from
from ganprune.reporting import SILENT, Reporter
from ganprune.scoring.memory import Batches
from ganprune.scoring.originals import grams_file, original_grams, original_outputs
from ganprune.scoring.scores import MemoScorer, Row, Scores, nobody
from ganprune.scoring.tuning import FineTuner
from ganprune.settings.words import DOMAINS, OTHER, Domain
from ganprune.system.device import Precision, reproducible

_Net = TypeVar("_Net", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class ScoringSettings:
    """How scores are computed. Another value may change the last digits, so a search keeps to one."""

    device: str = "cpu"
    """A torch device: cpu, cuda, cuda:1."""
    precision: Precision = "float32"
    """Of the networks' arithmetic; distances are always summed in double precision."""
    batch: int = 1
    """Pictures a forward pass; fewer where memory runs out."""
    reduction: Reduction = "mean"
    """What ‖v‖² means; see `ganprune.pruning.fitness.Reduction`."""
    gena_mean: Mean = "arithmetic"
    """How L_GenA is averaged over pictures; see `ganprune.pruning.fitness.l_gena`."""
    refit: bool = False
    """Whether slim networks are refitted before they run, from the originals' Gram matrices; else they run as
    they were cut. See `ganprune.refit`."""
    identity: bool = False
    """Whether L_idt is computed too, one more pass of each new genome."""
    cycle: bool = True
    """Whether L_cyc is computed, one more pass of the partner; else it is zero."""

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise UsageError(f"--set batch must be 1 or more, found {self.batch}")


@dataclass(frozen=True, slots=True)
class ScoringInputs:
    """What individuals are scored by."""

    generators: Mapping[Domain, nn.Module]
    """G_A under "A", G_B under "B". Without the other generator L_cyc is zero."""
    discriminators: Mapping[Domain, nn.Module]
    """D_A, which judges the output of G_A, under "A". Without it L_DisA is zero."""
    layouts: Mapping[Domain, Layout]
    """Of the sides that are to be scored; such a side needs its generator. A partner that is a genome needs
    its layout."""
    pictures: Mapping[Domain, Tensor]
    """[n, c, h, w] of domain A and of domain B, uint8 or floats in [-1, 1]. Those of a domain that is only
    translated to may be missing where no identity loss is asked for."""
    settings: ScoringSettings = ScoringSettings()
    tuner: FineTuner | None = None
    """Fine-tunes every individual before it is scored, beside its partner; all its terms then depend on the
    partner too. A partner is fine-tuned itself, beside the original, as it was in generation 0."""
    cache: Path | None = None
    """A folder where what the originals make of the pictures is kept."""
    gram_pictures: Mapping[Domain, Tensor] = field(default_factory=dict[Domain, Tensor])
    """Of the sides that are to be scored, likewise: what slim networks are refitted by, where settings say
    so."""


@dataclass(frozen=True, slots=True)
class _Half:
    """Everything fixed about one direction of translation."""

    generator: nn.Module
    discriminator: nn.Module | None
    layout: Layout
    x: Tensor
    """Pictures of the domain that is translated: [n, c, h, w] in [-1, 1]."""
    y: Tensor | None
    """Pictures of the domain that is translated to; None: there are none."""
    translated: Tensor
    """G(x) of the original."""
    patches: Tensor | None
    """D(G(x)) of the original: patch maps [n, 1, h', w']; None without a discriminator."""
    norms: Mapping[str, list[Spread]]
    """What the original's batch norms see."""


@dataclass(frozen=True, slots=True)
class _Alone:
    """What depends on a genome alone."""

    translated: Tensor
    """Ĝ(x): [n, c, h, w]."""
    L_DisA: float
    L_GenA: float
    L_idt: float

    def beside(self, L_cyc: float) -> Row:
        """All terms, with the one that depends on the partner."""
        return self.L_DisA, self.L_GenA, L_cyc, self.L_idt


@dataclass(frozen=True, slots=True)
class _Network:
    """A generator as it is scored."""

    placed: nn.Module
    """On the device, in the precision of scores."""
    whole: nn.Module | None = None
    """The same in float32, for the tuner; None without one."""


class LocalScorer(MemoScorer):
    """A `Scorer` for one device."""

    def __init__(
        self,
        inputs: ScoringInputs,
        on_scored: Callable[[], object] = nobody,
        reporter: Reporter = SILENT,
    ) -> None:
        """Compute everything about the originals, or read it from the cache. The networks are copied.

        on_scored: called after every individual, to show progress. reporter: is warned where memory runs out,
        see `Batches`.

        Raises `CheckpointError` for networks of other channels than the pictures', `UsageError` for pictures
        too small for a discriminator.
        """
        super().__init__(on_scored)
        settings, layouts, pictures = inputs.settings, inputs.layouts, inputs.pictures
        generators, discriminators = inputs.generators, inputs.discriminators
        _check_fit(inputs)
        self.settings, self._layouts, self._tuner = settings, layouts, inputs.tuner
        self._batches = Batches(settings.batch, reporter)
        dtype = torch.bfloat16 if settings.precision == "bfloat16" else torch.float32
        self._device, self._dtype = torch.device(settings.device), dtype
        self._on_cpu = self._device.type == "cpu"
        x: dict[Domain, Tensor] = {
            side: self._laid_out(to_float(part).to(self._device, dtype)) for side, part in pictures.items()
        }
        self._originals = dict(generators)
        """As given: float32."""
        self._generators = {side: self._place(generator) for side, generator in generators.items()}
        self._halves = dict[Domain, _Half]()
        for side, layout in layouts.items():
            G = self._generators[side]
            D = self._place(discriminators[side]) if side in discriminators else None
            file = None if inputs.cache is None else inputs.cache / f"original_{side}.safetensors"
            setting = f"channels-last, batch {settings.batch}, {torch.get_num_threads()} threads"
            translated, patches = original_outputs(G, D, x[side], self._run, setting, file)
            norms = self._seen_by_norms(G, x[side])
            self._halves[side] = _Half(G, D, layout, x[side], x.get(OTHER[side]), translated, patches, norms)
        self._grams = dict[Domain, dict[str, Gram]]()
        for side in layouts if settings.refit else ():
            exact = to_float(inputs.gram_pictures[side]).to(self._device)
            original = copy.deepcopy(generators[side]).to(self._device)
            file = None if inputs.cache is None else inputs.cache / grams_file(side)
            self._originals[side] = original
            self._grams[side] = original_grams(original, layouts[side].graph, exact, file)
        self._known: dict[Domain, dict[tuple[bytes, bytes], _Alone]] = {side: {} for side in DOMAINS}
        """By genome, and by the partner that it was fine-tuned beside; empty: it was not."""
        self._partners = dict[Domain, tuple[bytes, _Network]]()
        """The last partner of each side that is scored, and its key."""

    def computed(
        self, side: Domain, missing: Collection[bytes], population: Collection[bytes], partner: bytes
    ) -> Iterator[tuple[bytes, Row]]:
        """See `MemoScorer.computed`. What is kept of genomes outside the population is dropped."""
        half, back = self._halves[side], self._partner(side, partner)
        self._known[side] = {key: known for key, known in self._known[side].items() if key[0] in population}
        for key in missing:
            alone = self._alone(side, key, partner if self._tuner else b"", back)
            yield key, alone.beside(self._cycle(half, back and back.placed, alone.translated))

    def controls(self, side: Domain) -> Scores:
        """The terms of the original itself and of a network that returns its input: float64 [2] each.

        Beside the original partner. They tell which scores are worse than doing nothing.
        """
        half, back = self._halves[side], self._generators.get(OTHER[side])
        rows: list[Row] = []
        unchanged = in_channels(half.x, half.translated.shape[1])
        for made, network in ((half.translated, half.generator), (unchanged, None)):
            alone = self._terms(half, made, network)  # what returns its input has no L_idt
            rows.append(alone.beside(self._cycle(half, back, made)))
        return Scores.of(rows)

    def _cycle(self, half: _Half, back: nn.Module | None, made: Tensor) -> float:
        """L_cyc of what was made of ``half.x``, by the network that translates back."""
        if back is None or not self.settings.cycle:
            return 0.0
        return l_cyc(self._run(back, made), half.x, self.settings.reduction)

    def _partner(self, side: Domain, key: bytes) -> _Network | None:
        """The generator that translates back; one that was built for the last call is not built again."""
        if (other := OTHER[side]) not in self._generators or not (self.settings.cycle or self._tuner):
            return None
        if not key:
            return self._original(other)
        if self._partners.get(side, (b"", None))[0] != key:
            # Beside the original, so that a score depends on two genomes, not on all partners before them.
            self._partners[side] = key, self._network(other, key, self._original(side), key)
        return self._partners[side][1]

    def _original(self, side: Domain) -> _Network:
        return _Network(self._generators[side], self._originals.get(side))

    def _network(self, side: Domain, key: bytes, partner: _Network | None, name: bytes) -> _Network:
        """The slim network of a genome, fine-tuned beside its partner where there is a tuner."""
        genome = genome_of(key, self._layouts[side].length)
        if self._tuner is None:
            return _Network(self._slim(side, genome))
        assert partner is not None
        assert partner.whole is not None
        tuned = self._tuner(side, self._cut(side, genome), partner.whole, name.hex())
        return _Network(self._place(tuned), tuned)

    def _alone(self, side: Domain, key: bytes, tuned_beside: bytes, partner: _Network | None) -> _Alone:
        """What depends on one genome alone; computed where it is not known."""
        known = self._known[side].get((key, tuned_beside))
        if known is None:
            half = self._halves[side]
            slim = self._network(side, key, partner, key + tuned_beside).placed
            known = self._terms(half, self._run(slim, half.x), slim)
            self._known[side][key, tuned_beside] = known
        return known

    def _terms(self, half: _Half, translated: Tensor, network: nn.Module | None) -> _Alone:
        """The terms of what a network made of ``half.x``."""
        reduction, seen, same = self.settings.reduction, 0.0, 0.0
        if half.discriminator is not None and half.patches is not None:
            together = discriminator_input(half.discriminator, half.x, translated)
            seen = l_disa(half.patches, self._run(half.discriminator, together), reduction)
        if self.settings.identity and half.y is not None and network is not None:
            same = l_idt(self._run(network, half.y), half.y, reduction)
        near = l_gena(half.translated, translated, reduction, self.settings.gena_mean)
        return _Alone(translated, seen, near, same)

    def _cut(self, side: Domain, genome: Tensor) -> nn.Module:
        """The slim network in float32, refitted where the settings say so."""
        original, layout = self._originals[side], self._layouts[side]
        if side in self._grams:
            return refitted_from(self._grams[side], original, layout, genome)
        return rebuilt(original, layout, genome)

    def _slim(self, side: Domain, genome: Tensor) -> nn.Module:
        """The slim network; one of batch norm with statistics that follow the original's."""
        half = self._halves[side]
        if side in self._grams:
            slim = self._cut(side, genome).to(self._dtype)
        else:  # of the placed original, which is already of the right precision and on the device
            slim = rebuilt(self._generators[side], self._layouts[side], genome)
        slim = channels_last(slim) if self._on_cpu else slim
        with reproducible():
            self._batches.attempt(lambda n: following(slim, half.layout, genome, half.norms, half.x.split(n)))
        return slim

    def _seen_by_norms(self, original: nn.Module, x: Tensor) -> dict[str, list[Spread]]:
        with reproducible():
            return self._batches.attempt(lambda n: seen_by_norms(original, x.split(n)))

    @torch.inference_mode()
    def _run(self, net: nn.Module, x: Tensor) -> Tensor:
        with reproducible():
            return self._batches.attempt(lambda n: torch.cat([net(part) for part in x.split(n)]))

    def _place(self, net: _Net) -> _Net:
        placed = copy.deepcopy(net).to(self._device, self._dtype)
        return channels_last(placed) if self._on_cpu else placed

    def _laid_out(self, pictures: Tensor) -> Tensor:
        return pictures.contiguous(memory_format=torch.channels_last) if self._on_cpu else pictures


def _check_fit(inputs: ScoringInputs) -> None:
    networks = {f"G_{side}": net for side, net in inputs.generators.items()}
    networks |= {f"D_{side}": net for side, net in inputs.discriminators.items()}
    try:
        seen = channels_by_domain(networks)
    except ValueError as error:
        raise CheckpointError(f"{error}; give networks that fit together") from None
    for domain, pictures in inputs.pictures.items():
        if seen.get(domain, pictures.shape[1]) != pictures.shape[1]:
            raise CheckpointError(
                f"pictures of {domain} need {seen[domain]} channels for these networks, found "
                f"{pictures.shape[1]}; give others, or networks for such pictures"
            )
    least = max((smallest_picture(net) for net in inputs.discriminators.values()), default=0)
    size = min(side for pictures in inputs.pictures.values() for side in pictures.shape[2:])
    if size < least:
        raise UsageError(
            f"a discriminator needs pictures of at least {least} pixels, found {size}; give a larger --size"
        )
