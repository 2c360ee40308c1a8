"""The packaged networks add and remove stripes, and the pictures that show it."""

import pytest

from ganprune.checkpoints import load_quartet
from ganprune.example import CHECKPOINT, PICTURES, Coats, coats
from ganprune.images import Domain
from ganprune.training import Networks


def coats_of(domain: Domain) -> Coats:
    networks = Networks.of(load_quartet(CHECKPOINT))
    return coats(networks.G_A if domain == "A" else networks.G_B, domain, pictures=12)


def test_pictures_of_the_wheel_take_less_than_three_megabytes() -> None:
    counts = {folder.name: len(list(folder.iterdir())) for folder in PICTURES.iterdir()}
    assert counts == {"trainA": 100, "trainB": 100, "testA": 24, "testB": 24}
    assert sum(path.stat().st_size for path in PICTURES.parent.rglob("*.webp")) < 3e6


def test_all_four_networks_take_less_than_two_megabytes() -> None:
    assert sum(path.stat().st_size for path in CHECKPOINT.glob("*.pth")) < 2e6


@pytest.mark.parametrize("domain", ["A", "B"])
def test_coats_come_closer_to_those_of_the_other_domain_than_to_their_own(domain: Domain) -> None:
    found = coats_of(domain)
    assert abs(found.after - found.wanted) < abs(found.after - found.before)


@pytest.mark.parametrize("domain", ["A", "B"])
def test_the_landscape_stays(domain: Domain) -> None:
    assert coats_of(domain).background < 0.12
