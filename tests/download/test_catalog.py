"""The table, and addresses of one's own."""

import re

import pytest

from ganprune.download import CATALOG, find_item, item_at, with_sha256
from ganprune.errors import UsageError

NETWORKS = """apple2orange, orange2apple, summer2winter_yosemite, winter2summer_yosemite, horse2zebra,
zebra2horse, monet2photo, style_monet, style_cezanne, style_ukiyoe, style_vangogh, sat2map, map2sat,
cityscapes_photo2label, cityscapes_label2photo, facades_photo2label, facades_label2photo,
iphone2dslr_flower"""
"""As CycleGAN's download_cyclegan_model.sh lists them."""

DATA_SETS = """apple2orange, summer2winter_yosemite, horse2zebra, monet2photo, cezanne2photo, ukiyoe2photo,
vangogh2photo, maps, facades, iphone2dslr_flower, ae_photos"""
"""As CycleGAN's download_cyclegan_dataset.sh lists them, without cityscapes."""


def test_table_holds_what_the_publisher_lists_where_its_scripts_put_it() -> None:
    expected: dict[str, tuple[str, str]] = {}
    for name in re.split(r",\s+", DATA_SETS):
        expected[name] = (f"datasets/{name}.zip", f"datasets/{name}")
    for name in re.split(r",\s+", NETWORKS):
        place = f"checkpoints/{name}_pretrained/latest_net_G.pth"
        expected[f"{name}_pretrained"] = (f"pretrained_models/{name}.pth", place)
    found = {
        name: (
            item.url.removeprefix("http://efrosgans.eecs.berkeley.edu/cyclegan/"),
            str(item.folder / item.file if item.kind == "network" else item.folder),
        )
        for name, item in CATALOG.items()
    }
    assert found == expected


def test_sizes_and_hashes_come_together_and_for_one_file_only() -> None:
    hashes = [item.sha256 for item in CATALOG.values() if item.sha256]
    assert len(set(hashes)) == len(hashes) == 10
    for item in CATALOG.values():
        assert (item.file_bytes is None) == (item.sha256 is None)
        assert item.sha256 is None or re.fullmatch("[0-9a-f]{64}", item.sha256)
        assert item.file_bytes is None or 30e6 < item.file_bytes < 1.5e9


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("horse2zebar", "horse2zebra"),
        ("zebra2horse", "zebra2horse_pretrained"),
        ("style_monet", "style_monet_pretrained"),
        ("horse2zebra_pretraind", "horse2zebra_pretrained"),
        ("Maps", "maps"),
    ],
)
def test_unknown_name_is_told_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(UsageError, match=f"'{name}' is not known; the nearest name is {nearest};"):
        find_item(name)


def test_cityscapes_is_told_why_it_is_not_there() -> None:
    with pytest.raises(
        UsageError, match=r"for licence reasons; get .* from https://www\.cityscapes-dataset\.com"
    ):
        find_item("cityscapes")


@pytest.mark.parametrize(
    ("url", "name", "expected"),
    [
        ("https://x.org/a/bears.zip", None, ("bears", "data set", "bears.zip")),
        ("http://x.org/bears.tar.gz?download=1#top", None, ("bears", "data set", "bears.tar.gz")),
        ("http://x.org:8080/Bears.TGZ", "mine", ("mine", "data set", "Bears.TGZ")),
        ("https://x.org/latest_net_G_A.pth", "mine", ("mine", "network", "latest_net_G_A.pth")),
        ("https://x.org/my%20net.v2.pt", None, ("my net.v2", "network", "my net.v2.pt")),
        ("https://x.org/G_A.safetensors", None, ("G_A", "network", "G_A.safetensors")),
    ],
)
def test_name_and_kind_are_read_off_the_address(
    url: str, name: str | None, expected: tuple[str, str, str]
) -> None:
    item = item_at(url, name)
    assert (item.name, item.kind, item.file) == expected
    assert (item.url, item.file_bytes, item.sha256) == (url, None, None)


def test_letters_that_http_does_not_know_are_quoted() -> None:
    assert item_at("http://x.org/bären.zip").url == "http://x.org/b%C3%A4ren.zip"


@pytest.mark.parametrize(
    "url", ["file:///etc/x.zip", "ftp://x.org/x.zip", "x.org/x.zip", "http:///x.zip", "http://me:pw@x.org/x.zip",
            "http://x:no/x.zip", "http://x:99999/x.zip", "http://[x/x.zip", ""]
)  # fmt: skip
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(UsageError, match="--from needs an address that starts with http"):
        item_at(url)


@pytest.mark.parametrize(
    "url", ["http://x.org/", "http://x.org/x.rar", "http://x.org/x.zip/", "http://x.org/x?f=x.zip"]
)
def test_other_endings_are_refused(url: str) -> None:
    with pytest.raises(UsageError, match=r"--from needs an address that ends in \.pth .* \.tgz, found http"):
        item_at(url)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "a\\b", "/etc", ".x", "C:x", "a\nb", "a.", "a\0"]
)
def test_names_that_are_no_plain_folder_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="is no name for a file or folder here"):
        item_at("http://x.org/x.zip", name)


@pytest.mark.parametrize("file", ["..%2Fx.zip", "%2e%2e%5Cx.zip", ".zip", "%00.zip", ".hidden.zip"])
def test_addresses_do_not_choose_where_a_file_goes(file: str) -> None:
    assert item_at_or_none(f"http://x.org/{file}") in (None, "x.zip")


def item_at_or_none(url: str) -> str | None:
    try:
        return item_at(url).file
    except UsageError:
        return None


@pytest.mark.parametrize("digits", ["", "abc", "g" * 64, "a" * 63, "٣" * 64])
def test_hash_must_be_one(digits: str) -> None:
    with pytest.raises(UsageError, match="--sha256 needs 64 hexadecimal digits"):
        with_sha256(find_item("maps"), digits)


def test_hash_may_be_in_capitals() -> None:
    assert with_sha256(find_item("maps"), "AB" * 32).sha256 == "ab" * 32


def test_hash_is_read_off_the_names_that_pytorch_gives_its_files() -> None:
    weights = "mobilenet_v2-7ebf99e0.pth"
    assert item_at(f"https://download.pytorch.org/models/{weights}").sha256 == "7ebf99e0"
    assert item_at(f"https://x.org/models/{weights}").sha256 is None
