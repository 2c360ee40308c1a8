"""One workshop for all cases; nothing in it may change."""

from collections.abc import Generator

import pytest

from tests.fuzz.workshop import Workshop, workshop


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Generator[Workshop]:
    shop = workshop(tmp_path_factory.mktemp("workshop"), whole=False)
    before = shop.hashes()
    yield shop
    assert shop.hashes() == before
