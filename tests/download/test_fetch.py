"""An address to a file: going on, starting anew, giving up."""

import random
import socket
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from ganprune.download.fetch import Patience, Transfer, fetch, refuse_downgrade
from ganprune.errors import DownloadError
from ganprune.reporting import Silent
from tests.download.site import Site

CUT = 131_072
"""A multiple of what is read at once, so all of it is kept."""
BODY = random.Random(0).randbytes(300_000)
OTHER = random.Random(1).randbytes(280_000)
ONCE = Patience(attempts=1, timeout=5)
EAGER = Patience(attempts=3, timeout=5, pause=0)


class Listener(Silent):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.tasks: list[tuple[str, int, int]] = []
        self.steps = 0

    def info(self, message: str) -> None:
        self.told.append(message)

    @contextmanager
    def task(self, title: str, total: int, done: int = 0):
        self.tasks.append((title, total, done))
        yield self

    def advance(self, steps: int = 1, **figures: float | str) -> None:
        del figures
        self.steps += steps


@pytest.fixture
def transfer(site: Site, tmp_path: Path) -> Transfer:
    site.files["f.zip"] = BODY
    return Transfer(
        site.url("f.zip"),
        tmp_path / "f.zip",
        resumes=True,
        again="ganprune download f",
        by_hand="take a train",
    )


def test_file_comes_whole(site: Site, transfer: Transfer) -> None:
    fetch(transfer, ONCE)
    assert transfer.partial.read_bytes() == BODY
    assert site.asked == [None]


def test_cut_connection_is_gone_on_with_by_the_next_call(site: Site, transfer: Transfer) -> None:
    site.cuts = [CUT]
    told = "cut after 131,072 bytes; 131,072 .* kept; to go on, run again: ganprune download f$"
    with pytest.raises(DownloadError, match=told):
        fetch(transfer, ONCE)
    assert transfer.partial.read_bytes() == BODY[:CUT]
    fetch(transfer, ONCE)
    assert transfer.partial.read_bytes() == BODY
    assert site.asked == [None, "bytes=131072-"]


def test_cut_connection_is_tried_again_at_once(site: Site, transfer: Transfer) -> None:
    site.cuts = [CUT, 65_536]
    fetch(transfer, EAGER, listener := Listener())
    assert transfer.partial.read_bytes() == BODY
    assert site.asked == [None, "bytes=131072-", "bytes=196608-"]
    assert [line.endswith("; trying again") for line in listener.told] == [True, True]


def test_attempts_are_few(site: Site, transfer: Transfer) -> None:
    site.cuts = [65_536] * 9
    with pytest.raises(DownloadError, match="196,608 bytes are kept"):
        fetch(transfer, EAGER)
    assert len(site.asked) == 3


def test_server_without_ranges_sends_all_of_it_again(site: Site, transfer: Transfer) -> None:
    site.ranges, site.cuts = False, [CUT]
    fetch(transfer, EAGER, listener := Listener())
    assert transfer.partial.read_bytes() == BODY
    assert listener.told == ["the connection was cut after 131,072 bytes; trying again"]


def test_what_cannot_be_checked_at_the_end_is_not_gone_on_with(site: Site, transfer: Transfer) -> None:
    unknown = replace(transfer, resumes=False)
    site.cuts = [CUT, CUT]
    with pytest.raises(DownloadError, match="try again later: ganprune download f; or take a train"):
        fetch(unknown, ONCE)
    assert not list(transfer.partial.parent.iterdir())
    fetch(unknown, EAGER)
    assert transfer.partial.read_bytes() == BODY
    assert site.asked == [None, None, None]


def test_file_that_became_shorter_than_what_came_starts_anew(site: Site, transfer: Transfer) -> None:
    transfer.partial.write_bytes(BODY[:CUT])
    site.files["f.zip"] = OTHER[:50_000]
    fetch(transfer, EAGER)
    assert transfer.partial.read_bytes() == OTHER[:50_000]
    assert site.asked == ["bytes=131072-", None]


def test_whole_file_that_was_not_yet_used_is_not_fetched_again(site: Site, transfer: Transfer) -> None:
    known = replace(transfer, size=len(BODY))
    fetch(known, ONCE)
    fetch(known, ONCE)
    assert len(site.asked) == 1


def test_length_that_is_not_told_is_no_hindrance(site: Site, transfer: Transfer) -> None:
    site.length = False
    fetch(transfer, ONCE, listener := Listener())
    assert transfer.partial.read_bytes() == BODY
    assert "does not say how large" in listener.told[0]
    assert listener.tasks == []


