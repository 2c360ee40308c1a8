"""The head node of a Ray cluster dies in the middle of a search."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.cli.kit import ganprune, stopped_before_export, write_checkpoint, write_config, write_pictures
from tests.scoring.ray_kit import QUIET, cluster_of, needs_ray

pytestmark = [needs_ray, *(pytest.mark.filterwarnings(line) for line in QUIET)]


def generations(run: Path) -> int:
    path = run / "search.jsonl"
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_search_whose_head_dies_ends_and_goes_on_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = write_config(tmp_path / "long.toml", generations=40, population=6)
    command = (
        "compress", write_checkpoint(tmp_path / "net"), "--data", write_pictures(tmp_path / "data"),
        "--config", config, "-o", "run",
    )  # fmt: skip
    before = set(psutil.Process().children(recursive=True))
    with cluster_of(1) as cluster:
        nodes = set(psutil.Process().children(recursive=True)) - before
        words = (sys.executable, "-m", "ganprune_cli", *map(str, command), "--set", f"ray={cluster.address}")
        soon = {"RAY_gcs_rpc_server_reconnect_timeout_s": "5", "GANPRUNE_DEBUG": "0"}
        with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=os.environ | soon) as process:
            end = time.monotonic() + 240
            while generations(tmp_path / "run") < 3 and process.poll() is None and time.monotonic() < end:
                time.sleep(0.02)
            for part in nodes:
                part.kill()
            told = process.communicate(timeout=180)[1]
    reached = generations(tmp_path / "run")
    assert process.returncode == 1, told
    assert "Traceback" not in told
    assert 3 <= reached < 41
    with stopped_before_export():
        assert ganprune(*command).code == 130
        assert ganprune(*command[:-1], "calm").code == 130
    for name in ("state.safetensors", "G_A.safetensors"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "calm" / name).read_bytes()
