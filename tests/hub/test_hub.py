"""Checkpoints at Hugging Face, from a server that answers as it does."""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ganprune import load_quartet
from ganprune.errors import DownloadError, UsageError
from ganprune.system.hub import is_address, local, name_of, origin, place_of
from ganprune.system.shell import command_line
from tests.cli.conftest import Place, place, quick_bench
from tests.cli.kit import ganprune
from tests.cli.test_bad_input import refusal
from tests.hub.site import COMMITS, REPO, serving

__all__ = ["place", "quick_bench"]
ADDRESS = f"hf://{REPO}"
Serve = Callable[[dict[str, bytes]], Any]


@contextmanager
def asking(url: str, home: Path, offline: bool = False) -> Generator[None]:
    """huggingface_hub reads where it asks and keeps things once, when it is imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_ENDPOINT", url)
        patch.setenv("HF_HOME", str(home))
        patch.setenv("HF_HUB_OFFLINE", str(int(offline)))
        _forget()
        yield
    _forget()


def _forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "huggingface_hub"]:
        del sys.modules[name]


@pytest.fixture
def files(place: Place) -> dict[str, bytes]:
    """A repository: four networks, and what is not wanted of it."""
    networks = {path.name: path.read_bytes() for path in place.checkpoint.iterdir()}
    others = {"README.md": b"about", "old/latest_net_G_A.pth": b"another", "big.gguf": b"?"}
    return networks | others | {"lone/latest_net_G_A.pth": networks["latest_net_G_A.pth"]}


@pytest.fixture
def asked(files: dict[str, bytes], tmp_path: Path) -> Generator[list[str]]:
    with serving(files) as (url, asked), asking(url, tmp_path / "home"):
        yield asked


def test_a_repository_becomes_a_folder_of_its_networks(asked: list[str], place: Place) -> None:
    found = local(Path(ADDRESS))
    assert {path.name for path in found.iterdir()} == {path.name for path in place.checkpoint.iterdir()}
    assert found.name == COMMITS["main"]
    assert origin(found) == f"{ADDRESS}@{COMMITS['main']}"
    (same,) = (load_quartet(path).weights_sha256() for path in [Path(ADDRESS)])
    assert same == load_quartet(place.checkpoint).weights_sha256()


def test_of_a_file_its_siblings_are_fetched_too(asked: list[str]) -> None:
    found = local(Path(f"{ADDRESS}/latest_net_G_B.pth@v1"))
    assert origin(found) == f"{ADDRESS}/latest_net_G_B.pth@{COMMITS['v1']}"
    assert load_quartet(found).missing() == ()


def test_a_folder_in_it_is_taken_by_itself(asked: list[str]) -> None:
    found = local(Path(f"{ADDRESS}/old"))
    assert [path.name for path in found.iterdir()] == ["latest_net_G_A.pth"]


def test_what_is_in_the_cache_needs_no_network(files: dict[str, bytes], tmp_path: Path) -> None:
    with serving(files) as (url, _), asking(url, tmp_path / "home"):
        found = local(Path(ADDRESS))
    with asking(url, tmp_path / "home"):  # the server is gone
        assert local(Path(ADDRESS)) == found
    with asking(url, tmp_path / "home", offline=True):
        assert local(Path(f"{ADDRESS}@{COMMITS['main']}")) == found
    unreachable = r"horse2zebra@v1: Hugging Face cannot be reached, and it is not in the cache"
    with asking(url, tmp_path / "home", offline=True), pytest.raises(DownloadError, match=unreachable):
        local(Path(f"{ADDRESS}@v1"))


@pytest.mark.parametrize(
    ("address", "told"),
    [(f"{ADDRESS}@v9", r"@v9: no such revision"), ("hf://someone/else", r"else: no such repository; check"),
     (f"{ADDRESS}/none.pth", r"needed none\.pth there, found none"),
     (f"{ADDRESS}/none", r"needed none there"), ("hf://some--one/..", "The name cannot start or end")],
)  # fmt: skip
def test_what_is_not_there_is_told_in_a_line(asked: list[str], address: str, told: str) -> None:
    with pytest.raises(DownloadError, match=told) as caught:
        local(Path(address))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("address", ["hf://someone", "hf://", "hf://a/b@c@d"])
def test_an_address_of_another_form_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="needed hf://OWNER/NAME, hf://OWNER/NAME/FILE or either"):
        local(Path(address))


def test_without_the_extra_a_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UsageError, match=r"pip install 'ganprune\[hub\]'"):
        local(Path(ADDRESS))


def test_other_paths_are_left_alone(tmp_path: Path) -> None:
    assert local(tmp_path) is tmp_path
    assert not is_address(tmp_path / "hf" / "a")
    assert origin(tmp_path) is None
    assert place_of(tmp_path / "a" / "..") == str(tmp_path)
    (tmp_path / "a.pth").touch()
    assert name_of(tmp_path / "a.pth") == name_of(tmp_path) == tmp_path.name


def test_every_command_takes_an_address_where_it_takes_a_checkpoint(
    asked: list[str], place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = f"{ADDRESS}: commit {COMMITS['main'][:12]}, in "
    inspected = ganprune("inspect", ADDRESS)
    assert inspected.code == 0, inspected.err
    assert inspected.err.startswith(told)
    assert f"next: ganprune compress {ADDRESS}@{COMMITS['main']} --data DIR" in inspected.err
    (tmp_path / "one.toml").write_text('[cells.uniform]\nmethod = "uniform"\ntarget-macs = 0.5\nsize = 32\n')
    small = (
        "--data",
        place.data,
        "--size",
        "32",
        "--set",
        "threads=1",
        "--set",
        "ndf=4",
        "--budget",
        "1steps",
    )
    for words in (
        ("bench", ADDRESS, "--size", "32", "--threads", "1", "--set", "runs=2,3"),
        ("front", ADDRESS, "--data", place.data, "--config", place.config, "--set", "generations=0"),
        ("compare", ADDRESS, "--data", place.data, "--config", "one.toml", "--dry-run"),
        ("train", "--from", ADDRESS, *small),
        ("train", "--discriminators-for", f"{ADDRESS}/lone", *small),
        ("export", "--onnx", ADDRESS, "-o", "onnx", "--size", "32"),
        ("translate", ADDRESS, place.data / "testA", "-o", "out", "--size", "32"),
        ("compress", ADDRESS, "--data", place.data, "--config", place.config, "--dry-run"),
    ):
        done = ganprune(*words)
        assert done.code == 0, (words, done.err)
        assert told in done.err.replace(f"{ADDRESS}/lone", ADDRESS)
    assert {path.name for path in Path("checkpoints").iterdir()} == {
        "horse2zebra-continued",
        "horse2zebra-complete",
    }
    assert refusal(ganprune("inspect", "hf://someone/else"), 1).startswith(
        "error: hf://someone/else: no such"
    )


def test_a_run_records_the_commit_and_finds_its_originals_again(
    asked: list[str], place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = ganprune("compress", ADDRESS, "--data", place.data, "--config", place.config)
    assert done.code == 0, done.err
    (run,) = (path for path in Path("runs").iterdir() if path.is_dir())
    assert run.name.startswith("horse2zebra-")
    assert f'checkpoint = "{ADDRESS}@{COMMITS["main"]}"' in (run / "config.toml").read_text()
    assert ganprune("export", "--onnx", run, "--set", "simplify=false").code == 0


def test_commands_that_are_suggested_name_the_address() -> None:
    kept = Path(f"/x/hub/models--a--b/snapshots/{'c' * 40}/G.pth")
    assert command_line("inspect", kept) == f"ganprune inspect hf://a/b/G.pth@{'c' * 40}"
