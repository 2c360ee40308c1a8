"""A generator to a verified ONNX file: trace, simplify, rewrite, infer shapes, check, write, compare."""

import hashlib
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from ganprune.errors import UsageError, VerificationError
from ganprune.files import atomic_path, sha256
from ganprune_exporters.passes import PassReport
from ganprune_exporters.report import ExportReport, applied
from ganprune_exporters.settings import ExportSettings

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import Tensor

    from ganprune.networks import Generator, GeneratorWidths
    from ganprune_exporters import verify
    from ganprune_exporters.chain import Measure

NOISE_PICTURES = 2
"""Pictures of noise that are compared when there are no real ones."""


def export_onnx(
    generator: "Generator",
    path: Path,
    settings: ExportSettings | None = None,
    *,
    pictures: "Tensor | None" = None,
    metadata: Mapping[str, str] | None = None,
    measure: "Measure | None" = None,
) -> ExportReport:
    """Write ``generator`` to ``path`` as ONNX, and compare the file with PyTorch on ``pictures``.

    The graph is float32 and NCHW, from ``input`` to ``output``, both in [-1, 1], or uint8 and NHWC, with
    its weights inside the file; ``metadata_props`` say what the network is and which rewrites it went
    through, and hold ``metadata`` too. ``pictures`` are [n, c, size, size] in [-1, 1]; without any, noise
    is compared. ``measure`` tells ``tune`` how fast graphs are; default: by running them.

    Raises `UsageError` for pictures of another size, and `VerificationError` if an output differs by
    more than the tolerance; the file is written all the same.
    """
    import onnx

    from ganprune_exporters import verify

    str(path).encode()  # ONNX Runtime opens no other names: what will fail is said before the work
    start = perf_counter()
    settings = settings or ExportSettings()
    reference = _reference(generator)
    shape = (NOISE_PICTURES, reference.widths.in_channels, settings.size, settings.size)
    shown = verify.noise(shape) if pictures is None else pictures.detach().float().cpu()
    if shown.ndim != 4 or not len(shown) or (not settings.dynamic and shown.shape[1:] != shape[1:]):
        wanted, found = ("×".join(map(str, s)) for s in (("n", *shape[1:]), shown.shape))
        raise UsageError(f"{path}: needed pictures of {wanted} to verify it with, found {found}")

    floats, model, passes = graphs_of(reference, settings, metadata or {}, measure)
    compared = verify.batches(shown, settings)
    with atomic_path(path) as partial:
        onnx.save(model, partial)
    if settings.uint8:  # a grey level hides a lot: what is between the bytes is held to the tolerance too
        _compared(path, floats.SerializeToString(), reference, compared, settings.tolerance)
    tolerance = verify.GREY_LEVEL * 1.001 if settings.uint8 else settings.tolerance
    found = _compared(path, path, reference, compared, tolerance, settings.uint8)
    return ExportReport(
        path=path,
        nodes_before=passes[0].nodes_after,
        nodes_after=len(model.graph.node),
        file_bytes=path.stat().st_size,
        max_abs=max(difference.largest for difference in found),
        tolerance=tolerance,
        pictures=sum(len(batch) for batch in compared),
        differing=sum(d.differing for d in found) / len(found),
        passes=tuple(passes),
        sha256=sha256(path),
        seconds=perf_counter() - start,
    )


def _reference(generator: "Generator") -> "Generator":
    """A copy in float32 on the CPU: what the file must compute."""
    import copy

    return copy.deepcopy(generator).float().cpu().eval()


def _compared(
    path: Path,
    model: Path | bytes,
    generator: "Generator",
    pictures: Sequence["Tensor"],
    tolerance: float,
    uint8: bool = False,
) -> "list[verify.Difference]":
    """The differences to PyTorch, none of them above the tolerance."""
    from ganprune_exporters import verify

    advice = (
        "the file was written, but should not be used: export it with --no-pass all, another opset, "
        "or without simplification"
    )
    try:
        made = verify.run(model, pictures)
    except Exception as error:  # ONNX Runtime's own errors have no common base but this
        reason = " ".join(str(error).split())
        raise VerificationError(
            f"{path}: needed a file that runs, ONNX Runtime says: {reason}; {advice}"
        ) from error
    found = verify.differences(made, verify.expected(generator, pictures, uint8))
    for i, difference in enumerate(found):
        if not difference.largest <= tolerance:  # NaN too
            raise VerificationError(
                f"{path}: needed PyTorch's output within {tolerance:.3g}, found a difference of "
                f"{difference.largest:.3g} on picture {i + 1} of {len(found)}; {advice}"
            )
    return found


def graphs_of(
    generator: "Generator",
    settings: ExportSettings,
    metadata: Mapping[str, str],
    measure: "Measure | None" = None,
) -> tuple["ModelProto", "ModelProto", list[PassReport]]:
    """The rewritten float32 graph of a generator, the finished graph, and what every pass did."""
    from ganprune_exporters import chain, steps

    model, first = chain.plain(generator, settings)
    floats, then = chain.rewritten(model, settings, measure)
    model, last = chain.finished(floats, settings)
    passes = [*first, *then, *last]
    told = dict(metadata) | _describe(generator, settings)
    model = steps.with_metadata(model, told | {"ganprune.passes": " ".join(applied(passes))})
    return floats, model, passes


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
        "ganprune.weights_sha256": weights_hash(generator),
        **cost_metadata(cost.params(generator), true, paper, size, size),
    }


def _widths_json(widths: "GeneratorWidths") -> str:
    import json
    from dataclasses import asdict

    return json.dumps(asdict(widths))


def weights_hash(generator: "Generator") -> str:
    """SHA-256 of all tensors in float32, in order: the same whatever file they came from."""
    digest = hashlib.sha256()
    for tensor in generator.state_dict().values():
        digest.update(tensor.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _version() -> str:
    try:
        return version("ganprune")
    except PackageNotFoundError:
        return "not installed"
