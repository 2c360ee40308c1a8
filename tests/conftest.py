"""Settings of all tests.

One CPU thread, because tiny networks only lose time on more. Hypothesis without deadlines, with the same
examples every time in CI; ``pytest --hypothesis-profile thorough`` looks much harder. In CI nothing is
skipped but what tests/skips.py allows.
"""

import os
import signal
from collections.abc import Generator
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from tests import fast_exports
from tests.skips import NO_DATA, judge

torch.set_num_threads(1)
fast_exports.share()
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts this in the background has it, and what it starts, ignore Ctrl-C, which tests send.
    signal.signal(signal.SIGINT, signal.default_int_handler)
settings.register_profile("local", deadline=None, max_examples=20)
settings.register_profile("ci", deadline=None, max_examples=20, derandomize=True)
settings.register_profile("thorough", deadline=None, max_examples=1000)
settings.load_profile("ci" if os.environ.get("CI") else "local")


LONGEST = ("tests/scoring/test_ray", "tests/cli/test_ray", "tests/cli/", "tests/docs/", "tests/browser/")
"""Of these, one test may take as long as hundreds of others: last, it would keep one process busy alone.

Those of Ray are one behind the other, because a machine has one cluster at a time: another process would wait
for it.
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def turn(item: pytest.Item) -> int:
        return next((i for i, start in enumerate(LONGEST) if item.nodeid.startswith(start)), len(LONGEST))

    items.sort(key=turn)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real checkpoints and pictures."""
    if "GANPRUNE_DATA" not in os.environ:
        pytest.skip(NO_DATA)
    return Path(os.environ["GANPRUNE_DATA"])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    judge(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    judge(report)
    return report
