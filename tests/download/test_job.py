"""From an address to a folder one can work with."""

import hashlib
import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from ganprune.checkpoints import load_quartet
from ganprune.download import Downloaded, Item, download, item_at, with_sha256
from ganprune.download.fetch import Patience
from ganprune.download.job import RECORD
from ganprune.errors import CheckpointError, DataError, DownloadError, UsageError
from tests.download.site import Site, network, pictures, tarred, zipped
from tests.tiny import resnet

ONCE = Patience(attempts=1, timeout=5)
MEMBERS = pictures("bears/")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def bears(site: Site) -> Item:
    site.files["bears.zip"] = zipped(MEMBERS)
    return item_at(site.url("bears.zip"))


def bring(item: Item, folder: Path | None = None) -> Downloaded:
    return download(item, folder, patience=ONCE)


def tree() -> dict[str, bytes]:
    """All files here, hidden ones too."""
    return {path.as_posix(): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


def entries() -> list[str]:
    return sorted(path.as_posix() for path in Path().rglob("*"))


def test_data_set_is_unpacked_to_its_folder(bears: Item, site: Site) -> None:
    found = bring(bears)
    digest = hashlib.sha256(site.files["bears.zip"]).hexdigest()
    assert found == Downloaded("bears", "data set", Path("datasets/bears"), False, True, digest)
    record = tree().pop(f"datasets/bears/{RECORD}")
    assert tree() == {f"datasets/{k}": v for k, v in MEMBERS.items()} | {f"datasets/bears/{RECORD}": record}
    assert json.loads(record)["files"]["bears.zip"] == {
        "url": bears.url, "bytes": len(site.files["bears.zip"]), "sha256": digest,
    }  # fmt: skip


@pytest.mark.parametrize("top", ["", "other/", "a/b/c/"])
def test_data_set_may_lie_anywhere_in_its_archive(site: Site, top: str) -> None:
    site.files["bears.tgz"] = tarred(pictures(top))
    found = bring(item_at(site.url("bears.tgz")))
    assert found.trainable
    names = {path.name for path in found.path.iterdir()}
    assert names == {"trainA", "trainB", "testA", "testB", RECORD}


def test_data_set_may_be_nested_in_the_other_way(site: Site) -> None:
    site.files["bears.zip"] = zipped(pictures("b/", ("train/A", "train/B")))
    found = bring(item_at(site.url("bears.zip")))
    assert found.trainable
    assert (found.path / "train" / "A").is_dir()


def test_pictures_without_trainA_are_kept_but_not_to_train_on(site: Site) -> None:
    site.files["photos.zip"] = zipped(pictures("photos/", ("testA",)))
    found = bring(item_at(site.url("photos.zip")))
    assert not found.trainable
    assert len(list((found.path / "testA").iterdir())) == 2


def test_data_set_goes_where_it_is_told_and_into_an_empty_folder(bears: Item) -> None:
    Path("x/y").mkdir(parents=True)
    assert bring(bears, Path("x/y")).path == Path("x/y")
    assert Path("x/y/trainA/0.png").is_file()
    assert [entry.name for entry in Path("x").iterdir()] == ["y"]


def test_network_gets_the_name_of_its_address(site: Site) -> None:
    site.files["latest_net_G_A.pth"] = network()
    found = bring(item_at(site.url("latest_net_G_A.pth"), "mine"))
    assert found.path == Path("checkpoints/mine/latest_net_G_A.pth")
    assert found.path.read_bytes() == network()
    assert not found.trainable


def test_networks_of_one_training_come_together_under_one_name(site: Site) -> None:
    site.files |= {"latest_net_G_A.pth": network(4), "latest_net_G_B.pth": network(5)}
    for file in site.files:
        bring(item_at(site.url(file), "mine"))
    both = load_quartet(Path("checkpoints/mine"))
    assert both.missing() == ("D_A", "D_B")
    assert both.G_A is not None
    assert both.G_B is not None
    assert (resnet(both.G_A).widths.stem, resnet(both.G_B).widths.stem) == (4, 5)
    record = json.loads(Path("checkpoints/mine", RECORD).read_text())
    assert record["files"].keys() == site.files.keys()


def test_interrupted_download_goes_on(bears: Item, site: Site) -> None:
    site.files["bears.zip"] = body = zipped(MEMBERS | {"bears/large": random.Random(0).randbytes(100_000)})
    known = with_sha256(bears, hashlib.sha256(body).hexdigest())
    site.cuts = [65_536]
    with pytest.raises(DownloadError, match="65,536 bytes are kept; to go on, run again: the same command"):
        bring(known)
    assert not Path("datasets/bears").exists()
    assert tree()["datasets/.bears.download/bears.zip"] == body[:65_536]
    bring(known)
    assert site.asked == [None, "bytes=65536-"]
    assert entries()[:2] == ["datasets", "datasets/bears"]


def test_stop_while_unpacking_leaves_no_folder_and_fetches_nothing_again(
    bears: Item, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = site.files["bears.zip"]
    bears = replace(bears, file_bytes=len(body), sha256=hashlib.sha256(body).hexdigest())

    def stopped(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", stopped)
        with pytest.raises(KeyboardInterrupt):
            bring(bears)
    assert entries() == [
        "datasets", "datasets/.bears.download", "datasets/.bears.download/.lock",
        "datasets/.bears.download/bears.zip",
    ]  # fmt: skip
    bring(bears)
    assert len(site.asked) == 1
    assert Path("datasets/bears/trainA/0.png").is_file()


def test_leftovers_of_a_killed_unpacking_do_not_get_in(bears: Item) -> None:
    left = Path("datasets/.bears.download/unpacked/bears/trainA/stale.png")
    left.parent.mkdir(parents=True)
    left.write_bytes(b"x")
    bring(bears)
    assert len(list(Path("datasets/bears/trainA").iterdir())) == 2
    assert not left.exists()


HTML = b"<!DOCTYPE html>\n<html>File not found</html>"


@pytest.mark.parametrize("content", [HTML, b"", network()[:1000]])
def test_what_is_no_network_is_refused_and_nothing_stays(site: Site, content: bytes) -> None:
    site.files["net.pth"] = content
    with pytest.raises(CheckpointError, match=rf"^{site.url('net.pth')}: .*; nothing of it was kept$"):
        bring(item_at(site.url("net.pth")))
    assert entries() == []


def test_html_in_place_of_a_network_is_shown(site: Site) -> None:
    site.files["net.pth"] = HTML
    with pytest.raises(CheckpointError, match=r"no checkpoint but a web page; "):
        bring(item_at(site.url("net.pth")))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (HTML, r"no archive: it starts with b'<!DOCTYPE html>\\n'"),
        (zipped({"bears/../../../evil.png": b"x"}), "would lie outside the folder"),
        (zipped({"a.txt": b"x", "b/c.txt": b"x"}), r"needed folders of pictures, .* found a.txt, b/"),
        (zipped({}), "needed folders of pictures, such as trainA and trainB, found nothing"),
        (zipped(MEMBERS)[:900], "damaged"),
    ],
)
def test_what_is_no_safe_data_set_is_refused_and_nothing_stays(site: Site, content: bytes, told: str) -> None:
    site.files["bears.zip"] = content
    with pytest.raises(DataError, match=rf"^{site.url('bears.zip')}: .*{told}.*; nothing of it was kept$"):
        bring(item_at(site.url("bears.zip")))
    assert entries() == []


def test_refused_network_leaves_its_neighbours_alone(site: Site) -> None:
    site.files |= {"latest_net_G_A.pth": network(), "latest_net_G_B.pth": HTML}
    bring(item_at(site.url("latest_net_G_A.pth"), "mine"))
    before = tree()
    with pytest.raises(CheckpointError, match="nothing of it was kept"):
        bring(item_at(site.url("latest_net_G_B.pth"), "mine"))
    assert tree() == before


def test_wrong_hash_is_refused_and_the_next_call_fetches_anew(bears: Item, site: Site) -> None:
    digest = hashlib.sha256(site.files["bears.zip"]).hexdigest()
    item, good = replace(bears, sha256=digest), site.files["bears.zip"]
    site.files["bears.zip"] = zipped(MEMBERS | {"bears/trainA/evil.png": b"x"})
    with pytest.raises(DownloadError, match=f"needed SHA-256 {digest}, found .*; nothing of it was kept"):
        bring(item)
    assert entries() == []
    site.files["bears.zip"] = good
    assert bring(item).sha256 == digest


def test_failure_leaves_nothing_where_nothing_was(site: Site) -> None:
    with pytest.raises(DownloadError, match="404 Not Found"):
        bring(item_at(site.url("bears.zip")), Path("a/b/c"))
    assert entries() == []


def test_failure_leaves_what_was_there(site: Site) -> None:
    Path("datasets").mkdir()
    with pytest.raises(DownloadError, match="404 Not Found"):
        bring(item_at(site.url("bears.zip")))
    assert entries() == ["datasets"]


def test_what_is_there_already_is_not_fetched_again(bears: Item, site: Site) -> None:
    first = bring(bears)
    before = tree()
    assert bring(bears) == replace(first, already=True)
    assert len(site.asked) == 1
    assert tree() == before


def test_network_that_is_there_already_is_not_fetched_again(site: Site) -> None:
    site.files["net.pth"] = network()
    first = bring(item_at(site.url("net.pth")))
    assert bring(item_at(site.url("net.pth"))) == replace(first, already=True)
    assert len(site.asked) == 1


def test_data_set_that_was_unpacked_by_hand_counts(bears: Item, site: Site) -> None:
    for name, content in MEMBERS.items():
        path = Path("datasets", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    found = bring(bears)
    assert (found.already, found.sha256, found.trainable) == (True, None, True)
    assert site.asked == []


@pytest.mark.parametrize(
    "taken",
    ["notes.txt", "deep/er/notes.txt", ".hidden"],
)
def test_folder_with_other_contents_is_never_touched(bears: Item, site: Site, taken: str) -> None:
    path = Path("datasets/bears", taken)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"mine")
    before = tree()
    with pytest.raises(
        UsageError, match="datasets/bears is there already with other contents; nothing is overw"
    ):
        bring(bears)
    assert tree() == before
    assert site.asked == []


def test_file_in_the_place_of_a_folder_is_never_touched(bears: Item) -> None:
    Path("datasets").mkdir()
    Path("datasets/bears").write_bytes(b"mine")
    with pytest.raises(UsageError, match="is there already with other contents"):
        bring(bears)
    assert tree() == {"datasets/bears": b"mine"}


def test_data_set_from_another_address_is_never_overwritten(bears: Item, site: Site) -> None:
    bring(bears)
    site.files["other/bears.zip"] = zipped(pictures())
    told = (
        f"other contents, from {bears.url}; nothing is overwritten: move it away, or give -o another folder"
    )
    with pytest.raises(UsageError, match=told):
        bring(item_at(site.url("other/bears.zip")))


def test_network_with_another_hash_is_never_overwritten(site: Site) -> None:
    site.files["net.pth"] = network()
    item = item_at(site.url("net.pth"))
    bring(item)
    before = tree()
    with pytest.raises(UsageError, match=r"net\.pth is there already with other contents"):
        bring(replace(item, sha256="0" * 64))
    assert tree() == before


def test_two_at_once_do_not_mix(bears: Item, site: Site) -> None:
    place = Path("datasets/.bears.download")
    place.mkdir(parents=True)
    with (
        FileLock(place / ".lock"),
        pytest.raises(DownloadError, match=r"another ganprune is fetching to .* wait for it to end"),
    ):
        bring(bears)
    assert site.asked == []


def test_working_folder_itself_can_take_a_network(site: Site) -> None:
    site.files["net.pth"] = network()
    assert bring(item_at(site.url("net.pth")), Path()).path == Path("net.pth")
    assert entries() == [RECORD, "net.pth"]
