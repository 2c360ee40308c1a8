"""The passes of an export, one after the other, and what is left out because it is slower here."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from onnx import ModelProto
from torch import nn

from ganprune_exporters import steps
from ganprune_exporters.opsets import TRACED
from ganprune_exporters.passes import CHOICES, Pass, PassReport, apply, parsed, rewrite
from ganprune_exporters.passes.pixels import Pixels
from ganprune_exporters.settings import ExportSettings
from ganprune_exporters.trace import trace
from ganprune_exporters.tuning import MARGIN, speedups

Measure = Callable[[Sequence[ModelProto], int], Sequence[float]]
"""Graphs and the size of their pictures → how many times as fast as the first each runs."""


def plain(generator: nn.Module, settings: ExportSettings) -> tuple[ModelProto, list[PassReport]]:
    """The graph as PyTorch exports it, simplified if that is asked for, ends and sizes named."""
    model, told = trace(generator, settings), f"PyTorch's exporter, opset {max(settings.opset, TRACED)}"
    chain: list[Pass] = [steps.SIMPLIFY] if settings.simplify else []
    chain += [steps.STRIP, *([steps.NAME_SIZES] if settings.dynamic else []), steps.INFER_SHAPES]
    return _through(chain, model, [PassReport("export", True, 0, len(model.graph.node), told)])


def rewritten(
    model: ModelProto, settings: ExportSettings, measure: Measure | None = None
) -> tuple[ModelProto, list[PassReport]]:
    """The graph through the rewrites of the settings; with ``tune`` as far as they are faster here."""
    reports: list[PassReport] = []
    for spec in settings.passes:
        if settings.tune:
            model, report = _tuned(spec, model, settings.size, measure)
        else:
            model, report = apply(rewrite(spec), model)
        reports.append(report)
    return model, reports


def finished(model: ModelProto, settings: ExportSettings) -> tuple[ModelProto, list[PassReport]]:
    """The graph as it goes into the file, but for its metadata."""
    ends = [Pixels()] if settings.uint8 else []
    older = [steps.to_opset(settings.opset)] if settings.opset < TRACED else []
    return _through([*ends, steps.INFER_SHAPES, *older, steps.CHECK], model, [])


def _through(
    chain: Sequence[Pass], model: ModelProto, reports: list[PassReport]
) -> tuple[ModelProto, list[PassReport]]:
    for step in chain:
        model, report = apply(step, model)
        reports.append(report)
    return model, reports


def _tuned(spec: str, model: ModelProto, size: int, measure: Measure | None) -> tuple[ModelProto, PassReport]:
    """The fastest of a pass's choices, unless the graph is faster without it."""
    name, _ = parsed(spec)
    specs = [f"{name}={choice}" for choice in CHOICES[name]] or [name]
    tried = [apply(rewrite(s), model) for s in specs]
    ready = [(graph, report) for graph, report in tried if report.applied]
    if not ready:
        return tried[0]
    graphs = [model, *(graph for graph, _ in ready)]
    ratios = (measure(graphs, size) if measure else [ratio.value for ratio in speedups(graphs, size)])[1:]
    best = max(range(len(ready)), key=lambda i: (ratios[i], -i))
    graph, report = ready[best]
    report = replace(report, speedup=ratios[best])
    if ratios[best] >= 1 - MARGIN:
        return graph, report
    note = f"not applied: {ratios[best]:.2f} times as fast on this machine"
    return model, replace(report, applied=False, nodes_after=report.nodes_before, note=note)
