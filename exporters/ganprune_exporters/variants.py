"""Files beside a float32 one, of reduced precision or in plainer operators, with what they cost and gain."""

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from math import inf, log10
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from torch import Tensor, nn

from ganprune.bench.statistics import Ratio
from ganprune.errors import UsageError, VerificationError
from ganprune.models.traits import channels_of
from ganprune.reporting import SILENT, Reporter
from ganprune.storage.files import atomic_path
from ganprune.storage.made import check_replaceable
from ganprune_exporters import int8, verify
from ganprune_exporters.chain import finished, plain, rewritten
from ganprune_exporters.export import export_onnx, graphs_of
from ganprune_exporters.half import halved
from ganprune_exporters.opsets import TRACED, oldest
from ganprune_exporters.passes import PORTABLE
from ganprune_exporters.settings import LIMIT, REDUCED, ExportSettings, Kind
from ganprune_exporters.steps import with_metadata
from ganprune_exporters.tuning import speedups

if TYPE_CHECKING:
    from onnx import ModelProto


OLD = 11  # the opset of a portable file, or the next that its graph fits into: converters know old ones best
COMMON = frozenset({
    "Add", "Clip", "Concat", "Conv", "Div", "LeakyRelu", "Mul", "ReduceMean", "Relu", "Reshape", "Resize",
    "Slice", "Sqrt", "Sub", "Tanh", "Transpose",
})  # fmt: skip
"""Operators that runtimes have in common. A portable file of a known generator has no others."""
GARBAGE = 0.5  # a mean absolute distance from which on a file shows something else altogether
PROBES = 4  # calibration pictures on which the sensitivity of layers is measured


@dataclass(frozen=True, slots=True)
class VariantReport:
    """A variant, measured against the float32 file that it stands beside."""

    path: Path
    kind: Kind
    file_bytes: int
    float_bytes: int  # size of the float32 file
    mean_abs: float  # mean absolute difference to the float32 pictures, in units of [-1, 1]
    max_abs: float
    psnr: float
    """Peak signal-to-noise ratio to the float32 pictures, dB; infinite where there is no difference."""
    to_pytorch: float  # mean absolute difference to PyTorch's pictures
    limit: float  # the mean absolute difference that was allowed
    speedup: Ratio  # how many times as fast as the float32 file it ran here, one thread, one picture
    layers: int  # convolutions in the graph; for fp16 and portable none was changed
    in_float: tuple[str, ...]  # convolutions that were kept in float32
    pictures: int  # on how many pictures distances were measured; none of them was used for calibration
    recommended: bool
    verdict: str  # why, or why not

    def to_json(self) -> dict[str, Any]:
        """Everything, in types that JSON has; an infinite PSNR is null."""
        psnr = None if self.psnr == inf else self.psnr
        return asdict(self) | {"path": str(self.path), "in_float": list(self.in_float), "psnr": psnr}


def export_variant(
    kind: Kind,
    generator: "nn.Module",
    path: Path,
    settings: ExportSettings,
    pictures: Tensor | None,
    calibration: Tensor | None = None,
    *,
    limit: float = LIMIT,
    reporter: Reporter = SILENT,
) -> VariantReport:
    """Write ``NAME.fp16.onnx`` or the like beside the float32 file ``path``, and compare the two.

    A portable file is also compared with PyTorch as `export_onnx` compares, to the same tolerance.

    pictures, calibration: [n, c, size, size] in [-1, 1]. Distances are measured on ``pictures``, or on noise;
    ``calibration`` is needed for int8, and should be other pictures. Raises `UsageError` where it is
    missing, and `VerificationError` if what was written is not even close to PyTorch's pictures.
    """
    target, whole = variant_of(path, kind), onnx.load(path)
    check_replaceable(target)
    kept, layers = tuple[str, ...](), sum(node.op_type == "Conv" for node in whole.graph.node)
    if kind == "portable":
        model, limit = _portable(generator, target, settings, pictures), settings.tolerance
    elif kind == "fp16":
        model = halved(whole)
    elif calibration is None or not len(calibration):
        raise UsageError(f"{target}: needed pictures to calibrate 8 bits with, found none; give --data DIR")
    else:
        model, kept, layers = _in_8_bits(generator, settings, calibration, limit, reporter)
        model, _ = finished(model, settings)
    if kind in REDUCED:
        told = {entry.key: entry.value for entry in whole.metadata_props}
        with_metadata(model, told | {"ganprune.precision": kind, "ganprune.in_float": json.dumps(kept)})
        with atomic_path(target) as partial:
            onnx.save(model, partial)

    shape = (PROBES, channels_of(generator)[0], settings.size, settings.size)
    reference = verify.reference(generator, settings)

    def measured(batches: list[Tensor]) -> tuple[list[verify.Difference], list[verify.Difference]]:
        """To the float32 file, and to PyTorch."""
        made, wanted = verify.run(target, batches), verify.expected(reference, batches, settings.uint8)
        return verify.differences(made, verify.run(path, batches)), verify.differences(made, wanted)

    found, off = measured(list((verify.noise(shape) if pictures is None else pictures).split(1)))
    if pictures is not None and not max(d.mean for d in found) <= limit:  # blank pictures have no say
        found, off = measured(verify.telling(reference, pictures, settings.uint8))
    mean, square = (float(np.mean([getattr(d, name) for d in found])) for name in ("mean", "square"))
    to_pytorch = float(np.mean([d.mean for d in off]))
    if not to_pytorch <= GARBAGE:  # NaN too
        raise VerificationError(
            f"{target}: needed PyTorch's pictures within {GARBAGE:g} on average, found {to_pytorch:.3g}; "
            "the file was written, but should not be used"
        )
    _, ratio = speedups([whole, model], settings.size)
    strange = {node.op_type for node in model.graph.node} - COMMON
    recommended, verdict = judged(kind, mean, limit, ratio, layers - len(kept), strange)
    return VariantReport(
        path=target, kind=kind, file_bytes=target.stat().st_size, float_bytes=path.stat().st_size,
        mean_abs=mean, max_abs=max(d.largest for d in found), psnr=10 * log10(4 / square) if square else inf,
        to_pytorch=to_pytorch, limit=limit, speedup=ratio, layers=layers, in_float=kept, pictures=len(found),
        recommended=recommended, verdict=verdict,
    )  # fmt: skip


