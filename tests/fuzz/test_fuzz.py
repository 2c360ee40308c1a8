"""Whatever is read, and whatever is typed: success, or one line that says what is wrong.

A few cases here, the same in every run; `python benchmarks/fuzz.py` looks much harder.
"""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.fuzz import command_lines, files, run_folders, settings_files, strangers
from tests.fuzz.workshop import Workshop

SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)
few = settings(
    max_examples=25, deadline=None, derandomize=True, database=None,
    suppress_health_check=SLOW, phases=(Phase.generate,),
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("case")


def _alone(folder: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=folder))


@given(content=files.broken())
@few
def test_damaged_checkpoints_are_refused_in_one_line(folder: Path, content: bytes) -> None:
    files.read(_alone(folder), content)


@given(content=files.forged())
@few
def test_made_up_checkpoints_are_refused_in_one_line(folder: Path, content: bytes) -> None:
    files.read(_alone(folder), content)


@given(content=settings_files.flat_files())
@few
def test_settings_files_are_read_or_refused(folder: Path, content: bytes) -> None:
    settings_files.read_flat(folder, content)


@given(content=settings_files.comparison_files())
@few
def test_comparison_files_are_read_or_refused(folder: Path, content: bytes) -> None:
    settings_files.read_cells(folder, content)


@given(content=strangers.picture_files())
@few
def test_damaged_pictures_are_read_or_refused(folder: Path, content: bytes) -> None:
    strangers.read_picture(_alone(folder), content)


@given(content=strangers.onnx_files())
@few
def test_damaged_and_made_up_onnx_files_are_read_or_refused(folder: Path, content: bytes) -> None:
    strangers.read_onnx_file(_alone(folder), content)


@given(content=strangers.archives())
@few
def test_damaged_and_made_up_archives_write_inside_their_folder_alone(folder: Path, content: bytes) -> None:
    strangers.unpack_archive(_alone(folder), content)


def test_the_page_server_outlives_any_request() -> None:
    with strangers.page() as port:

        @given(request=strangers.requests)
        @few
        def every(request: bytes) -> None:
            strangers.ask(port, request)

        every()


def test_downloads_are_whole_or_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with strangers.served() as site:

        @given(case=strangers.answers)
        @few
        def every(case: dict[str, Any]) -> None:
            strangers.download(site, _alone(folder), case)

        every()


@given(data=st.data())
@few
def test_changed_run_folders_harm_nothing_and_are_explained(
    made: Workshop, folder: Path, data: st.DataObject
) -> None:
    run_folders.attempt(made, folder / "runs", data.draw(run_folders.cases(made)))


@given(data=st.data())
@few
def test_command_lines_end_in_results_or_one_line(made: Workshop, folder: Path, data: st.DataObject) -> None:
    command_lines.attempt(made, folder / "lines", data.draw(command_lines.cases(made)))
