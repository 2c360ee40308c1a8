"""``ganprune download`` as it is typed, against a site on this machine."""

import hashlib
import random
import signal
import subprocess
import sysconfig
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

import pytest

from ganprune.download import catalog
from tests.cli.kit import ganprune, start
from tests.download.site import Site, network, pictures, served, zipped

PARTIAL = Path("datasets/.bears.download/bears.zip")
BEARS = zipped(pictures("bears/") | {"bears/large": random.Random(0).randbytes(100_000)})
CUT = 65_536
"""What is read at once."""
KNOWN = ("--from", "SITE/bears.zip", "--sha256", hashlib.sha256(BEARS).hexdigest())
"""Of a known hash, so it can be gone on with."""


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Generator[Site]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with served(files={"bears.zip": BEARS, "net.pth": network()}) as site:
        yield site


def _wait(until: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.01)


def test_without_a_name_the_table_is_printed(here: Path) -> None:
    found = ganprune("download", "--markdown")
    assert found.code == 0
    assert "| horse2zebra | data set | horses and zebras, from ImageNet | 111 |" in found.out
    assert "| horse2zebra_pretrained | network | generator, horse to zebra | – |" in found.out
    assert "below http://efrosgans.eecs.berkeley.edu/cyclegan/" in found.out
    assert found.err == "next: ganprune download NAME\n"
    assert not list(here.iterdir())


def test_table_as_json_has_everything() -> None:
    found = ganprune("download", "--json", "-q")
    items = {item["name"]: item for item in found.json["items"]}
    assert items.keys() == catalog.CATALOG.keys()
    assert items["maps"]["file_bytes"] == 1476754427
    assert items["style_monet_pretrained"]["folder"] == "checkpoints/style_monet_pretrained"
    assert found.err == ""


