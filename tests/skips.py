"""What a run of the tests may leave out: what needs a GPU where there is none, what needs the real data where
``GANPRUNE_DATA`` does not name its folder. In CI any other skip is a failure."""

import os

import pytest
import torch

NO_CUDA = "needs a CUDA device, found none"
NO_DATA = "needs the real data, set GANPRUNE_DATA to its folder"
ALLOWED = [
    reason
    for reason, holds in (
        (NO_CUDA, not torch.cuda.is_available()),
        (NO_DATA, "GANPRUNE_DATA" not in os.environ),
    )
    if holds
]
"""Reasons that hold here, where the tests run."""

needs_cuda = pytest.mark.skipif(NO_CUDA in ALLOWED, reason=NO_CUDA)


def judge(report: pytest.TestReport | pytest.CollectReport) -> None:
    """In CI, turn the report of a skip that is not allowed into that of a failure."""
    if os.environ.get("CI") and report.skipped and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if reason not in ALLOWED:
            report.outcome = "failed"
            report.longrepr = f"skipped in CI: {reason!r}; allowed here: {ALLOWED}, see tests/skips.py"
