"""A run of the packaged example, and a browser to open its pages in."""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.browser.chromium import Page, browser, find
from tests.cli.kit import ganprune, hasty_demo


@pytest.fixture(scope="session")
def command() -> str:
    found = find()
    if found is None:
        pytest.skip("no Chromium on the PATH; install one, or name it in GANPRUNE_CHROMIUM")
    return found


@pytest.fixture(scope="session")
def run(command: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged example, hardly fine-tuned; never written to by a test."""
    folder = tmp_path_factory.mktemp("example") / "runs" / "example"
    with hasty_demo(profile=True):
        done = ganprune("demo", "-o", folder, "--budget", "4steps", "--threads", "1")
    assert done.code == 0, done.err
    return folder


@pytest.fixture(scope="session")
def chromium(command: str) -> Generator[Page]:
    with browser(command) as opened:
        yield opened


@pytest.fixture
def page(chromium: Page) -> Page:
    """A fresh tab of one browser."""
    return chromium.fresh()
