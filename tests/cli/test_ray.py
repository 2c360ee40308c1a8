"""``compress --set ray=auto``: the plan, the result, and going on without a cluster."""

import tomllib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from ganprune.runs import Run
from ganprune.search.coevolution import State
from ganprune.stages import searching
from tests.cli.conftest import Place
from tests.cli.kit import ganprune, listing, stopped_before_export, write_config
from tests.scoring.ray_kit import QUIET, cluster_of, needs_ray

BITS = ("state.safetensors", "G_A.safetensors")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with cluster_of(2) as cluster:
        yield cluster.address


def bits(run: str) -> dict[str, bytes]:
    return {name: Path(run, name).read_bytes() for name in BITS}


def searched(place: Place, run: str, *words: object) -> dict[str, bytes]:
    """Files of a run after its search."""
    with stopped_before_export():
        found = place.compress(*words, "-o", run)
    assert found.code == 130, found.err
    return bits(run)


@contextmanager
def stopped_after_generation(last: int) -> Generator[None]:
    """Within, a search is interrupted once it has saved a generation."""
    save = searching.save

    def stop(run: Run, state: State, *more: Any) -> None:
        save(run, state, *more)
        if state.generation == last:
            raise KeyboardInterrupt

    with patch.object(searching, "save", stop):
        yield


@needs_ray
@pytest.mark.filterwarnings(*QUIET)
def test_plan_of_a_cluster_says_how_many_workers_and_writes_nothing(
    place: Place, here: Path, address: str
) -> None:
    found = place.compress("--set", f"ray={address}", "--dry-run", "--json")
    assert found.code == 0, found.err
    assert found.json["plan"]["workers"] == 2
    assert (
        place.compress("--set", f"ray={address}", "--workers", 1, "--dry-run", "--json").json["plan"][
            "workers"
        ]
        == 1
    )
    assert "2 workers of a Ray cluster" in place.compress("--set", f"ray={address}", "--dry-run").out
    assert listing(here) == {}


@needs_ray
@pytest.mark.filterwarnings(*QUIET)
def test_search_begun_on_a_cluster_goes_on_without_it_and_the_reverse_to_the_same_bits(
    place: Place, here: Path, address: str
) -> None:
    expected = searched(place, "calm")
    for run, first, second in (
        ("left", ("--set", f"ray={address}"), ()),
        ("joined", (), ("--set", f"ray={address}")),
    ):
        with stopped_after_generation(1):
            assert place.compress(*first, "-o", run).code == 130
        assert len(Path(run, "search.jsonl").read_text().splitlines()) == 2
        assert searched(place, run, *second) == expected
    config = tomllib.loads(Path("joined/config.toml").read_text())
    assert config["settings"]["ray"] == address


@pytest.mark.parametrize("address", ["ray://head:10001", "head"])
def test_addresses_that_cannot_be_used_exit_2_before_anything_is_written(
    place: Place, here: Path, address: str
) -> None:
    found = place.compress("--set", f"ray={address}")
    assert found.code == 2
    *_, line = found.err.splitlines()
    assert line.startswith(
        f"error: --set ray{' must be auto or HOST:PORT' if address == 'head' else f'={address}'}"
    )
    assert listing(here) == {}


def test_ray_setting_is_read_from_a_file(place: Place, here: Path) -> None:
    config = write_config(here / "cluster.toml", ray="ray://head:10001")
    found = ganprune("compress", place.checkpoint, "--data", place.data, "--config", config)
    assert found.code == 2
    assert "Ray client" in found.err
