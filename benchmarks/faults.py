"""The chaos table: every fault of docs/reliability.md, injected again and again, and what was lost.

    python benchmarks/faults.py OUT [--times 10] [--only FAULT] [--seed 0]

A tiny CycleGAN is compressed undisturbed: search, cutting, fine-tuning. Then each fault is put in its way at
random moments, until it has struck --times times, and the same command is run again. Every file of the result
is compared with the undisturbed run's, bit for bit; what is compared otherwise is said at the fault. A fault
that came too late, or whose command survived it unnoticed, did not strike, and is not counted. OUT gets the
folders and faults.json, written as they come; the table is printed as Markdown. Needs Linux, and root for the
disks. Exit code 1 when anything was lost, or a fault hardly ever strikes.

SIGKILLs of the packaged example: benchmarks/chaos.py.
"""

import argparse
import json
import random
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1] / part) for part in ("", "cli", "exporters")]

import torch  # noqa: E402
from injected import BEGUN, FAULTS, RESULTS, UNEQUAL, Bench  # noqa: E402

from tests.cli.kit import write_checkpoint, write_config, write_pictures  # noqa: E402

MOST_TRIES = 5
"""Times --times; of a fault that often comes too late."""


def lost(calm: Path, found: Path, names: Sequence[str] = RESULTS) -> list[str]:
    """Results that differ from the undisturbed run's."""
    return [
        name for name in names
        if not (found / name).is_file() or (found / name).read_bytes() != (calm / name).read_bytes()
    ]  # fmt: skip


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("out", type=Path)
    args.add_argument("--times", type=int, default=10)
    args.add_argument("--only", choices=FAULTS)
    args.add_argument("--seed", type=int, default=0)
    opt = args.parse_args()
    torch.set_num_threads(1)
    out: Path = opt.out.resolve()
    shutil.rmtree(out, ignore_errors=True)
    write_checkpoint(out / "net")
    write_pictures(out / "data")
    write_config(out / "tiny.toml", budget="6steps")
    start = time.monotonic()
    (out / "calm").mkdir()
    calm = Bench(out, out / "calm", random.Random(0), 0.0, out / "data")
    assert calm.compress().code == BEGUN
    seconds, table = time.monotonic() - start, dict[str, dict[str, Any]]()
    for name, fault in FAULTS.items():
        if opt.only in (None, name):
            row: dict[str, Any] = {"tried": 0, "struck": 0, "lost": []}
            while row["struck"] < opt.times and row["tried"] < MOST_TRIES * opt.times:
                folder = out / f"{fault.__name__}-{row['tried']}"
                folder.mkdir()
                chance = random.Random(f"{opt.seed}/{fault.__name__}/{row['tried']}")
                bench = Bench(out, folder, chance, seconds, out / "data")
                try:
                    row["struck"] += fault(bench)
                    last = bench.compress()
                    assert last.code == BEGUN, last.err
                    row["lost"] += lost(out / "calm" / "run", folder / "run", UNEQUAL.get(fault, RESULTS))
                except AssertionError as error:
                    row["lost"].append(f"a promise: {error}")
                row["tried"] += 1
                shutil.rmtree(folder)
                table[name] = row
                (out / "faults.json").write_text(json.dumps(table, indent=1))
    print("| fault | struck | lost |\n| :-- | --: | :-- |")
    for name, row in table.items():
        print(f"| {name} | {row['struck']} | {'; '.join(row['lost']) or 'nothing'} |")
    sys.exit(any(row["lost"] or row["struck"] < opt.times for row in table.values()))


if __name__ == "__main__":
    main()
