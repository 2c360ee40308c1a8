"""What a job asks of this package, see `ganprune.exporter`."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from ganprune.images.sources import Domain
from ganprune.pruning.latency import LatencyTable
from ganprune.reporting import Reporter
from ganprune.stages import Job
from ganprune_exporters.export import export_onnx
from ganprune_exporters.latency import known_table, latency_table
from ganprune_exporters.runs import export_run, run_networks
from ganprune_exporters.settings import ExportSettings


class OnnxExporter:
    """A `ganprune.exporter.Exporter` to ONNX, with the default settings."""

    def export_run(self, job: Job, slim: Mapping[Domain, nn.Module]) -> dict[str, Path]:
        """See `Exporter.export_run`."""
        settings = ExportSettings(job.settings.pictures.size)
        export_run(job.run, job.originals, slim, job.pictures, settings, job.reporter)
        return {name: job.run / f"{name}.onnx" for name in run_networks(job.originals, slim)}

    def export(
        self, network: nn.Module, path: Path, size: int, pictures: Tensor | None, *, rewritten: bool
    ) -> None:
        """See `Exporter.export`."""
        export_onnx(network, path, _settings(size, rewritten), pictures=pictures)

    def recipe(self, size: int, *, rewritten: bool) -> str:
        """See `Exporter.recipe`."""
        return repr(_settings(size, rewritten))

    def latency_table(self, generator: nn.Module, size: int, reporter: Reporter) -> LatencyTable:
        """See `Exporter.latency_table`."""
        return latency_table(generator, size, reporter)

    def known_table(self, generator: nn.Module, size: int) -> LatencyTable | None:
        """See `Exporter.known_table`."""
        return known_table(generator, size)


def _settings(size: int, rewritten: bool) -> ExportSettings:
    return ExportSettings(size) if rewritten else ExportSettings(size, passes=())