def test_public_data_set_comes_by_its_name(here: Path, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    item = replace(
        catalog.CATALOG["maps"], url=site.url("bears.zip"), file_bytes=len(BEARS),
        sha256=hashlib.sha256(BEARS).hexdigest(),
    )  # fmt: skip
    monkeypatch.setattr(catalog, "CATALOG", {"maps": item})
    found = ganprune("download", "maps", "-q")
    assert (found.code, found.out, found.err) == (0, "maps  datasets/maps\n", "")
    assert Path("datasets/maps/trainA/0.png").is_file()


def test_data_set_ends_with_how_to_train_on_it(here: Path, site: Site) -> None:
    found = ganprune("download", "--from", site.url("bears.zip"))
    assert (found.code, found.out) == (0, "bears  datasets/bears\n")
    assert found.err.splitlines()[-1] == "next: ganprune train --data datasets/bears"
    assert found.err.startswith("bears.zip, MiB 1/1")


def test_network_ends_with_how_to_look_at_it_and_can_be(here: Path, site: Site) -> None:
    found = ganprune("download", "mine", "--from", site.url("net.pth"), "-o", "some where", "--json")
    assert found.json == {
        "schema": 1, "name": "mine", "kind": "network", "path": "some where/net.pth",
        "url": site.url("net.pth"), "already": False, "sha256": hashlib.sha256(network()).hexdigest(),
        "next_command": "ganprune inspect 'some where/net.pth'",
    }  # fmt: skip
    assert ganprune("inspect", "some where/net.pth").code == 0


def test_what_is_there_already_is_told_and_fine(here: Path, site: Site) -> None:
    first = ganprune("download", "--from", site.url("bears.zip"))
    again = ganprune("download", "--from", site.url("bears.zip"))
    assert (again.code, again.out) == (0, first.out)
    assert again.err.splitlines()[0] == "datasets/bears is there already; nothing was fetched"
    assert len(site.asked) == 1
    next(Path("datasets/bears").glob(".*.json")).unlink()
    unknown = ganprune("download", "--from", site.url("bears.zip"), "--json").json
    assert (unknown["already"], unknown["sha256"]) == (True, None)


REFUSALS: dict[str, tuple[tuple[str, ...], int, str]] = {
    "unknown name": (("horse2zebro",), 2, "the nearest name is horse2zebra;"),
    "cityscapes": (("cityscapes",), 2, "for licence reasons"),
    "no web address": (("--from", "file:///etc/passwd"), 2, "--from needs an address"),
    "no hash": (("--from", "SITE/bears.zip", "--sha256", "12"), 2, "--sha256 needs 64"),
    "hash of nothing": (("--sha256", "0" * 64), 2, "--sha256 and -o need a NAME"),
    "folder of nothing": (("-o", "x"), 2, "--sha256 and -o need a NAME"),
    "not there": (("--from", "SITE/tigers.zip"), 1, "the server answered 404 Not Found"),
    "nobody there": (("--from", "http://127.0.0.1:9/x.zip"), 1, "127.0.0.1:9 cannot be reached"),
    "other hash": (("--from", "SITE/bears.zip", "--sha256", "0" * 64), 1, f"needed SHA-256 {'0' * 64}"),
    "web page": (("--from", "SITE/page.pth"), 3, "page.pth: no checkpoint but a web page"),
    "web page as archive": (
        ("--from", "SITE/page.zip"),
        3,
        "page.zip: no archive: it starts with b'<!DOCTYPE",
    ),
    "escape": (("--from", "SITE/evil.zip"), 3, "'../../evil' would lie outside"),
}


@pytest.mark.parametrize("kind", REFUSALS)
def test_refusals_are_one_line_and_leave_nothing(here: Path, site: Site, kind: str) -> None:
    words, code, told = REFUSALS[kind]
    site.files |= {"page.pth": b"<!DOCTYPE html><html>", "page.zip": b"<!DOCTYPE html><html>"}
    site.files["evil.zip"] = zipped({"trainA/0.png": b"x", "../../evil": b"x"})
    found = ganprune("download", "-q", *(word.replace("SITE/", site.url("")) for word in words))
    (line,) = found.err.splitlines()
    assert line.startswith("error: ")
    assert told in line
    assert (found.code, found.out) == (code, "")
    assert not list(here.iterdir())


def test_without_a_network_one_is_told_how_to_go_on_by_hand(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # nobody is there
    found = ganprune("download", "horse2zebra_pretrained")
    assert found.code == 1
    assert found.err.startswith(
        "error: http://efrosgans.eecs.berkeley.edu/cyclegan/pretrained_models/horse2zebra.pth"
    )
    assert found.err.endswith(
        "cannot be reached (Connection refused); connect to the internet and run again: "
        "ganprune download horse2zebra_pretrained; or fetch it with a browser elsewhere and save it as "
        "checkpoints/horse2zebra_pretrained/latest_net_G.pth\n"
    )
    assert not list(here.iterdir())


def test_download_that_is_killed_goes_on(here: Path, site: Site) -> None:
    site.hangs = [CUT]
    words = ["download", *(word.replace("SITE/", site.url("")) for word in KNOWN)]
    process = start(here, *words)
    _wait(lambda: (PARTIAL.exists() and PARTIAL.stat().st_size == CUT) or not process.is_alive())
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL, Path("log").read_text()
    assert not Path("datasets/bears").exists()
    assert ganprune(*words).code == 0
    assert site.asked == [None, f"bytes={CUT}-"]
    assert [entry.name for entry in Path("datasets").iterdir()] == ["bears"]


def test_ctrl_c_ends_with_130_and_keeps_what_came(here: Path, site: Site) -> None:
    site.hangs = [CUT]
    command = ["download", *(word.replace("SITE/", site.url("")) for word in KNOWN)]
    script = Path(sysconfig.get_path("scripts")) / "ganprune"
    with subprocess.Popen([script, *command], stderr=subprocess.PIPE, text=True) as process:
        _wait(lambda: (PARTIAL.exists() and PARTIAL.stat().st_size == CUT) or process.poll() is not None)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told.splitlines()[-1] == f"interrupted; to go on, run again: ganprune {' '.join(command)}"
    assert ganprune(*command).code == 0
    assert site.asked == [None, f"bytes={CUT}-"]
