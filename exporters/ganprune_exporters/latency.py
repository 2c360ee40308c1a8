"""Measures what the parts of a network take in ONNX Runtime on this machine, once: the rest is looked up.

Times are those of ONNX Runtime's CPUExecutionProvider in one thread, one picture a run, of graphs cut from
the exported one after all rewrites. They are kept in a cache folder, one file for each machine, runtime, size
and network, whatever its weights are.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from ganprune.channels import graph_of, tape_of
from ganprune.onnx_files.sessions import session_of
from ganprune.pruning.latency import ALWAYS, Axis, Channels, LatencyTable, Piece, TimedPart, predicted
from ganprune.reporting import SILENT, Reporter
from ganprune.storage.caches import cache_folder
from ganprune.storage.files import write_atomically
from ganprune.storage.scratch import scratch_folder
from ganprune_exporters.opsets import TRACED
from ganprune_exporters.passes import apply, rewrite
from ganprune_exporters.passes.names import CHOICES, DEFAULT
from ganprune_exporters.settings import ExportSettings

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto

    from ganprune_exporters import elastic
    from ganprune_exporters.elastic import Amount, Counts, Elastic

clock = time.perf_counter if os.name == "nt" else time.thread_time
"""The runtime's one thread is the caller's, so what other programs take of its core does not count; Windows
counts threads' time in steps that are too coarse."""
PASSES, RUNS = 2, 4
"""How often every graph is loaded, and run each time. The least time counts: noise only adds to it."""
TOGETHER = 8  # graphs that are loaded at a time and run in turns, so that none finds its weights in a cache
WHOLE = (16, 8, 4, 2, 1)  # shares of the filters, one over this, that whole networks are measured with
WIDE = CHOICES["winograd"][0]
"""Channels from which on an export computes 3×3 convolutions by Winograd's filtering."""
WINOGRAD, LAST = f"winograd={WIDE}", DEFAULT[1]
FINE = 4
"""Blocks of filters that are measured at their first and at their last: norms are not done in blocks, and
where there are few filters, norms weigh."""
STEPS = (1, 2, 4, 8, 16, 32)  # what a runtime may want numbers of channels to be multiples of

Made = Callable[[], "ModelProto"]  # makes a graph, as exported; it is large, and made when its turn comes


def latency_table(network: nn.Module, size: int, reporter: Reporter = SILENT) -> LatencyTable:
    """The table for a generator and whatever is cut from it: from the cache, or measured now and put there.

    size: height and width of the pictures, pixels. Takes about a minute for 64 filters and 256 pixels.
    A network that is exported as another graph at other widths is measured as a whole, with a note.
    """
    known = known_table(network, size)
    if known is not None:
        return known
    made_for = _made_for(network, size)
    try:
        table = measured(network, size, made_for, reporter)
    except Exception as error:  # of the exporter, of ONNX and of its runtime, which have no common base
        reason = " ".join(str(error).split()) or type(error).__name__
        reporter.warn(
            f"milliseconds are predicted by counting: this network cannot be measured in parts ({reason})"
        )
        return by_counting(network, size, made_for)
    path = _cache_file(made_for)
    try:
        write_atomically(path, json.dumps(table.to_json()).encode(), over="any")
    except OSError as error:
        reporter.warn(f"{path} cannot be written ({error.strerror}); the next run will measure once more")
    return table


