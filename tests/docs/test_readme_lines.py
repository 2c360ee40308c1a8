"""The lines of Python in the README that do the whole job."""

from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from ganprune import Compressed, compression, example
from ganprune.presets import compress_settings
from ganprune.settings import CompressSettings
from tests.cli.kit import few_pictures, timed_briefly
from tests.docs.pages import ROOT

FEW: dict[str, object] = {
    "population": 4, "generations": 1, "pictures": 2, "refit_pictures": 4, "budget": "2steps", "size": 32,
}  # fmt: skip


def _lines() -> str:
    """The first block of Python in README.md."""
    return (ROOT / "README.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]


def _fewer(preset: str | None, config: Path | None, given: dict[str, object]) -> CompressSettings:
    return compress_settings(preset, config, given | FEW)


def test_four_lines_of_the_readme_do_the_demos_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exactly those lines, of fewer pictures, individuals and steps than they would take otherwise."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    assert sum(map(bool, _lines().splitlines())) == 4
    with (
        patch.object(example, "PICTURES", few_pictures(tmp_path / "pictures")),
        patch.object(compression, "compress_settings", _fewer),
        timed_briefly(),
    ):
        exec(compile(_lines(), "README.md", "exec"), names)
    run = names["run"]
    assert isinstance(run, Compressed)
    assert {path.name for path in run.files.values()} == {
        f"{kind}G_{side}{way}.onnx"
        for side in "AB"
        for kind, way in (("", ""), ("original_", ""), ("original_", ".rewritten"))
    }
    assert all(path.is_file() for path in run.files.values())
    assert all(
        sum(p.numel() for p in run.slim[side].parameters())
        < sum(p.numel() for p in run.originals[side].parameters())
        for side in run.slim
    )
    printed = capsys.readouterr()
    assert printed.out == f"{run.files['G_A']}\n\n{run.tables[0].markdown()}\n"
    assert printed.err == ""
