"""A site on this machine."""

from collections.abc import Generator

import pytest

from tests.download.site import Site, served


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def site() -> Generator[Site]:
    with served() as site:
        yield site
