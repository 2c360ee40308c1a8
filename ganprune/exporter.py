"""What the job needs of the package above the library: ONNX files, and what networks take there."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from torch import Tensor, nn

from ganprune.pruning.latency import LatencyTable
from ganprune.reporting import Reporter
from ganprune.settings.words import Domain
from ganprune.stages.job import Job

VERIFIED_PICTURES = 2  # real pictures of each domain that every exported file is compared with PyTorch on


class Exporter(Protocol):
    """Turns generators into files that run without PyTorch, each verified against it."""

    def export_run(self, job: Job, slim: Mapping[Domain, nn.Module]) -> Mapping[str, Path]:
        """Write G_A.onnx, original_G_A.onnx and original_G_A.rewritten.onnx of a run, and the same of G_B.

        Files that an earlier call wrote stay. Returns them by their names without ``.onnx``. Raises
        `VerificationError` after all are written, where one computes something else.
        """
        ...

    def export(
        self, network: nn.Module, path: Path, size: int, pictures: Tensor | None, *, rewritten: bool
    ) -> None:
        """Write one file. Raises `VerificationError` where it computes something else than the network.

        pictures: float32 [n, 3, h, w] in [-1, 1] to verify it on; None: noise. rewritten: into the graph that
        runs fastest; else as PyTorch writes it.
        """
        ...

    def recipe(self, size: int, *, rewritten: bool) -> str:
        """What a file depends on, besides the network: as long as it is the same, so is the file."""
        ...

    def latency_table(self, generator: nn.Module, size: int, reporter: Reporter) -> LatencyTable:
        """Milliseconds of a generator's parts on this machine, found out in a minute where they are unknown.

        size: height and width of the pictures, pixels.
        """
        ...

    def known_table(self, generator: nn.Module, size: int) -> LatencyTable | None:
        """The same where it is known already."""
        ...


def default_exporter() -> Exporter:
    """The one of `ganprune_exporters`, which is installed with the library."""
    # The library stands below the exporters and imports none of them. Whoever calls `ganprune.compress` still
    # expects ONNX files: so the package is asked for by name, here alone, and only once a job runs.
    return cast(Exporter, import_module("ganprune_exporters.exporter").OnnxExporter())
