"""How well a plan holds: `ganprune compress --dry-run`, then the job, planned and actual seconds a stage.

    python benchmarks/plan.py CKPT --data DIR [any options of compress]

Run it on an idle machine. The job's own plan, made as it begins, is in its provenance.json and is shown too.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

STAGES = {
    "recover": ("recover",), "size": ("size",), "search": ("search", "rebuild"), "refit": ("refit",),
    "fine-tune": ("fine-tune", "write"), "pictures": ("show", "quality"), "export": ("export",),
    "timing": ("bench",), "report": ("report",),
}  # fmt: skip
"""Stages of a plan, and what a run's provenance.json calls what they are made of."""


def main() -> None:
    """Print a line a stage, and the total."""
    command = [sys.executable, "-m", "ganprune_cli", "compress", *sys.argv[1:]]
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) / "run"
        began = time.monotonic()
        told = subprocess.run([*command, "--dry-run", "--json"], check=True, stdout=subprocess.PIPE).stdout
        plan = json.loads(told)["plan"]
        print(f"the plan took {time.monotonic() - began:.1f} s; {plan['busy'] or 'the machine is idle'}")
        began = time.monotonic()
        subprocess.run([*command, "-o", folder], check=True, stdout=subprocess.DEVNULL)
        whole = time.monotonic() - began
        record = json.loads((folder / "provenance.json").read_text())
    for stage, planned in plan["stages"].items():
        actual = sum(record["stages"].get(part, {"seconds": 0.0})["seconds"] for part in STAGES[stage])
        _print(stage, planned, record["plan"].get(stage, 0.0), actual)
    _print("total", plan["seconds"], sum(record["plan"].values()), whole)


def _print(stage: str, planned: float, again: float, actual: float) -> None:
    off = f"{planned / actual - 1:+.0%}" if actual else "–"
    print(f"{stage:10} {planned:8.1f} s planned, {again:8.1f} s by the job itself, {actual:8.1f} s ({off})")


if __name__ == "__main__":
    main()
