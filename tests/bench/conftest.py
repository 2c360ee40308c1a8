"""A run's ONNX files, and one measurement of them that many tests look at."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ganprune.bench import BenchReport, bench, candidates_in, machine
from tests import onnx_graphs
from tests.bench.kit import QUICK


@pytest.fixture(scope="session", autouse=True)
def two_cores() -> Iterator[None]:
    """Tests that ask for two threads want two rows of a table, and no times: one core will do."""
    found = machine.usable_cores()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, "usable_cores", lambda: max(2, found))
        yield


FILTERS = {"original_G_A": 8, "original_G_A.rewritten": 8, "G_A": 4, "original_G_B": 16, "G_B": 4}


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """8 filters against 4, with a rewritten original, and 16 against 4 without; never written to."""
    folder = tmp_path_factory.mktemp("run")
    for name, filters in FILTERS.items():
        onnx_graphs.conv(folder / f"{name}.onnx", filters, layers=2)
    return folder


@pytest.fixture(scope="session")
def report(run_folder: Path) -> BenchReport:
    """All of the run in one and two threads, with profiles."""
    return bench(candidates_in(run_folder), replace(QUICK, threads=(1, 2), profile=True))
