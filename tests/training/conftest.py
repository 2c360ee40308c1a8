import pytest

from tests.training.gan import Gan


@pytest.fixture
def gan() -> Gan:
    return Gan()
