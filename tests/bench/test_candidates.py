from pathlib import Path

import pytest

from ganprune.bench import candidates_in, candidates_of
from ganprune.errors import InputError
from tests import onnx_graphs


def test_files_of_a_run_are_compared_with_both_of_their_own_originals(tmp_path: Path) -> None:
    for name in (
        "G_A", "G_A.int8", "G_B", "G_C", "original_G_A", "original_G_A.int8", "original_G_A.rewritten",
        "original_G_B",
    ):  # fmt: skip
        onnx_graphs.conv(tmp_path / f"{name}.onnx")
    (tmp_path / ".G_A.123.partial.onnx").write_bytes(b"half a file")
    found = {
        candidate.name: (candidate.against, candidate.rewritten, candidate.is_original)
        for candidate in candidates_in(tmp_path)
    }
    assert found == {
        "original_G_A": (None, None, True),
        "original_G_A.int8": ("original_G_A", None, True),
        "original_G_A.rewritten": ("original_G_A", None, True),
        "original_G_B": (None, None, True),
        "G_A": ("original_G_A", "original_G_A.rewritten", False),
        "G_A.int8": ("original_G_A", "original_G_A.rewritten", False),
        "G_B": ("original_G_B", None, False),
        "G_C": (None, None, False),
    }
    assert list(found)[:4] == [name for name in found if name.startswith("original")]


def test_a_rewritten_original_without_the_plain_one_is_still_a_baseline(tmp_path: Path) -> None:
    for name in ("G_A", "original_G_A.rewritten"):
        onnx_graphs.conv(tmp_path / f"{name}.onnx")
    found = {
        candidate.name: (candidate.against, candidate.rewritten) for candidate in candidates_in(tmp_path)
    }
    assert found == {"original_G_A.rewritten": (None, None), "G_A": (None, "original_G_A.rewritten")}


def test_loose_files_are_compared_with_the_first_of_them() -> None:
    files = (Path("x/G.onnx"), Path("y/G.onnx"), Path("H.onnx"))
    named = [(candidate.name, candidate.against) for candidate in candidates_of(files)]
    assert named == [("x/G", None), ("y/G", "x/G"), ("H", "x/G")]


def test_loose_files_know_a_rewritten_first_one_by_its_name() -> None:
    files = tuple(Path(f"{name}.onnx") for name in ("original_G_A", "original_G_A.rewritten", "mine"))
    assert [(c.against, c.rewritten) for c in candidates_of(files)] == [
        (None, None),
        ("original_G_A", None),
        ("original_G_A", "original_G_A.rewritten"),
    ]


def test_a_folder_without_onnx_files_is_told_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"needed \.onnx files, found none; run ganprune export --onnx"):
        candidates_in(tmp_path)
