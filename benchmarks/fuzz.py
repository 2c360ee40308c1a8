"""Many cases of what the tests of tests/fuzz try a few of.

    python benchmarks/fuzz.py OUT [--cases 10000] [--only TARGET] [--seed 0]

OUT gets a small checkpoint, pictures and a run, made once, and counts.json: how many cases of every target
ended in which way, written as they come. Prints the counts as Markdown. A case that breaks a promise is
printed with the smallest case that does the same, and the next ones go on. Exit code 1 when there was one.
"""

import argparse
import json
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

sys.path[:0] = [str(Path(__file__).parents[1] / part) for part in ("", "cli", "exporters")]

from tests.fuzz import command_lines, files, run_folders, settings_files, strangers  # noqa: E402
from tests.fuzz.workshop import workshop  # noqa: E402

CHUNK = 100
SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)
SHARES = {
    "damaged checkpoints": 0.22, "made-up checkpoints": 0.15, "settings files": 0.1, "comparison files": 0.05,
    "command lines": 0.15, "run folders": 0.08, "pictures": 0.08, "ONNX files": 0.08, "archives": 0.04,
    "requests to the page server": 0.03, "downloads": 0.02,
}  # fmt: skip
"""Of all cases."""


def targets(
    out: Path, site: Any, port: int
) -> dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], str]]]:
    made = workshop(out / "workshop", whole=True)
    scratch = Path(tempfile.mkdtemp(dir=out))

    def alone() -> Path:
        return Path(tempfile.mkdtemp(dir=scratch))

    return {
        "damaged checkpoints": (files.broken(), lambda case: files.read(alone(), case)),
        "made-up checkpoints": (files.forged(), lambda case: files.read(alone(), case)),
        "settings files": (settings_files.flat_files(), lambda case: settings_files.read_flat(scratch, case)),
        "comparison files": (
            settings_files.comparison_files(), lambda case: settings_files.read_cells(scratch, case)
        ),
        "command lines": (
            command_lines.cases(made), lambda case: command_lines.attempt(made, scratch / "lines", case)
        ),
        "run folders": (
            run_folders.cases(made), lambda case: run_folders.attempt(made, scratch / "runs", case)
        ),
        "pictures": (strangers.picture_files(), lambda case: strangers.read_picture(alone(), case)),
        "ONNX files": (strangers.onnx_files(), lambda case: strangers.read_onnx_file(alone(), case)),
        "archives": (strangers.archives(), lambda case: strangers.unpack_archive(alone(), case)),
        "requests to the page server": (strangers.requests, lambda case: strangers.ask(port, case)),
        "downloads": (strangers.answers, lambda case: strangers.download(site, alone(), case)),
    }  # fmt: skip


def chunk(
    cases: st.SearchStrategy[Any], attempt: Callable[[Any], str], size: int, number: int
) -> tuple[Counter[str], str | None]:
    """How ``size`` cases ended; what went wrong, if something did."""
    ends = Counter[str]()

    @seed(number)
    @settings(
        max_examples=size, deadline=None, database=None, report_multiple_bugs=False,
        suppress_health_check=SLOW, print_blob=False,
    )  # fmt: skip
    @given(cases)
    def every(case: Any) -> None:
        try:
            ends[attempt(case)] += 1
        except BaseException:
            ends["BROKEN"] += 1
            raise

    try:
        every()
    except Exception:
        return ends, traceback.format_exc()
    return ends, None


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("out", type=Path)
    args.add_argument("--cases", type=int, default=10_000)
    args.add_argument("--only", choices=SHARES)
    args.add_argument("--seed", type=int, default=0)
    opt = args.parse_args()
    opt.out.mkdir(parents=True, exist_ok=True)
    counts: dict[str, Counter[str]] = {name: Counter() for name in SHARES}
    broken = 0
    wanted = {name: round(opt.cases * share) for name, share in SHARES.items()}
    if opt.only:
        wanted = {name: opt.cases * (name == opt.only) for name in SHARES}
    number = opt.seed * 10_000
    with strangers.served() as site, strangers.page() as port:
        here = targets(opt.out, site, port)
        while any(counts[name].total() < wanted[name] for name in SHARES):
            for name, (cases, attempt) in here.items():
                left = wanted[name] - counts[name].total()
                if left <= 0:
                    continue
                number += 1
                ends, problem = chunk(cases, attempt, min(CHUNK, left), number)
                counts[name] += ends
                if problem:
                    broken += 1
                    print(f"{name}, chunk {number}:\n{problem}", file=sys.stderr, flush=True)
                (opt.out / "counts.json").write_text(json.dumps(counts, indent=1))
    print("| what | cases | how they ended |\n| :-- | --: | :-- |")
    for name, ends in counts.items():
        if ends:
            told = ", ".join(f"{end}: {count:,}" for end, count in ends.most_common())
            print(f"| {name} | {ends.total():,} | {told} |")
    print(f"| all | {sum(ends.total() for ends in counts.values()):,} | promises broken: {broken} |")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
