"""A generator to a verified ONNX file: trace, simplify, infer shapes, check, write, compare."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from ganprune.errors import UsageError, VerificationError
from ganprune.files import atomic_path, sha256
from ganprune_exporters.report import ExportReport
from ganprune_exporters.settings import ExportSettings

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import Tensor

    from ganprune.networks import Generator, GeneratorWidths

NOISE_PICTURES = 2
"""Pictures of noise that are compared when there are no real ones."""


def export_onnx(
    generator: "Generator",
    path: Path,
    settings: ExportSettings | None = None,
    *,
    pictures: "Tensor | None" = None,
    metadata: Mapping[str, str] | None = None,
) -> ExportReport:
    """Write ``generator`` to ``path`` as ONNX, and compare the file with PyTorch on ``pictures``.

    The graph is float32 and NCHW, from ``input`` to ``output``, both in [-1, 1], with its weights
    inside the file; ``metadata_props`` say what the network is, and hold ``metadata`` too.
    ``pictures`` are [n, c, size, size] in [-1, 1]; without any, noise is compared.

    Raises `UsageError` for pictures of another size, and `VerificationError` if an output differs by
    more than the tolerance; the file is written all the same.
    """
    import onnx

    from ganprune_exporters import verify

    start = perf_counter()
    settings = settings or ExportSettings()
    reference = _reference(generator)
    shape = (NOISE_PICTURES, reference.widths.in_channels, settings.size, settings.size)
    shown = verify.noise(shape) if pictures is None else pictures.detach().float().cpu()
    if shown.ndim != 4 or not len(shown) or (not settings.dynamic and shown.shape[1:] != shape[1:]):
        wanted, found = ("×".join(map(str, s)) for s in (("n", *shape[1:]), shown.shape))
        raise UsageError(f"{path}: needed pictures of {wanted} to verify it with, found {found}")

    model, nodes_before = _graph(reference, settings, dict(metadata or {}) | _describe(reference, settings))
    with atomic_path(path) as partial:
        onnx.save(model, partial)
        compared = verify.batches(shown, settings)
        differences = verify.differences(partial, reference, compared)
    for i, difference in enumerate(differences):
        if not difference <= settings.tolerance:  # NaN too
            raise VerificationError(
                f"{path}: needed PyTorch's output within {settings.tolerance:g}, found a difference of "
                f"{difference:.3g} on picture {i + 1} of {len(differences)}; the file was written, but "
                "should not be used: export it with another opset or without simplification"
            )
    return ExportReport(
        path=path,
        nodes_before=nodes_before,
        nodes_after=len(model.graph.node),
        file_bytes=path.stat().st_size,
        max_abs=max(differences),
        tolerance=settings.tolerance,
        pictures=sum(len(batch) for batch in compared),
        sha256=sha256(path),
        seconds=perf_counter() - start,
    )


def _reference(generator: "Generator") -> "Generator":
    """A copy in float32 on the CPU: what the file must compute."""
    import copy

    return copy.deepcopy(generator).float().cpu().eval()


def _graph(
    generator: "Generator", settings: ExportSettings, metadata: Mapping[str, str]
) -> tuple["ModelProto", int]:
    """The finished graph, and how many operators it had at first."""
    from ganprune_exporters import steps
    from ganprune_exporters.trace import trace

    model = trace(generator, settings)
    nodes_before = len(model.graph.node)
    chain = [
        *([steps.simplified] if settings.simplify else []),
        steps.stripped,
        *([steps.with_named_sizes] if settings.dynamic else []),
        steps.with_shapes,
        steps.checked,
    ]
    for step in chain:
        model = step(model)
    return steps.with_metadata(model, metadata), nodes_before


def _describe(generator: "Generator", settings: ExportSettings) -> dict[str, str]:
    """What a later reader of the file needs to know of the network, before any graph rewrite."""
    from ganprune import cost
    from ganprune.onnx_cost import cost_metadata

    size, widths = settings.size, generator.widths
    true, paper = cost.macs(widths, size, size, "true"), cost.macs(widths, size, size, "paper")
    return {
        "ganprune.version": _version(),
        "ganprune.widths": _widths_json(widths),
        "ganprune.norm": generator.norm,
        **cost_metadata(cost.params(generator), true, paper, size, size),
    }


def _widths_json(widths: "GeneratorWidths") -> str:
    import json
    from dataclasses import asdict

    return json.dumps(asdict(widths))


def _version() -> str:
    try:
        return version("ganprune")
    except PackageNotFoundError:
        return "not installed"
