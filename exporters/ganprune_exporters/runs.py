"""The ONNX files of a run: which are written, and what an earlier call has left."""

import time
from collections.abc import Mapping

from torch import Tensor, nn

from ganprune.images.sources import Domain
from ganprune.reporting import Reporter
from ganprune.runs import Run
from ganprune.storage.plain import fits
from ganprune_exporters.files import export_all, few_of
from ganprune_exporters.remembered import remember, remembered
from ganprune_exporters.report import ExportedFile
from ganprune_exporters.settings import ExportSettings


def run_networks(
    originals: Mapping[Domain, nn.Module], slim: Mapping[Domain, nn.Module]
) -> dict[str, nn.Module]:
    """What a run exports, by the names of its files: each original plainly and rewritten, and the slim."""
    networks = {f"original_G_{side}": originals[side] for side in slim}
    networks |= {f"original_G_{side}.rewritten": originals[side] for side in slim}
    return networks | {f"G_{side}": network for side, network in slim.items()}


def export_run(
    run: Run,
    originals: Mapping[Domain, nn.Module],
    slim: Mapping[Domain, nn.Module],
    pictures: Mapping[Domain, Tensor] | None,
    settings: ExportSettings,
    reporter: Reporter,
) -> list[ExportedFile]:
    """Write and verify G_A.onnx, original_G_A.onnx and original_G_A.rewritten.onnx, and the same of G_B.

    pictures: uint8, of both domains, to verify on; None: noise. Files that an earlier call wrote with the
    same settings stay; what ``tune`` has once measured is used again. All are written before a
    `VerificationError` of one of them is raised.
    """
    inputs = [run / f"G_{side}.safetensors" for side in slim]
    networks = run_networks(originals, slim)
    record = run.finished("export", inputs)
    if record is not None and record.get("settings") == settings.to_json():
        known: list[ExportedFile] = record.get("files", [])
        if fits(known, list[ExportedFile]) and len(known) == len(networks):
            for file, name in zip(known, networks, strict=True):
                file["path"] = str(run / f"{name}.onnx")  # paths are ours, not the record's
            return known
    started = time.monotonic()
    chosen = {name: remembered(run, name, network, settings) for name, network in networks.items()}
    reports = export_all(run.folder, networks, few_of(pictures, networks), settings, reporter, chosen)
    if settings.tune:
        made = {name: report.rewrites for name, report in zip(networks, reports, strict=True)}
        remember(run, networks, settings, made)
    run.finish(
        "export", [report.path for report in reports], time.monotonic() - started, inputs,
        settings=settings.to_json(), files=[report.to_json() for report in reports],
    )  # fmt: skip
    return [report.to_json() for report in reports]
