"""What can be fetched by name, and from where.

Names and addresses are those of ``scripts/download_cyclegan_model.sh`` and
``datasets/download_cyclegan_dataset.sh`` of junyanz/pytorch-CycleGAN-and-pix2pix. The publisher gives neither
sizes nor checksums. Those of the data sets are from TensorFlow Datasets (``url_checksums/cycle_gan.txt``),
which recorded them at an earlier address of the same archives. None stands where no source is known.
"""

import difflib
import re
import string
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote, urlsplit

from ganprune.errors import UsageError

Kind = Literal["data set", "network"]

BASE = "http://efrosgans.eecs.berkeley.edu/cyclegan/"
"""What the addresses of all public items begin with."""

SUFFIXES: Mapping[str, Kind] = {
    ".pth": "network", ".pt": "network", ".safetensors": "network",
    ".zip": "data set", ".tar.gz": "data set", ".tgz": "data set",
}  # fmt: skip
"""Endings of addresses, and what they hold."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to fetch."""

    name: str
    """What it is asked for by; the folder it goes to is called the same."""
    kind: Kind
    """A data set is an archive that gets unpacked, a network is one file."""
    url: str
    """Its address, http or https."""
    file: str
    """File name: of a network, where it is kept; of an archive, while it is fetched."""
    about: str = ""
    """What it is, in a few words."""
    size: int | None = None
    """Bytes, where published."""
    sha256: str | None = None
    """SHA-256 of the file, 64 hexadecimal digits in lower case, where published."""

    @property
    def folder(self) -> Path:
        """Where it goes by default: ``datasets/NAME`` or ``checkpoints/NAME``."""
        return Path("datasets" if self.kind == "data set" else "checkpoints") / self.name


def _network(name: str, about: str) -> Item:
    return Item(
        f"{name}_pretrained", "network", f"{BASE}pretrained_models/{name}.pth", "latest_net_G.pth", about
    )


def _data_set(name: str, about: str, size: int | None = None, sha256: str | None = None) -> Item:
    return Item(name, "data set", f"{BASE}datasets/{name}.zip", f"{name}.zip", about, size, sha256)


_ITEMS = (
    _data_set(
        "ae_photos", "photos by Alexei Efros, to try the style_ generators on"
    ),
    _data_set(
        "apple2orange", "apples and oranges, from ImageNet",
        78456409, "845a191e9af8926408ea597001cd03a452e3300a1f44a79fe329b3d59f6e3eb8",
    ),
    _data_set(
        "cezanne2photo", "paintings by Cézanne, and landscape photos",
        279885071, "3a6c10ca21f9485862f1cbd707744b9dc258954a04631271d23a3605eeb63cff",
    ),
    _data_set(
        "facades", "photos of facades, and their labels (CMP Facades)",
        35135868, "9a31ebf3a31b9b5cd195dd5bf62e9308e00cb94604d1019e3889ac84248695c0",
    ),
    _data_set(
        "horse2zebra", "horses and zebras, from ImageNet",
        116867962, "a74d9d392eecca9966b51287a76ca126af473d9de4f3e8fc0e9cda08fa1730a1",
    ),
    _data_set(
        "iphone2dslr_flower", "flowers by telephone and by reflex camera",
        339964458, "8fcb5e374d631b107e1d961b8c4cd0a186aa2a4ff3e279923f4c426128de7113",
    ),
    _data_set(
        "maps", "aerial photos and maps, from Google Maps",
        1476754427, "639534f69dbf9f36bef8d6292a7698006361221f83f0285d7c9ca78afe6e8a9e",
    ),
    _data_set(
        "monet2photo", "paintings by Monet, and landscape photos",
        305231073, "88f91b00fc228f97c9411fbf1880ec1d119c98f1722e4cfcfaa2fb35fac05b04",
    ),
    _data_set(
        "summer2winter_yosemite", "Yosemite in summer and in winter, from Flickr",
        132640856, "167fe1726807a9d22bd106b4a6c0bd7953b688af924ac1bf967439c4961e49f9",
    ),
    _data_set(
        "ukiyoe2photo", "ukiyo-e prints, and landscape photos",
        292946532, "02a2a2fb5ecf425ca1bf86aca7304377da64a2a1d3b86df54eb65e4068bf3b08",
    ),
    _data_set(
        "vangogh2photo", "paintings by Van Gogh, and landscape photos",
        306590349, "362c3473e70be0944bda08d49d660eafdc2854df55d697835b8186d1d79caaff",
    ),
    _network("apple2orange", "generator, apple to orange"),
    _network("cityscapes_label2photo", "generator, labels of street scenes to photo"),
    _network("cityscapes_photo2label", "generator, photo of a street to labels"),
    _network("facades_label2photo", "generator, labels of a facade to photo"),
    _network("facades_photo2label", "generator, photo of a facade to labels"),
    _network("horse2zebra", "generator, horse to zebra"),
    _network("iphone2dslr_flower", "generator, flower by telephone to flower by reflex camera"),
    _network("map2sat", "generator, map to aerial photo"),
    _network("monet2photo", "generator, painting by Monet to photo"),
    _network("orange2apple", "generator, orange to apple"),
    _network("sat2map", "generator, aerial photo to map"),
    _network("style_cezanne", "generator, photo to painting by Cézanne"),
    _network("style_monet", "generator, photo to painting by Monet"),
    _network("style_ukiyoe", "generator, photo to ukiyo-e print"),
    _network("style_vangogh", "generator, photo to painting by Van Gogh"),
    _network("summer2winter_yosemite", "generator, Yosemite in summer to winter"),
    _network("winter2summer_yosemite", "generator, Yosemite in winter to summer"),
    _network("zebra2horse", "generator, zebra to horse"),
)  # fmt: skip

