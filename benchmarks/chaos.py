"""A search that is killed again and again, against one that is left alone.

    python benchmarks/chaos.py OUT [--kills 50] [--seed 0]

Runs `ganprune compress` on the packaged example twice: undisturbed, and killed (SIGKILL) at random moments
until it has been killed --kills times; then lets it finish. Compares every genome and score, and the slim
networks, bit for bit. Exit code 1 when they differ.
"""

import argparse
import hashlib
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from ganprune.example import CHECKPOINT, EXAMPLE_SIZE, PICTURES

FILES = (
    "state.safetensors",
    "pruned_G_A.safetensors",
    "pruned_G_B.safetensors",
    "G_A.safetensors",
    "G_B.safetensors",
)


def command(out: Path, run: str) -> list[str]:
    words = [
        sys.executable,
        "-m",
        "ganprune_cli",
        "compress",
        str(CHECKPOINT),
        "--data",
        str(PICTURES),
    ]
    options = {
        "size": EXAMPLE_SIZE, "population": 16, "generations": 40, "pictures": 8, "target-macs": 0.4,
        "budget": 0, "threads": 1, "precision": "float32", "device": "cpu",
    }  # fmt: skip
    settings = (word for name, value in options.items() for word in ("--set", f"{name}={value}"))
    return [*words, "-o", str(out / run), *settings]


def generation(run: Path) -> int:
    """Lines of search.jsonl so far."""
    path = run / "search.jsonl"
    return len(path.read_text().splitlines()) if path.exists() else 0


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("out", type=Path)
    args.add_argument("--kills", type=int, default=50)
    args.add_argument("--seed", type=int, default=0)
    opt = args.parse_args()
    opt.out.mkdir(parents=True, exist_ok=True)
    nowhere = subprocess.DEVNULL
    start = time.monotonic()
    subprocess.run(command(opt.out, "calm"), check=True, stdout=nowhere, stderr=nowhere)
    print(f"undisturbed: {time.monotonic() - start:.0f} s")
    chance, kills, lost, least = random.Random(opt.seed), 0, list[int](), 1.0
    while kills < opt.kills:
        before = generation(opt.out / "killed")
        process = subprocess.Popen(command(opt.out, "killed"), stdout=nowhere, stderr=nowhere)
        try:
            process.wait(chance.uniform(least, 9))
            break  # it finished: no search is left to be killed
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        kills += 1
        lost.append(max(before - generation(opt.out / "killed"), 0))
    subprocess.run(command(opt.out, "killed"), check=True, stdout=nowhere, stderr=nowhere)
    hashes = [
        [hashlib.sha256((opt.out / run / name).read_bytes()).hexdigest() for name in FILES]
        for run in ("calm", "killed")
    ]
    same = hashes[0] == hashes[1]
    print(f"{kills} kills, {max(lost, default=0)} saved generations lost at most; same bits: {same}")
    sys.exit(not same)


if __name__ == "__main__":
    main()
