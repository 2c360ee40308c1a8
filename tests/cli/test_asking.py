"""What is missing is asked for before anything slow begins."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("words", [("evaluate", "run"), ("compare", "--config", "example")])
def test_features_are_asked_for_before_pytorch_is_imported(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GANPRUNE_FEATURES", raising=False)
    program = f"""
import sys
from ganprune_cli.main import app
sys.argv = ["ganprune", *{words!r}]
try:
    app()
except SystemExit as end:
    print(end.code, "torch" in sys.modules)
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["2", "False"]
    assert "needed a network of features, found none: give --features FILE" in found.stderr
    assert "ganprune download --from https://download.pytorch.org/models/mobilenet_v2-7ebf99e0.pth" in (
        found.stderr
    )
