"""A generator to a verified ONNX file: trace, simplify, rewrite, infer shapes, check, write, compare."""

import json
from collections.abc import Mapping
from dataclasses import replace
from math import isfinite
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from ganprune.channels import graph_of
from ganprune.errors import UsageError, VerificationError
from ganprune.storage.files import atomic_path, sha256
from ganprune.system.installed import version_of
from ganprune_exporters.passes import PassReport
from ganprune_exporters.report import ExportReport, applied
from ganprune_exporters.settings import ExportSettings

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import Tensor, nn

    from ganprune_exporters import verify
    from ganprune_exporters.chain import Measure

NOISE_PICTURES = 2  # pictures of noise that are compared when there are no real ones
BYTE_TOLERANCE = 1.001 * 2 / 255  # of bytes: one grey level, in units of [-1, 1]

_ADVICE = (
    "the file was written, but should not be used: export it with --set no-pass=all, another opset, "
    "or without simplification"
)


def export_onnx(
    generator: "nn.Module",
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

    A picture of which float32 itself loses more than a grey level, as it does of blank ones, has no say:
    noise takes its place.

    Raises `UsageError` for pictures of another size, and `VerificationError` if an output differs by
    more than the tolerance; the file is written all the same.
    """
    import onnx

    from ganprune.models.traits import channels_of
    from ganprune_exporters import verify

    str(path).encode()  # ONNX Runtime opens no other names: what will fail is said before the work
    start = perf_counter()
    settings = settings or ExportSettings()
    reference = verify.reference(generator, settings)
    shape = (NOISE_PICTURES, channels_of(reference)[0], settings.size, settings.size)
    shown = verify.noise(shape) if pictures is None else pictures.detach().float().cpu()
    if shown.ndim != 4 or not len(shown) or (not settings.dynamic and shown.shape[1:] != shape[1:]):
        wanted, found = ("×".join(map(str, s)) for s in (("n", *shape[1:]), shown.shape))
        raise UsageError(f"{path}: needed pictures of {wanted} to verify it with, found {found}")

    floats, model, passes = graphs_of(reference, settings, metadata or {}, measure)
    with atomic_path(path) as partial:
        onnx.save(model, partial)
    if settings.uint8:  # a grey level hides a lot: what is between the bytes is held to the tolerance too
        _compared(path, floats, reference, shown, replace(settings, uint8=False))
    found, mute = _compared(path, path, reference, shown, settings)
    return ExportReport(
        path=path, nodes_before=passes[0].nodes_after, nodes_after=len(model.graph.node),
        file_bytes=path.stat().st_size, max_abs=max(difference.largest for difference in found),
        tolerance=_tolerance(settings), pictures=sum(difference.pictures for difference in found), mute=mute,
        differing=sum(d.differing for d in found) / len(found), passes=tuple(passes), sha256=sha256(path),
        seconds=perf_counter() - start,
    )  # fmt: skip


def _tolerance(settings: ExportSettings) -> float:
    return BYTE_TOLERANCE if settings.uint8 else settings.tolerance


def _compared(
    path: Path,
    model: "Path | ModelProto",
    generator: "nn.Module",
    pictures: "Tensor",
    settings: ExportSettings,
) -> "tuple[list[verify.Difference], int]":
    """The differences to PyTorch on all pictures that tell anything, and how many told nothing.

    None is above the tolerance, or `verify.SLACK` times what float32 itself loses of the pictures.
    """
    from ganprune_exporters import verify

    batches = verify.batches(pictures, settings, graph_of(generator).stride)
    found, mute = list[verify.Difference](), 0
    try:
        made = verify.run(model, batches)
    except Exception as error:  # ONNX Runtime's own errors have no common base but this
        reason = " ".join(str(error).split())
        raise VerificationError(
            f"{path}: needed a file that runs, ONNX Runtime says: {reason}; {_ADVICE}"
        ) from error
    wanted = verify.expected(generator, batches, settings.uint8)
    for i, difference in enumerate(verify.differences(made, wanted)):
        if not difference.largest <= _tolerance(settings):  # NaN too
            lost = 0.0
            if isfinite(difference.largest):
                lost = verify.lost_by_float32(generator, batches[i], settings.uint8) * verify.SLACK
            if lost > verify.GREY_LEVEL:
                mute += difference.pictures
                continue
            allowed = _tolerance(settings) + (lost if lost > settings.tolerance else 0)
            if not difference.largest <= allowed:
                raise VerificationError(
                    f"{path}: needed PyTorch's output within {allowed:.3g}, found a difference of "
                    f"{difference.largest:.3g} on picture {i + 1} of {len(batches)}; {_ADVICE}"
                )
        found.append(difference)
    if not mute:
        return found, 0
    noise = verify.noise((NOISE_PICTURES, *pictures.shape[1:]))
    if noise.equal(pictures):
        raise VerificationError(
            f"{path}: needed pictures to verify it on, found that float32 itself loses noise; {_ADVICE}"
        )
    more, _ = _compared(path, model, generator, noise, settings)
    return found + more, mute


def graphs_of(
    generator: "nn.Module",
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


def _describe(generator: "nn.Module", settings: ExportSettings) -> dict[str, str]:
    """What a later reader of the file needs to know of the network, before any graph rewrite."""
    from ganprune.checkpoints.quartet import weights_hash
    from ganprune.models.traits import norm_of, widths_of
    from ganprune.onnx_files.cost import cost_metadata
    from ganprune.pruning import cost

    size = settings.size
    true, paper = cost.macs(generator, size, size, "true"), cost.macs(generator, size, size, "paper")
    return {
        "ganprune.version": version_of("ganprune"),
        "ganprune.widths": json.dumps(widths_of(generator)),
        "ganprune.norm": norm_of(generator),
        **({"ganprune.statistics": "picture"} if settings.picture_statistics else {}),
        "ganprune.weights_sha256": weights_hash(generator),
        **cost_metadata(cost.params(generator), true, paper, size, size),
    }