@pytest.mark.parametrize("length", [True, False])
def test_wrong_size_is_refused(site: Site, transfer: Transfer, length: bool, tmp_path: Path) -> None:
    site.length = length
    wrong = Transfer(transfer.url, transfer.partial, size=300_001)
    with pytest.raises(DownloadError, match=r"needed 300,001 bytes, .*300,000.*--from http://127\.0\.0\.1"):
        fetch(wrong, EAGER)
    assert len(site.asked) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("status", "words"), [(404, "404 Not Found"), (403, "403 Forbidden"), (410, "410 Gone")]
)
def test_refusals_are_final_and_named(site: Site, transfer: Transfer, status: int, words: str) -> None:
    site.answers = [status]
    with pytest.raises(
        DownloadError, match=rf"f\.zip: the server answered {words}; look for it with a browser"
    ):
        fetch(transfer, EAGER)
    assert len(site.asked) == 1
    assert not transfer.partial.exists()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_overloaded_server_is_asked_again(site: Site, transfer: Transfer, status: int) -> None:
    site.answers = [status, status]
    fetch(transfer, EAGER)
    assert transfer.partial.read_bytes() == BODY


def test_server_that_stays_overloaded_is_given_up(site: Site, transfer: Transfer) -> None:
    site.answers = [503] * 9
    with pytest.raises(DownloadError, match="503 Service Unavailable; try again later: ganprune download f"):
        fetch(transfer, EAGER)
    assert len(site.asked) == 3


def test_nobody_listening_is_told_with_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/f.zip"
        told = r"cannot be reached \(Connection refused\); connect to the internet and run again: A; or B$"
        with pytest.raises(DownloadError, match=told):
            fetch(Transfer(url, tmp_path / "f.zip", again="A", by_hand="B"), EAGER)


def test_name_that_does_not_resolve_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    told = r"nowhere\.invalid cannot be reached \(Temporary failure in name resolution\); connect"
    with pytest.raises(DownloadError, match=told):
        fetch(Transfer("http://nowhere.invalid/f.zip", tmp_path / "f.zip"), EAGER)


def test_silent_server_is_left_and_what_it_sent_is_kept(site: Site, transfer: Transfer) -> None:
    site.hangs = [CUT]
    with pytest.raises(DownloadError, match=r"broke \(no answer in time\); 131,072 bytes are kept"):
        fetch(transfer, Patience(attempts=1, timeout=0.2))
    fetch(transfer, ONCE)
    assert transfer.partial.read_bytes() == BODY


def test_redirects_are_followed_and_ranges_with_them(site: Site, transfer: Transfer) -> None:
    site.moved["old.zip"] = site.url("f.zip")
    site.cuts = [CUT]
    fetch(replace(transfer, url=site.url("old.zip")), EAGER)
    assert transfer.partial.read_bytes() == BODY
    assert site.asked == [None, None, "bytes=131072-", "bytes=131072-"]


@pytest.mark.parametrize("target", ["ftp://127.0.0.1/f.zip", "file:///etc/hostname"])
def test_redirects_out_of_the_web_are_refused(site: Site, transfer: Transfer, target: str) -> None:
    site.moved["f.zip"] = target
    with pytest.raises(DownloadError, match=rf"refused what the server answered .*'{target}'"):
        fetch(transfer, EAGER)
    assert not transfer.partial.exists()


def test_redirects_to_what_is_less_safe_are_refused() -> None:
    answer = requests.Response()
    answer.status_code, answer.url, answer.headers["Location"] = (
        302,
        "https://a.example/f",
        "http://b.example/f",
    )
    with pytest.raises(DownloadError, match=r"refused to follow .* http://b\.example/f, which is less safe"):
        refuse_downgrade(answer)
    answer.headers["Location"] = "https://b.example/f"
    refuse_downgrade(answer)


def test_disk_that_takes_no_more_is_no_reason_to_try_again(site: Site, transfer: Transfer) -> None:
    resource = pytest.importorskip("resource", reason="limits of file sizes are POSIX's")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (CUT, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            fetch(transfer, EAGER)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(site.asked) == 1
    assert transfer.partial.read_bytes() == BODY[:CUT]


def test_progress_is_told_in_mebibytes_and_goes_on_too(site: Site, transfer: Transfer) -> None:
    site.files["f.zip"] = bytes(2_500_000)
    site.cuts = [17 * 65_536]
    fetch(transfer, EAGER, listener := Listener())
    assert listener.tasks == [("f.zip, MiB", 3, 0), ("f.zip, MiB", 3, 2)]
    assert listener.steps == 3


def test_a_download_without_end_is_given_up(site: Site, transfer: Transfer) -> None:
    site.length = False
    with pytest.raises(
        DownloadError, match="needed at most 100,000 bytes, the server sends more; take a train"
    ):
        fetch(transfer, replace(EAGER, most=100_000))
    assert not transfer.partial.exists()
    site.length = True
    with pytest.raises(DownloadError, match="needed at most 100,000 bytes"):
        fetch(transfer, replace(EAGER, most=100_000))


def test_a_server_that_sends_next_to_nothing_counts_as_broken(site: Site, transfer: Transfer) -> None:
    with pytest.raises(DownloadError, match="the server sends less than 1e\\+12 bytes a second"):
        fetch(transfer, replace(EAGER, slow=0, slowest=1e12))
