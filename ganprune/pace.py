"""How long this machine takes for the parts that a job is made of: each is done once and timed.

A part is done as the job does it, on zeros or noise in place of a picture: times depend on shapes alone.
"""

import copy
import math
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from ganprune.models.channels_last import channels_last
from ganprune.models.traits import channels_of
from ganprune.pruning.genome import Layout
from ganprune.pruning.rebuild import rebuilt
from ganprune.pruning.repair import Constraints, Repairer
from ganprune.refit import Gram, grams, refitted, refitted_from
from ganprune.refit.surgeon import MEASURED, readers_of, removal_of, work_of
from ganprune.reporting import Silent, Task
from ganprune.settings import CompressSettings
from ganprune.stages.job import Resolved
from ganprune.system.device import cpu_threads

QUIET = 0.85  # share of a core's time that one thread gets on an idle machine, at least
BETTER = 0.85  # one thread is taken where it needs less than this share of what all of them need
TRACES = 2  # passes through the original that a refit begins with, however many pictures it sees
SPECIMEN = 2304.0**3
"""Work of weighing a gene, see `work_of`, that takes about a second; smaller ones are less efficient."""
TYPICAL = 0.25  # share of the arithmetic where no target says how much is kept: that of coin flips


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds that the parts of one direction's work take."""

    original: float  # one picture through the original, as individuals are scored
    slim: float  # the same through a slim network on target
    judge: float  # one picture through the discriminator; 0 without one
    exact: float  # one picture through the original in float32
    gram: float  # Gram matrices of the original, a picture
    cut: float  # one individual, cut and refitted from Gram matrices
    weigh: float  # what it costs to do without each filter, all layers
    refit: float  # the final refit, a picture

    @property
    def exact_slim(self) -> float:
        """One picture through the slim network in float32."""
        return self.exact * self.slim / self.original


def pace_of(
    original: nn.Module, judge: nn.Module | None, constraints: Constraints, layout: Layout,
    settings: CompressSettings, resolved: Resolved,
) -> Pace:  # fmt: skip
    """Times one network and a slim one, a few seconds for a full-size one. Nothing is written."""
    clock, size, refits = (
        partial(_timed, resolved.device),
        settings.pictures.size,
        settings.tuning.refit_pictures,
    )
    channels, _ = channels_of(original)
    with cpu_threads(resolved.scoring_threads):
        slim, genome = _typical(original, layout, constraints)
        forward, short = (passes(net, channels, size, resolved)[0] for net in (original, slim))
        seen = 0.0 if judge is None else passes(judge, channels_of(judge)[0], size, resolved)[0]
        x = torch.randn(1, channels, size, size, generator=torch.Generator().manual_seed(0))
        x, net = x.to(resolved.device), copy.deepcopy(original).float().eval().to(resolved.device)
        exact = forward
        if resolved.precision != "float32":
            with torch.inference_mode():
                exact = clock(lambda: net(x))
        gram = cut = weigh = refit = 0.0
        if refits or settings.search.refit:
            between = _Between()
            found = grams(net, layout.graph, [x, x], reporter=between)
            gram = between.last
            cut = clock(lambda: refitted_from(found, net, layout, genome))
            weigh = _weighing(net, layout, found, resolved.device) + MEASURED * len(layout.blocks) * exact
        if refits:
            units = layout.units(genome)
            refit = clock(lambda: refitted(slim.float().to(resolved.device), net, units, [x]))
    return Pace(forward, short, seen, exact, gram, cut, weigh, max(refit - cut - TRACES * exact, refit / 4))


def _typical(original: nn.Module, layout: Layout, constraints: Constraints) -> tuple[nn.Module, Tensor]:
    """A slim network as the search looks at, and its genome: of equal shares, brought to the target."""
    share = constraints.share or TYPICAL
    genome = torch.cat([torch.arange(n) < max(1, round(n * share**0.5)) for n in layout.sizes])
    if constraints.target_ms is None and not constraints.aimless:
        genome = Repairer(layout, constraints)(genome[None], torch.Generator().manual_seed(0))[0]
    return rebuilt(original, layout, genome), genome


def _weighing(net: nn.Module, layout: Layout, found: dict[str, Gram], device: str) -> float:
    """`ganprune.refit.removals`, by the gene of nearest to `SPECIMEN` work, and how the others' compares."""
    work = {gene: work_of(layout, found, gene) for gene in layout.genes}
    if not any(work.values()):
        return 0.0
    gene = min((gene for gene in work if work[gene]), key=lambda gene: abs(math.log(work[gene] / SPECIMEN)))
    size = layout.sizes[list(layout.genes).index(gene)]
    one = _timed(device, lambda: removal_of(readers_of(net, layout, found, gene, size), size, least=1))
    return one * sum(work.values()) / work[gene]


class _Between(Silent):
    """A reporter that times the last step of a task: the first one makes room besides."""

    def __init__(self) -> None:
        self.last = 0.0

    @contextmanager
    def task(self, title: str, total: int, done: int = 0) -> Generator[Task]:
        """See `ganprune.reporting.Reporter.task`."""
        self._before = time.perf_counter()
        yield self

    def advance(self, steps: int = 1, **figures: float | str) -> None:
        """See `ganprune.reporting.Task.advance`."""
        now = time.perf_counter()
        self.last, self._before = now - self._before, now


def _timed(device: str, call: Callable[[], object]) -> float:
    """Seconds that a call takes, until the device is done."""
    started = time.perf_counter()
    call()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter() - started


@torch.inference_mode()
def passes(net: nn.Module, channels: int, size: int, resolved: Resolved) -> tuple[float, float]:
    """Seconds a picture, the better of two batches after one that warms up; and the share of its threads'
    time that this program got meanwhile: on an idle machine nearly all, and little if they wait for others.
    """
    dtype = torch.bfloat16 if resolved.precision == "bfloat16" else torch.float32
    twin = copy.deepcopy(net).eval().to(resolved.device, dtype)
    x = torch.zeros(resolved.batch, channels, size, size, device=resolved.device, dtype=dtype)
    if resolved.device == "cpu":
        twin, x = channels_last(twin), x.contiguous(memory_format=torch.channels_last)
    clock = partial(_timed, resolved.device)
    with cpu_threads(resolved.scoring_threads):
        clock(lambda: twin(x))
        before = time.process_time()
        times = [clock(lambda: twin(x)) for _ in range(2)]
        got = (time.process_time() - before) / sum(times) / resolved.scoring_threads
    return min(times) / resolved.batch, got