CATALOG: Mapping[str, Item] = {item.name: item for item in _ITEMS}
"""Every public item by its name."""


def find_item(name: str) -> Item:
    """The item called ``name``. Raises `UsageError` with the nearest name where there is none."""
    if name in CATALOG:
        return CATALOG[name]
    if name == "cityscapes":
        raise UsageError(
            "cityscapes is not offered by CycleGAN's publisher for licence reasons; "
            "get gtFine_trainvaltest.zip and leftImg8bit_trainvaltest.zip from "
            "https://www.cityscapes-dataset.com and run CycleGAN's datasets/prepare_cityscapes_dataset.py"
        )
    pretrained = f"{name}_pretrained"
    near = pretrained if pretrained in CATALOG else difflib.get_close_matches(name, CATALOG, 1, cutoff=0)[0]
    raise UsageError(
        f"{name!r} is not known; the nearest name is {near}; `ganprune download` lists all, "
        "--from URL takes others"
    )


def item_at(url: str, name: str | None = None) -> Item:
    """The item behind an address of one's own; its name is the address's last part unless given.

    A network keeps the file name of the address, so that the networks of one training can be put together
    under one name. Raises `UsageError` unless it is http or https and ends as in `SUFFIXES`.
    """
    with suppress(ValueError):  # of a port or an IPv6 host that is none
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        if sound and "@" not in parts.netloc:
            return _item_at(url, parts.path, name)
    raise UsageError(f"--from needs an address that starts with http:// or https:// and a host, found {url}")


def _item_at(url: str, path: str, name: str | None) -> Item:
    file = unquote(path).rpartition("/")[2]
    suffix = next((end for end in SUFFIXES if file.lower().endswith(end)), None)
    if suffix is None:
        raise UsageError(f"--from needs an address that ends in {' '.join(SUFFIXES)}, found {url}")
    name = file[: -len(suffix)] if name is None else name
    for text in (name, file):
        if not re.fullmatch(r"\w[\w.+ -]*", text) or text.endswith((".", " ")):
            raise UsageError(
                f"{text!r} is no name for a file or folder here: letters, digits and . _ - + are; "
                "give a NAME before --from, or an address with a plain file name"
            )
    return Item(name, SUFFIXES[suffix], quote(url, safe=string.punctuation), file)


def with_sha256(item: Item, digits: str) -> Item:
    """``item`` with a hash that it must have. Raises `UsageError` unless it is 64 hexadecimal digits."""
    digits = digits.strip().lower()
    if len(digits) != 64 or not set(digits) <= set("0123456789abcdef"):
        raise UsageError(f"--sha256 needs 64 hexadecimal digits, found {digits!r}")
    return replace(item, sha256=digits)
