"""Several generators to ONNX files at once, with the pictures that they are verified on, and variants."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor, nn

from ganprune.errors import UsageError, VerificationError
from ganprune.exporter import VERIFIED_PICTURES
from ganprune.images import to_float
from ganprune.images.sources import Domain
from ganprune.reporting import Reporter
from ganprune.storage.files import make_folder
from ganprune.storage.made import check_all
from ganprune_exporters.export import export_onnx
from ganprune_exporters.report import ExportedFile, ExportReport
from ganprune_exporters.settings import ExportSettings, Variants
from ganprune_exporters.variants import VariantReport, export_variant, variant_of

CALIBRATION_PICTURES = 8  # other pictures of each domain that 8 bits are calibrated with

MUTE = (
    "{} of the pictures to verify it on told nothing, because float32 itself loses them, as it does blank "
    "ones; it was verified on noise, too"
)


def pictures_for(variants: Variants) -> int:
    """Pictures of each domain that an export needs."""
    return VERIFIED_PICTURES + (CALIBRATION_PICTURES if variants.int8 else 0)


def check_calibrated(variants: Variants, pictures: object) -> None:
    """Raises `UsageError` for 8 bits without pictures to calibrate with."""
    if variants.int8 and pictures is None:
        raise UsageError("--int8 needs pictures to calibrate with, found none; give --data DIR")


def settings_of(name: str, settings: ExportSettings) -> ExportSettings:
    """How a file is exported: a run's originals as PyTorch exports them, all others through the passes."""
    plain = name.startswith("original_") and not name.endswith(".rewritten")
    return replace(settings, passes=(), tune=False) if plain else settings


def export_all(
    folder: Path,
    networks: Mapping[str, nn.Module],
    pictures: Mapping[str, Tensor | None],
    settings: ExportSettings,
    reporter: Reporter,
    chosen: Mapping[str, ExportSettings] | None = None,
) -> list[ExportReport]:
    """Write ``folder/NAME.onnx`` for every network; all of them before a `VerificationError` is raised.

    ``chosen``: settings of single files in place of ``settings``; see also `settings_of`.
    """
    make_folder(folder)
    check_all(folder, (f"{name}.onnx" for name in networks))
    reports, missed = list[ExportReport](), list[VerificationError]()
    with reporter.task("export", len(networks)) as task:
        for name, network in networks.items():
            how = settings_of(name, (chosen or {}).get(name, settings))
            try:
                report = export_onnx(network, folder / f"{name}.onnx", how, pictures=pictures[name])
                reports.append(report)
                if report.mute:
                    reporter.info(f"{name}.onnx: {MUTE.format(report.mute)}")
            except VerificationError as error:
                missed.append(error)
            task.advance(1, file=f"{name}.onnx")
    if missed:
        raise VerificationError("; ".join(str(error) for error in missed))
    return reports


def names_of(networks: Iterable[str], variants: Variants) -> list[str]:
    """Files that an export of networks of these names writes."""
    whole = [Path(f"{name}.onnx") for name in networks]
    beside = [variant_of(path, kind) for path in whole for kind in variants.kinds if _has_variants(path)]
    return [path.name for path in (*whole, *beside)]


def _has_variants(path: Path) -> bool:
    """Whether a file gets files beside it: originals do not."""
    return not path.name.startswith("original_")


def write_variants(
    files: Sequence[ExportedFile],
    networks: Mapping[str, nn.Module],
    pictures: Mapping[Domain, Tensor] | None,
    settings: ExportSettings,
    variants: Variants,
    reporter: Reporter,
) -> list[VariantReport]:
    """Write variants beside exported ``files`` (their reports), but for originals.

    Raises `UsageError` for 8 bits without pictures to calibrate with.
    """
    check_calibrated(variants, pictures)
    if not variants.kinds:
        return []
    shown, others = few_of(pictures, networks), calibration_of(pictures, networks)
    reports: list[VariantReport] = []
    for file in files:
        path = Path(file["path"])
        name = path.name.removesuffix(".onnx")
        if not _has_variants(path):
            continue
        how = replace(settings, passes=tuple(file["rewrites"]), tune=False)
        for kind in variants.kinds:
            report = export_variant(
                kind, networks[name], path, how, shown[name], others[name],
                limit=variants.int8_limit, reporter=reporter,
            )  # fmt: skip
            reports.append(report)
            if not report.recommended:
                reporter.warn(f"{report.path}: {report.verdict}")
    return reports


def few_of(pictures: Mapping[Domain, Tensor] | None, names: Iterable[str]) -> dict[str, Tensor | None]:
    """The pictures to verify each network on: float32 [n, 3, h, w] of the domain that it translates."""
    return _pictures_of(pictures, names, slice(VERIFIED_PICTURES))


def calibration_of(
    pictures: Mapping[Domain, Tensor] | None, names: Iterable[str]
) -> dict[str, Tensor | None]:
    """The pictures that are not verified on; where there are none, all."""
    few = pictures is not None and min(map(len, pictures.values())) <= VERIFIED_PICTURES
    return _pictures_of(pictures, names, slice(None if few else VERIFIED_PICTURES, None))


def _pictures_of(
    pictures: Mapping[Domain, Tensor] | None, names: Iterable[str], which: slice
) -> dict[str, Tensor | None]:
    if pictures is None:
        return dict.fromkeys(names)
    sides: dict[str, Domain] = {n: "B" if n.partition(".")[0].endswith("G_B") else "A" for n in names}
    return {name: to_float(pictures[side][which]) for name, side in sides.items()}