def known_table(network: nn.Module, size: int) -> LatencyTable | None:
    """The table from the cache; None where it was never measured, or its file is damaged."""
    made_for = _made_for(network, size)
    try:
        table = LatencyTable.from_json(json.loads(_cache_file(made_for).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None
    return table if table.made_for == made_for else None


def _cache_file(made_for: Mapping[str, Any]) -> Path:
    digest = sha256(json.dumps(made_for, sort_keys=True).encode()).hexdigest()
    return cache_folder() / f"latency-{digest[:16]}.json"


def _made_for(network: nn.Module, size: int) -> dict[str, Any]:
    from ganprune.bench import this_machine

    machine, told = this_machine(), list[Any]()
    for call in tape_of(network).calls:
        told.append((call.name, call.module, call.shapes, _told(call.args), _told(call.kwargs)))
    told.append([(name, tuple(tensor.shape)) for name, tensor in network.state_dict().items()])
    return {
        "cpu": machine.cpu, "onnxruntime": machine.onnxruntime, "threads": 1, "block": block(),
        "passes": list(DEFAULT), "size": size, "network": sha256(repr(told).encode()).hexdigest(),
    }  # fmt: skip


def _told(given: Any) -> Any:
    """Arguments of a call, tensors by their shapes: values of weights change nothing."""
    from torch import Tensor
    from torch.fx.node import map_aggregate

    return map_aggregate(given, lambda leaf: tuple(leaf.shape) if isinstance(leaf, Tensor) else leaf)


def measured(
    network: nn.Module, size: int, made_for: Mapping[str, Any], reporter: Reporter = SILENT
) -> LatencyTable:
    """Time every kind of part at the points of its grid, and whole networks of several widths.

    Raises `NotElastic` for a network whose exports at other widths are other graphs.
    """
    from ganprune_exporters.elastic import Elastic

    exported, groups = Elastic(network, ExportSettings(size)), [*graph_of(network).sizes]
    kinds = {part.kind: part for part in reversed(exported.parts)}
    grids = {kind: [*grids_of(exported, part)] for kind, part in kinds.items()}
    cases: dict[tuple[Any, ...], Made] = {
        (kind, inputs.least, i, f): partial(_part, exported, kinds[kind], i, f, wide=inputs.least > 1)
        for kind, axes in grids.items()
        for inputs, filters in axes
        for i in inputs.points
        for f in filters.points
    }
    counts = np.unique([(exported.sizes // over).clip(1) for over in WHOLE], axis=0)
    cases |= {(i,): partial(_whole, exported, row) for i, row in enumerate(counts)}
    times = dict(zip(cases, time_models(list(cases.values()), reporter), strict=True))

    def piece(kind: str, inputs: Axis, filters: Axis) -> Piece:
        ms = [[times[kind, inputs.least, i, f] for f in filters.points] for i in inputs.points]
        return Piece(inputs, filters, np.array(ms))

    def channels(amount: "Amount") -> Channels:
        return {group: n for group, n in zip((*groups, ALWAYS), amount.tolist(), strict=True) if n}

    table = LatencyTable(
        made_for,
        tuple(TimedPart(part.kind, channels(part.inputs), channels(part.filters)) for part in exported.parts),
        {kind: tuple(piece(kind, *axes) for axes in found) for kind, found in grids.items()},
    )
    sums = [predicted(table, dict(zip(groups, row, strict=True))) for row in counts.tolist()]
    whole = np.maximum.accumulate([(total, times[i,]) for i, total in enumerate(sums)])
    return replace(table, whole=tuple((total, ms) for total, ms in whole.tolist()))


def by_counting(network: nn.Module, size: int, made_for: Mapping[str, Any]) -> LatencyTable:
    """Time the network as a whole alone; see `LatencyTable.by_work`."""
    from ganprune_exporters import chain, verify

    settings = ExportSettings(size)

    def exported() -> "ModelProto":
        plain, _ = chain.plain(verify.reference(network, settings), settings)
        return chain.rewritten(plain, settings)[0]

    return LatencyTable.by_work(graph_of(network), time_models([exported])[0], made_for)


def _whole(exported: "Elastic", counts: "Counts") -> "ModelProto":
    return _rewritten(exported.model(counts), DEFAULT)


def _part(
    exported: "Elastic", part: "elastic.Section", inputs: int, filters: int, *, wide: bool = False
) -> "ModelProto":
    """A part after the rewrites of an export; `WINOGRAD` is for those of its own piece."""
    left_out = {*(() if wide else (WINOGRAD,)), *(() if part.ends else (LAST,))}
    model = exported.model(exported.counts(part, inputs, filters), part)
    return _rewritten(model, tuple(spec for spec in DEFAULT if spec not in left_out))


def _rewritten(model: "ModelProto", passes: tuple[str, ...]) -> "ModelProto":
    for spec in passes:
        model, _ = apply(rewrite(spec), model)
    return model


def grids_of(exported: "Elastic", part: "elastic.Section") -> Iterator[tuple[Axis, Axis]]:
    """Inputs and filters to measure a kind of part at: a pair for each piece.

    Where the runtime computes convolutions in blocks of channels, time jumps from block to block; elsewhere,
    and for convolutions in Winograd's form, it changes smoothly and fewer points suffice.
    """
    most, high = exported.reach(part.kind)
    inputs_vary, filters_vary = part.reads.any(), part.filters[:-1].any()

    def blocked(inputs: int, filters: int) -> bool:
        return _blocked(_part(exported, part, inputs, filters))

    if rewrite(WINOGRAD).why_not(exported.model(exported.counts(part, most, high), part)) is None:
        yield Axis(_up_to(most, {WIDE}), least=WIDE), Axis(_up_to(high, {WIDE}), least=WIDE)
    if not inputs_vary:
        columns = _split(high, lambda n: blocked(most, n)) if filters_vary else [Axis((high,))]
        yield from ((Axis((most,)), filters) for filters in columns)
        return
    for inputs in _split(most, lambda n: blocked(n, block())):
        smooth = _smooth(high) if inputs.block == 1 else _stairs(high)
        yield inputs, smooth if filters_vary else Axis((high,))


def _split(most: int, is_blocked: Callable[[int], bool]) -> list[Axis]:
    """Numbers of channels that are computed in blocks, and all others, in doubling steps."""
    size = block()
    granule = next((step for step in STEPS if is_blocked(size + step)), None) if size > 1 else None
    if granule is None:
        return [_smooth(most)]
    if granule == 1:
        return [_stairs(most)]
    few, doubled = size if is_blocked(1) else 0, {size * 2**k for k in range(most.bit_length())}
    served = [n for n in range(1, most + 1) if n <= few or n % granule == 0]
    others = [n for n in range(1, most + 1) if not (n <= few or n % granule == 0)]
    found = list[Axis]()
    if served:
        found.append(Axis(_up_to(served[-1], {1, *doubled} & {*served}), size, few, granule, few))
    if others:
        found.append(Axis(_up_to(others[-1], {1, *(n + 1 for n in doubled)} & {*others})))
    return found


def _stairs(most: int) -> Axis:
    """Both ends of the first stairs, and the ends of some of the others."""
    size = block()
    fine = {n for i in range(FINE) for n in (size * i + 1, size * (i + 1))}
    ends = {size * n * 2**k for n in (2, 3) for k in range(most.bit_length())}
    return Axis(_up_to(most, fine | ends), size, size * FINE)


def _smooth(most: int) -> Axis:
    """Doubling steps from 8 on."""
    return Axis(_up_to(most, {1} | {2**k for k in range(3, most.bit_length())}))


def _up_to(most: int, points: set[int]) -> tuple[int, ...]:
    return tuple(sorted({*(p for p in points if p < most), most}))


@cache
def block() -> int:
    """How many channels of a convolution ONNX Runtime computes together here; 1: it does not group them."""
    import onnx

    pixel = "g (float[1, 1, 8, 8] x) => (float[1, 1, 8, 8] y) <float[1, 1, 1, 1] w = {1}> { y = Conv (x, w) }"
    graph = _optimized(onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : {TRACED}]> {pixel}'))
    filters = {tensor.name: tensor.dims[0] for tensor in graph.initializer}
    return next((filters[node.input[1]] for node in graph.node if node.op_type == "Conv"), 1)


def _blocked(model: "ModelProto") -> bool:
    return any(node.op_type == "Conv" and "nchwc" in node.domain for node in _optimized(model).node)


def _optimized(model: "ModelProto") -> "GraphProto":
    """The graph that the runtime makes of a model on this machine."""
    import onnx

    with scratch_folder() as folder:
        path = folder / "optimized.onnx"
        session_of(model, 1, path)
        return onnx.load(path).graph


def time_models(models: Sequence[Made], reporter: Reporter = SILENT) -> list[float]:
    """Milliseconds of a run of each graph alone: the least of several, far apart in time."""
    order = np.random.default_rng(0).permutation(len(models)).tolist()
    least = [float("inf")] * len(models)
    with reporter.task("measuring this machine", PASSES * len(models)) as task:
        for _ in range(PASSES):
            for start in range(0, len(order), TOGETHER):
                runs = {i: _loaded(models[i]()) for i in order[start : start + TOGETHER]}
                for _ in range(RUNS):
                    for i, run in runs.items():
                        least[i] = min(least[i], run())
                task.advance(len(runs))
    return least


def _loaded(model: "ModelProto") -> Callable[[], float]:
    """A function that runs the model once and returns milliseconds; its maps are allocated beforehand."""
    from onnxruntime import OrtValue

    session, draws = session_of(model, threads=1), np.random.default_rng(0)
    binding, bound = session.io_binding(), list[OrtValue]()  # older runtimes keep no value alive
    for end in session.get_inputs():
        bound.append(OrtValue.ortvalue_from_numpy(draws.standard_normal(end.shape, dtype=np.float32)))
        binding.bind_ortvalue_input(end.name, bound[-1])
    for end in session.get_outputs():
        bound.append(OrtValue.ortvalue_from_numpy(np.zeros(end.shape, np.float32)))
        binding.bind_ortvalue_output(end.name, bound[-1])
    held = binding, bound

    def run() -> float:
        start = clock()
        session.run_with_iobinding(held[0])
        return (clock() - start) * 1000

    return run
