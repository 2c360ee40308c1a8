"""Measures what the layers of a generator take in ONNX Runtime on this machine, once: the rest is looked up.

Times are those of ONNX Runtime's CPUExecutionProvider in one thread, one picture a run, in a graph of the
exported operators after all rewrites. They are kept in a cache folder, one file for each machine, runtime,
size and widths.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from ganprune.models.cyclegan import GeneratorWidths, Norm
from ganprune.pruning.latency import KINDS, Axis, Kind, LatencyTable, Piece, kind_of
from ganprune.reporting import SILENT, Reporter
from ganprune.storage.caches import cache_folder
from ganprune.storage.files import write_atomically
from ganprune.storage.scratch import scratch_folder
from ganprune_exporters.passes import apply
from ganprune_exporters.passes.names import CHOICES, DEFAULT
from ganprune_exporters.settings import ExportSettings

if TYPE_CHECKING:
    from onnx import ModelProto

    from ganprune_exporters.layer_graphs import ConvLayer

PASSES, RUNS = 4, 3
"""How often every layer is loaded, and run each time. The least time counts: noise only adds to it."""
TOGETHER = 8
"""Layers that are loaded at a time and run in turns, so that none finds its weights in a cache."""
WIDE = CHOICES["winograd"][0]
"""Channels from which on an export computes the trunk's convolutions by Winograd's filtering."""
WINOGRAD = f"winograd={WIDE}"
Case = tuple["ConvLayer", tuple[str, ...]]
"""What is timed: a layer, and the rewrites that its graph goes through."""
FINE = 4
"""Blocks of filters that are measured at their first and at their last: norms are not done in blocks, and
where there are few filters, norms weigh."""


@dataclass(frozen=True, slots=True)
class Blocking:
    """How the runtime groups the channels of a convolution on this machine."""

    block: int
    """Channels that are computed together; 1: it does not group them."""
    granule: int
    """Inputs beyond one block are grouped where they are a multiple of this."""


def latency_table(
    widths: GeneratorWidths, norm: Norm, size: int, reporter: Reporter = SILENT
) -> LatencyTable:
    """The table for a generator and whatever is cut from it: from the cache, or measured now and put there.

    size: height and width of the pictures, pixels. Takes about a minute for 64 filters and 256 pixels.
    """
    known = known_table(widths, norm, size)
    if known is not None:
        return known
    table = measured(widths, norm, size, reporter)
    path = _cache_file(table.made_for)
    try:
        write_atomically(path, json.dumps(table.to_json()).encode(), over="any")
    except OSError as error:
        reporter.warn(f"{path} cannot be written ({error.strerror}); the next run will measure once more")
    return table


def known_table(widths: GeneratorWidths, norm: Norm, size: int) -> LatencyTable | None:
    """The table from the cache; None where it was never measured, or its file is damaged."""
    made_for = _made_for(widths, norm, size, blocking())
    try:
        table = LatencyTable.from_json(json.loads(_cache_file(made_for).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None
    return table if table.made_for == made_for else None


def _cache_file(made_for: Mapping[str, Any]) -> Path:
    digest = sha256(json.dumps(made_for, sort_keys=True).encode()).hexdigest()
    return cache_folder() / f"latency-{digest[:16]}.json"


def _made_for(widths: GeneratorWidths, norm: Norm, size: int, grouped: Blocking) -> dict[str, Any]:
    from ganprune.bench import this_machine

    machine = this_machine()
    most = asdict(widths) | {"inner": max(widths.inner, default=1)}
    on = {"cpu": machine.cpu, "onnxruntime": machine.onnxruntime, "threads": 1, **asdict(grouped)}
    on |= {"passes": list(DEFAULT)}
    return on | {"size": size, "norm": norm, "widths": most}


def measured(widths: GeneratorWidths, norm: Norm, size: int, reporter: Reporter = SILENT) -> LatencyTable:
    """Time every kind of layer up to ``widths`` at the points of its grid."""
    from ganprune_exporters.layer_graphs import layers_of

    grouped = blocking()
    one_block = replace(widths, inner=(max(widths.inner, default=1),))
    widest: dict[Kind, ConvLayer] = {kind_of(layer.conv): layer for layer in layers_of(one_block, norm)}
    grids = {kind: list(grids_of(widest[kind], grouped)) for kind in KINDS}
    cases = {
        (kind, _passes(inputs), i, f): (replace(widest[kind], inputs=i, filters=f), _passes(inputs))
        for kind in KINDS
        for inputs, filters in grids[kind]
        for i in inputs.points
        for f in filters.points
    }
    times = dict(zip(cases, time_layers(list(cases.values()), size, reporter), strict=True))

    def piece(kind: Kind, inputs: Axis, filters: Axis) -> Piece:
        ms = [[times[kind, _passes(inputs), i, f] for f in filters.points] for i in inputs.points]
        return Piece(inputs, filters, np.array(ms))

    pieces: dict[Kind, tuple[Piece, ...]] = {
        kind: tuple(piece(kind, *axes) for axes in grids[kind]) for kind in KINDS
    }
    return LatencyTable(_made_for(widths, norm, size, grouped), pieces)


def _passes(inputs: Axis) -> tuple[str, ...]:
    """The rewrites of layers of these inputs: `WINOGRAD` is for those of its own piece."""
    return DEFAULT if inputs.least > 1 else tuple(spec for spec in DEFAULT if spec != WINOGRAD)


def grids_of(widest: "ConvLayer", grouped: Blocking) -> Iterator[tuple[Axis, Axis]]:
    """Inputs and filters to measure a kind of layer at, given its widest: a pair for each piece.

    Grouped convolutions are a flight of stairs over both; transposed ones are four of them after their
    rewrite. Where inputs cannot be grouped, and by Winograd's filtering, times are smooth. The picture's
    channels are never pruned.
    """
    conv, block = widest.conv, grouped.block
    if kind_of(conv) in ("inner", "residual") and min(widest.inputs, widest.filters) >= WIDE:
        wide, high = (Axis(_up_to(most, {WIDE}), least=WIDE) for most in (widest.inputs, widest.filters))
        yield wide, high
    filters = Axis((widest.filters,)) if conv.target is None else _stairs(widest.filters, block)
    smooth = filters if conv.target is None else _smooth(widest.filters, between=True)
    if conv.source is None:
        yield Axis((widest.inputs,)), filters
    elif block == 1:
        yield _smooth(widest.inputs, between=False), smooth
    else:
        yield _stairs_of_inputs(widest.inputs, grouped), filters
        others = _ungrouped(widest.inputs, grouped)
        if others:
            yield Axis(others), smooth


def _stairs(most: int, block: int) -> Axis:
    """Filters: both ends of the first stairs, the ends of all up to the 16th, then of every fourth."""
    fine = {c for n in range(FINE) for c in (block * n + 1, block * (n + 1))}
    ends = {block * n for n in range(1, most // block + 1) if n <= 16 or n % 4 == 0}
    return Axis(_up_to(most, fine | ends), block, block * FINE)


def _stairs_of_inputs(most: int, grouped: Blocking) -> Axis:
    """Inputs that are grouped: one, and the ends of stairs in doubling steps."""
    block, granule = grouped.block, grouped.granule
    last = most if most <= block else most // granule * granule
    return Axis(_up_to(last, {1} | {block * 2**k for k in range(most.bit_length())}), block, block, granule)


def _ungrouped(most: int, grouped: Blocking) -> tuple[int, ...]:
    """Inputs that are not grouped, in doubling steps."""
    there = [c for c in range(grouped.block + 1, most + 1) if c % grouped.granule]
    doubled = {grouped.block * 2**k + 1 for k in range(most.bit_length())}
    return _up_to(there[-1], doubled & set(there)) if there else ()


def _smooth(most: int, between: bool) -> Axis:
    """Doubling steps from 8 on, or two a doubling."""
    doubled = {n * 2**k for k in range(3, most.bit_length()) for n in ((2, 3) if between else (2,))}
    return Axis(_up_to(most, {1, 8} | doubled))


def _up_to(most: int, points: set[int]) -> tuple[int, ...]:
    return tuple(sorted({*(p for p in points if p < most), most}))


def blocking() -> Blocking:
    """Find out how ONNX Runtime groups channels here, from the graphs that it makes of small convolutions."""
    block = _block_of(1)
    steps = (step for step in (1, 2, 4, 8, 16) if _block_of(block + step) > 1)
    return Blocking(block, next(steps, block)) if block > 1 else Blocking(1, 1)


def _block_of(inputs: int) -> int:
    """Filters that the weights of a convolution with one filter are padded to."""
    import onnx

    from ganprune_exporters.layer_graphs import ConvLayer, layer_graph, layers_of

    last: ConvLayer = layers_of(GeneratorWidths(1, 1, 1, (), 1, 1))[-1]
    model = layer_graph(replace(last, inputs=inputs, filters=1), 16)
    with scratch_folder() as folder:
        optimized = folder / "optimized.onnx"
        _session(model, optimized)
        graph = onnx.load(optimized).graph
    filters = {tensor.name: tensor.dims[0] for tensor in graph.initializer}
    return next((filters[n.input[1]] for n in graph.node if n.op_type == "Conv" and "nchwc" in n.domain), 1)


def time_layers(cases: "Sequence[Case]", size: int, reporter: Reporter = SILENT) -> list[float]:
    """Milliseconds of a run of each layer alone: the least of several, far apart in time."""
    order = np.random.default_rng(0).permutation(len(cases)).tolist()
    least = [float("inf")] * len(cases)
    with reporter.task("measuring this machine", PASSES * len(cases)) as task:
        for start in [*range(0, len(cases), TOGETHER)] * PASSES:
            runs = {i: _loaded(exported_layer(cases[i], size)) for i in order[start : start + TOGETHER]}
            for _ in range(RUNS):
                for i, run in runs.items():
                    least[i] = min(least[i], run())
            task.advance(len(runs))
    return least


def exported_layer(case: Case, size: int) -> "ModelProto":
    """The graph of one layer as `ganprune_exporters.export_onnx` writes it."""
    layer, passes = case
    from ganprune_exporters.chain import rewritten
    from ganprune_exporters.layer_graphs import layer_graph
    from ganprune_exporters.steps import INFER_SHAPES

    model, _ = apply(INFER_SHAPES, layer_graph(layer, size))
    return rewritten(model, ExportSettings(size, passes=passes))[0]


def _session(model: "ModelProto", optimized: Path | None = None) -> Any:
    """The model in the runtime, with one thread; ``optimized``: where to write what became of it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what goes wrong is raised, not logged
    if optimized is not None:
        options.optimized_model_filepath = str(optimized)
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _loaded(model: "ModelProto") -> Callable[[], float]:
    """A function that runs the model once and returns milliseconds; its maps are allocated beforehand."""
    from onnxruntime import OrtValue

    from ganprune_exporters.layer_graphs import noise

    session = _session(model)
    binding = session.io_binding()
    inputs = {end.name: OrtValue.ortvalue_from_numpy(noise(end.shape)) for end in session.get_inputs()}
    for name, value in inputs.items():
        binding.bind_ortvalue_input(name, value)
    (end,) = session.get_outputs()
    output = OrtValue.ortvalue_from_numpy(np.zeros(end.shape, np.float32))
    binding.bind_ortvalue_output(end.name, output)
    bound = binding, inputs, output  # older runtimes keep no value alive that they are bound to

    def run() -> float:
        binding = bound[0]
        start = perf_counter()
        session.run_with_iobinding(binding)
        return (perf_counter() - start) * 1000

    return run
