"""Pictures and folders that harm, and disks that fail: nothing runs, nothing has no end, nothing is lost."""

import errno
import io
import os
import re
import struct
import subprocess
import sys
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image, features

from ganprune.errors import DamagedPicture, DataError
from ganprune.images import find_domains, load_pictures, open_picture, readable
from ganprune.images.folders import pictures_below
from ganprune.images.reading import FORMATS, stored_picture
from ganprune.translation.targets import find_pictures
from tests.images.pictures import domains, draw, last, write

REPOSITORY = Path(__file__).parents[2]
POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n%%EndComments\n(x) show\nshowpage\n%%EOF\n"


@pytest.fixture
def ghostscript(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that appears when Pillow starts ``gs``."""
    trace, folder = tmp_path / "trace", tmp_path / "bin"
    folder.mkdir()
    (folder / "gs").write_text(f"#!/bin/sh\ntouch {trace}\n")
    (folder / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)  # it is looked for once
    return trace


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0",
            "a Git LFS pointer: run `git lfs pull`",
        ),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC or AVIF: convert it"),
        (b"\0\0\0\x20ftypavif\0\0\0\0", "HEIC or AVIF: convert it"),
        (b"\n<!DOCTYPE html><title>404</title>", "a web page: download it again"),
    ],
)
def test_what_often_lies_in_a_pictures_place_is_named(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(DamagedPicture, match=re.escape(f"a.jpg cannot be read as a picture ({told}")):
        open_picture(tmp_path / "a.jpg")


def test_postscript_named_png_starts_no_program(tmp_path: Path, ghostscript: Path) -> None:
    (tmp_path / "a.png").write_bytes(POSTSCRIPT)
    with pytest.raises(DamagedPicture, match=r"\(no picture\); remove or replace it"):
        open_picture(tmp_path / "a.png")
    assert not ghostscript.exists()
    with Image.open(tmp_path / "a.png") as picture, suppress(OSError):  # ours makes no picture
        picture.load()
    assert ghostscript.exists()


def test_pictures_are_opened_in_one_place_with_the_formats_that_are_meant() -> None:
    sources = [
        path for part in ("ganprune", "cli", "exporters") for path in (REPOSITORY / part).rglob("*.py")
    ]
    opens = [path.name for path in sources for _ in re.findall(r"Image\.open\(", path.read_text())]
    assert opens == ["reading.py"]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_that_is_meant_is_read_whatever_the_ending(tmp_path: Path, name: str) -> None:
    draw(0).save(tmp_path / "a.png", format=name)
    with Image.open(tmp_path / "a.png") as picture:
        wanted = np.asarray(picture.convert("RGB"))
    assert np.array_equal(last(open_picture(tmp_path / "a.png")), wanted)


@pytest.mark.parametrize("name", ["PDF", "ICNS", "TGA", "PCX", "SGI", "DDS"])
def test_other_formats_are_no_pictures(tmp_path: Path, name: str) -> None:
    draw(0).save(tmp_path / "a.png", format=name)
    with pytest.raises(DamagedPicture, match=r"a\.png cannot be read as a picture \(no picture\)"):
        open_picture(tmp_path / "a.png")


def _fits() -> bytes:
    cards = ("SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 2", "NAXIS1  = 30000", "NAXIS2  = 30000", "END")
    return "".join(card.ljust(80) for card in cards).ljust(2880).encode() + zlib.compress(bytes(1 << 20))


def _tiff_of_huge_tiles() -> bytes:
    """4×4 pixels in one tile of 20,000×20,000, packed."""
    tile = zlib.compress(bytes(1 << 16))
    tags = [(256, 4), (257, 4), (258, 8), (259, 8), (262, 1), (277, 1), (322, 20000), (323, 20000)]
    entries = [*tags, (324, 8 + 2 + 12 * 10 + 4), (325, len(tile))]
    table = b"".join(
        tag.to_bytes(2, "little") + b"\4\0\1\0\0\0" + n.to_bytes(4, "little") for tag, n in entries
    )
    return b"II*\0\x08\0\0\0" + len(entries).to_bytes(2, "little") + table + bytes(4) + tile


def _claiming(kind: str, width: int, height: int) -> bytes:
    """A small picture that says it is of another size."""
    file = io.BytesIO()
    draw(0).save(file, format=kind)
    small = bytearray(file.getvalue())
    match kind:
        case "PPM":
            return bytes(small.replace(b"40 32", b"%d %d" % (width, height)))
        case "GIF":
            small[6:10] = struct.pack("<2H", width, height)
        case "BMP":
            small[18:26] = struct.pack("<2I", width, height)
        case _:
            small[16:24] = struct.pack(">2I", width, height)
            small[29:33] = struct.pack(">I", zlib.crc32(small[12:29]))
    return bytes(small)


@pytest.mark.parametrize("limit", ["Pillow's", None])
@pytest.mark.parametrize("kind", ["PNG", "PPM", "GIF", "BMP"])
def test_pixels_are_bounded_in_every_format_whatever_pillow_is_told(
    tmp_path: Path, kind: str, limit: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if limit is None:
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    (tmp_path / "a.png").write_bytes(_claiming(kind, 18_000, 10_000))
    with pytest.raises(DamagedPicture, match="far too large: over 178 million pixels"):
        open_picture(tmp_path / "a.png")


LITTLE = """
import pathlib, resource, sys
from ganprune.errors import DamagedPicture
from ganprune.images import open_picture
limit = 2 << 30
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
for name in sys.argv[1:]:
    try:
        open_picture(pathlib.Path(name))
    except DamagedPicture as error:
        print(error)
"""


def test_small_files_that_unpack_to_much_are_refused_in_little_memory(tmp_path: Path) -> None:
    (tmp_path / "fits.tif").write_bytes(_fits())
    (tmp_path / "tiles.tif").write_bytes(_tiff_of_huge_tiles())
    command = [sys.executable, "-c", LITTLE, "fits.tif", "tiles.tif"]
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True, timeout=60)
    told = done.stdout.splitlines()
    assert [line.partition(" cannot be read as a picture")[0] for line in told] == ["fits.tif", "tiles.tif"]


def test_a_file_of_gigabytes_and_a_pipe_are_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate((2 << 30) + 1)  # takes no room on the disk
    os.mkfifo(tmp_path / "b.png")
    for name, told in (("a.png", "far too large"), ("b.png", "damaged: no regular file")):
        with pytest.raises(DamagedPicture, match=told):
            stored_picture(tmp_path / name)


def _pictures(folder: Path, walked: tuple[Path, ...]) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in walked]


def test_links_to_their_own_folder_give_every_picture_once(tmp_path: Path) -> None:
    domains(tmp_path, {"trainA": 2, "trainB": 2, "trainA/more": 1})
    for place, target in (("one", "."), ("two", ".."), ("more/three", "..")):
        (tmp_path / "trainA" / place).symlink_to(target, target_is_directory=True)
    here = ["000.png", "001.png", "more/000.png", "two/trainB/000.png", "two/trainB/001.png"]
    assert _pictures(tmp_path / "trainA", find_domains(tmp_path).train_A) == here
    assert len(find_pictures(tmp_path / "trainA", tmp_path / "out")) == 5


def test_of_a_folder_and_a_link_to_it_the_folder_is_taken(tmp_path: Path) -> None:
    write(tmp_path / "real/a.png", 0)
    (tmp_path / "another").symlink_to("real", target_is_directory=True)
    assert _pictures(tmp_path, pictures_below(tmp_path)) == ["real/a.png"]


def test_folders_in_each_other_beyond_pythons_recursion_are_walked(tmp_path: Path) -> None:
    folders = [tmp_path]
    for _ in range(sys.getrecursionlimit() + 100):
        folders.append(folders[-1] / "a")
        folders[-1].mkdir()
    draw(0).save(folders[-1] / "0.png")
    assert [path.name for path in pictures_below(tmp_path)] == ["0.png"]
    (folders[-1] / "0.png").unlink()
    for folder in reversed(folders[1:]):  # pytest could not
        folder.rmdir()


def test_a_picture_that_the_disk_does_not_give_ends_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    domains(tmp_path, {"trainA": 20, "trainB": 20})
    read = Path.read_bytes

    def failing(self: Path) -> bytes:
        if self.name == "004.png":
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(self))
        return read(self)

    monkeypatch.setattr(Path, "read_bytes", failing)
    with pytest.raises(
        DataError, match=r"trainA/004\.png cannot be read: Input/output error; make it readable"
    ):
        readable(find_domains(tmp_path))


def test_a_picture_that_is_gone_ends_the_command(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{i}.png", i) for i in range(20)]
    paths[3].unlink()
    paths[3].symlink_to("nowhere")
    with pytest.raises(
        DataError, match=r"3\.png cannot be read: No such file or directory; make it readable"
    ):
        load_pictures(paths, 16)


def test_a_subfolder_that_may_not_be_read_ends_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    domains(tmp_path, {"trainA": 2, "trainB": 2, "trainA/more": 2})
    scandir = os.scandir

    def failing(place: Path) -> object:
        if Path(place).name == "more":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(place))
        return scandir(place)

    monkeypatch.setattr(os, "scandir", failing)
    with pytest.raises(DataError, match=r"trainA/more cannot be read: Permission denied; make it readable"):
        find_domains(tmp_path)


def test_tests_see_what_pillow_can_do() -> None:
    assert features.check("webp")
    assert features.check("libtiff")