def variant_of(path: Path, kind: Kind) -> Path:
    """Where the variant goes that stands beside ``path``."""
    return path.with_suffix(f".{kind}.onnx")


def judged(
    kind: Kind, distance: float, limit: float, speedup: Ratio, quantized: int, strange: Collection[str] = ()
) -> tuple[bool, str]:
    """Whether a variant is worth using on this machine, and the sentence that says so.

    strange: its operators that not all runtimes have.
    """
    if kind == "portable":
        beside = f", but for {', '.join(sorted(strange))}" if strange else ""
        return True, f"only operators that most runtimes have{beside}; for those alone, as it is not faster"
    if kind == "int8" and not quantized:
        return False, f"not recommended: no layer can be quantized within {limit:g} of the float pictures"
    if distance > limit:
        return False, f"not recommended: {distance:.3g} from the float pictures, more than {limit:g}"
    if kind == "fp16":
        return True, "a file of half the size, for the same time"
    if speedup.value <= 1:
        return False, f"not recommended: not faster on this machine ({speedup.value:.2f} times as fast)"
    if speedup.low <= 1:
        return False, (
            f"not recommended: times varied too much to call it faster ({speedup.value:.2f} times, between "
            f"{speedup.low:.2f} and {speedup.high:.2f}); time it with `ganprune bench` on an idle machine"
        )
    return True, f"{speedup.value:.2f} times as fast as float32 here"


def _portable(
    generator: "nn.Module", target: Path, settings: ExportSettings, pictures: Tensor | None
) -> "ModelProto":
    """The portable graph, written and verified, in the oldest opset from `OLD` on that it fits into."""
    how = replace(settings, passes=PORTABLE, tune=False, opset=max(settings.opset, TRACED))
    _, model, _ = graphs_of(verify.reference(generator, how), how, {})
    old = replace(how, opset=oldest(model, min(settings.opset, OLD)))
    export_onnx(generator, target, old, pictures=pictures)
    return onnx.load(target)


def _in_8_bits(
    generator: "nn.Module", settings: ExportSettings, calibration: Tensor, limit: float, reporter: Reporter
) -> tuple["ModelProto", tuple[str, ...], int]:
    """A graph in 8 bits as far as the limit allows, its convolutions kept in float, how many there are."""
    # Not for 8 bits: Winograd's values spread too far, and biases are what centres the maps.
    passes = tuple(spec for spec in settings.passes if not spec.startswith(("winograd", "dead-biases")))
    fixed = replace(settings, passes=passes, tune=False)
    reference = verify.reference(generator, settings)
    model, _ = plain(reference, fixed)
    model = int8.equalized(model, calibration.numpy())
    model, _ = rewritten(model, fixed)
    ready = int8.calibrated(model, calibration.numpy())
    probes = verify.telling(reference, calibration[:PROBES])
    wanted = verify.run(model, probes)

    def distance(other: "ModelProto") -> float:
        made = verify.run(other, probes)
        return int8.mean_distance([m.numpy() for m in made], [w.numpy() for w in wanted])

    # The probes were calibrated on, and other pictures differ a little more: a fifth is kept in reserve.
    layers = int8.layers_to_quantize(ready, distance, 0.8 * limit, reporter)
    kept = tuple(name for name in ready.layers if name not in layers)
    return ready.quantized(layers), kept, len(ready.layers)
