"""What can be fetched by name, and from where: ``catalog.toml``.

Names and addresses are those of ``scripts/download_cyclegan_model.sh`` and
``datasets/download_cyclegan_dataset.sh`` of junyanz/pytorch-CycleGAN-and-pix2pix. The publisher gives neither
sizes nor checksums. Those of the data sets are from TensorFlow Datasets (``url_checksums/cycle_gan.txt``),
which recorded them at an earlier address of the same archives. None stands where no source is known.
"""

import difflib
import re
import string
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote, urlsplit

from ganprune.errors import UsageError

Kind = Literal["data set", "network"]

BASE = "http://efrosgans.eecs.berkeley.edu/cyclegan/"  # what the addresses of all public items begin with

PYTORCH = "download.pytorch.org"

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
    file_bytes: int | None = None
    """Bytes, where published."""
    sha256: str | None = None
    """SHA-256 of the file, hexadecimal digits in lower case, where published: all 64, or the first ones."""

    @property
    def folder(self) -> Path:
        """Where it goes by default: ``datasets/NAME`` or ``checkpoints/NAME``."""
        return Path("datasets" if self.kind == "data set" else "checkpoints") / self.name


def _catalog() -> Iterator[Item]:
    held = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    for name, facts in held["data-sets"].items():
        yield Item(name, "data set", f"{BASE}datasets/{name}.zip", f"{name}.zip", **facts)
    for name, about in held["networks"].items():
        url = f"{BASE}pretrained_models/{name}.pth"
        yield Item(f"{name}_pretrained", "network", url, "latest_net_G.pth", about)


CATALOG: Mapping[str, Item] = {item.name: item for item in _catalog()}  # every public item by its name


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
    # PyTorch's own site puts the first digits of the SHA-256 into its files' names.
    told = re.search(r"-([0-9a-f]{8})\.pth$", file) if urlsplit(url).hostname == PYTORCH else None
    digits = None if told is None else told[1]
    return Item(name, SUFFIXES[suffix], quote(url, safe=string.punctuation), file, sha256=digits)


def with_sha256(item: Item, digits: str) -> Item:
    """``item`` with a hash that it must have. Raises `UsageError` unless it is 64 hexadecimal digits."""
    digits = digits.strip().lower()
    if len(digits) != 64 or not set(digits) <= set("0123456789abcdef"):
        raise UsageError(f"--sha256 needs 64 hexadecimal digits, found {digits!r}")
    return replace(item, sha256=digits)
