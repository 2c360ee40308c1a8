"""Archives to folders: the same pictures, nothing outside, nothing out of proportion."""

import gzip
import io
import os
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganprune.download.unpack import Limits, unpack
from ganprune.errors import DataError
from tests.download.site import pictures, tarred, zipped

MEMBERS = pictures("h/")
SMALL = Limits(floor=100_000, ratio=10)


def _contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def _unpacked(tmp_path: Path, archive: bytes, limits: Limits | None = None) -> Path:
    """A folder with the archive beside it, and nothing else around."""
    (tmp_path / "archive").write_bytes(archive)
    unpack(tmp_path / "archive", tmp_path / "out" / "in", limits)
    return tmp_path / "out" / "in"


def _everything(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in tmp_path.rglob("*"))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip_gives_what_was_packed(tmp_path: Path, method: int) -> None:
    assert _contents(_unpacked(tmp_path, zipped(MEMBERS, method))) == MEMBERS


def test_tar_gives_what_was_packed(tmp_path: Path) -> None:
    assert _contents(_unpacked(tmp_path, tarred(MEMBERS))) == MEMBERS


def test_large_member_comes_whole(tmp_path: Path) -> None:
    members = {"trainA/large.ppm": os.urandom(3_000_001)}
    assert _contents(_unpacked(tmp_path, tarred(members))) == members


def test_what_file_managers_leave_is_left_out(tmp_path: Path) -> None:
    junk = {"__MACOSX/h/trainA/._0.png": b"x", "h/.DS_Store": b"x", "h/trainA/Thumbs.db": b"x"}
    assert _contents(_unpacked(tmp_path, zipped(MEMBERS | junk))) == MEMBERS


def test_names_as_windows_writes_them_are_paths(tmp_path: Path) -> None:
    archive = zipped({"h\\": b"", "h\\trainA\\": b"", "h\\trainA\\0.png": b"x"})
    assert _contents(_unpacked(tmp_path, archive)) == {"h/trainA/0.png": b"x"}


def test_files_are_plain_whatever_rights_they_were_packed_with(tmp_path: Path) -> None:
    info = tarfile.TarInfo("trainA/0.png")
    info.mode = 0o6777
    folder = _unpacked(tmp_path, tarred({"0": info}))
    assert not (folder / "trainA/0.png").stat().st_mode & 0o7111


ESCAPES = (
    "../evil",
    "a/../../evil",
    "/evil",
    "\\evil",
    "..\\evil",
    "C:\\evil",
    "a/C:/evil",
    "c:evil",
    "a/..",
    "//x/y",
)


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize("name", ESCAPES)
def test_paths_that_lead_out_are_refused(
    tmp_path: Path, pack: Callable[[dict[str, bytes]], bytes], name: str
) -> None:
    with pytest.raises(DataError, match=r"refused: .* would lie outside the folder") as refusal:
        _unpacked(tmp_path, pack({"trainA/0.png": b"x", name: b"x"}))
    assert ascii(name) in str(refusal.value)
    assert _everything(tmp_path) == ["archive"]


@given(st.text(st.sampled_from("./\\:aC\0~-é\n "), min_size=1, max_size=12))
def test_no_name_whatever_leads_out(name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            _unpacked(Path(folder), zipped({name: b"x"}))
        except DataError:
            assert _everything(Path(folder)) == ["archive"]
        else:
            outside = [p for p in Path(folder).rglob("*") if not p.is_relative_to(Path(folder, "out", "in"))]
            assert {p.name for p in outside} <= {"archive", "out"}


def _tar_kind(kind: bytes, target: str = "") -> bytes:
    info = tarfile.TarInfo("trainA/bad")
    info.type, info.linkname = kind, target
    return tarred({"trainA/0.png": b"x", "bad": info})


def _zip_kind(mode: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("trainA/0.png", b"x")
        info = zipfile.ZipInfo("trainA/bad")
        info.external_attr = mode << 16
        archive.writestr(info, "/etc")
    return file.getvalue()


def _encrypted() -> bytes:
    data = bytearray(zipped({"trainA/bad": b"x"}, zipfile.ZIP_STORED))
    data[data.index(b"PK\x01\x02") + 8] |= 1  # general purpose flag 0 of the central directory
    return bytes(data)


STRANGE: dict[str, tuple[bytes, str]] = {
    "symbolic link in a tar": (_tar_kind(tarfile.SYMTYPE, "/etc"), "is a symbolic link"),
    "hard link in a tar": (_tar_kind(tarfile.LNKTYPE, "/etc/passwd"), "is a hard link"),
    "character device": (_tar_kind(tarfile.CHRTYPE), "is no plain file"),
    "block device": (_tar_kind(tarfile.BLKTYPE), "is no plain file"),
    "pipe": (_tar_kind(tarfile.FIFOTYPE), "is no plain file"),
    "symbolic link in a zip": (_zip_kind(stat.S_IFLNK | 0o777), "is a symbolic link"),
    "device in a zip": (_zip_kind(stat.S_IFCHR | 0o600), "is no plain file"),
    "encrypted": (_encrypted(), "is encrypted"),
    "unusual compression": (zipped({"trainA/bad": b"x"}, zipfile.ZIP_BZIP2), "compressed by method 12"),
}


@pytest.mark.parametrize("what", STRANGE)
def test_members_that_are_no_plain_files_are_refused_by_name(tmp_path: Path, what: str) -> None:
    archive, told = STRANGE[what]
    with pytest.raises(DataError, match=f"refused: 'trainA/bad' is {told.removeprefix('is ')}"):
        _unpacked(tmp_path, archive)
    assert _everything(tmp_path) == ["archive"]


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_bomb_is_refused_before_it_goes_off(
    tmp_path: Path, pack: Callable[[dict[str, bytes]], bytes]
) -> None:
    archive = pack({f"trainA/{i}.ppm": bytes(1_000_000) for i in range(3)})
    assert len(archive) < 30_000
    with pytest.raises(DataError, match="refused: it would unpack to more than 100,000 bytes"):
        _unpacked(tmp_path, archive, SMALL)
    assert _everything(tmp_path) == ["archive"]


def test_total_is_bounded_whatever_the_ratio(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="more than 5,000 bytes"):
        _unpacked(tmp_path, zipped({"trainA/0.png": os.urandom(6000)}), Limits(total=5000))


def test_number_of_members_is_bounded(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="or 3 files"):
        _unpacked(tmp_path, tarred({f"trainA/{i}": b"" for i in range(4)}), replace(SMALL, members=3))


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_folders_without_end_in_each_other_are_refused(
    tmp_path: Path, pack: Callable[[dict[str, bytes]], bytes]
) -> None:
    with pytest.raises(DataError, match=r"refused: 'a/a/a.*…' lies more than 32 folders deep"):
        _unpacked(tmp_path, pack({"a/" * 1500 + "0.png": b"x"}))
    assert _everything(tmp_path) == ["archive"]


def test_tar_header_of_unreasonable_length_is_refused_unread(tmp_path: Path) -> None:
    header = tarfile.TarInfo("././@PaxHeader")
    header.type, header.size = tarfile.XHDTYPE, 50_000_000
    bomb = gzip.compress(header.tobuf(tarfile.USTAR_FORMAT) + bytes(50_000_000))
    with pytest.raises(DataError, match="header of unreasonable length"):
        _unpacked(tmp_path, bomb)


def test_tar_member_of_negative_size_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("trainA/0.png")
    info.size = -512
    with pytest.raises(DataError, match="damaged"):
        _unpacked(tmp_path, gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024)))


@pytest.mark.parametrize(
    "members", [("a/0.png", "a/0.png"), ("a/0.png", "a//0.png"), ("a", "a/0.png"), ("a/0.png", "a")]
)
def test_names_that_collide_are_refused(tmp_path: Path, members: tuple[str, str]) -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name in members:
            archive.addfile(tarfile.TarInfo(name))
    with pytest.raises(DataError, match="is in it twice"):
        _unpacked(tmp_path, file.getvalue())


def test_name_that_no_disk_takes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"refused: 'trainA/a+…' cannot be written here: File name too long"):
        _unpacked(tmp_path, tarred({f"trainA/{'a' * 300}.png": b"x"}))


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_truncated_archive_is_called_damaged(
    tmp_path: Path, pack: Callable[[dict[str, bytes]], bytes]
) -> None:
    archive = pack({f"trainA/{i}.png": os.urandom(5000) for i in range(4)})
    with pytest.raises(DataError, match="damaged: "):
        _unpacked(tmp_path, archive[: len(archive) // 2])


def test_flipped_bit_is_called_damaged(tmp_path: Path) -> None:
    archive = bytearray(zipped({"trainA/0.png": os.urandom(5000)}, zipfile.ZIP_STORED))
    archive[2000] ^= 1
    with pytest.raises(DataError, match="damaged: Bad CRC-32"):
        _unpacked(tmp_path, bytes(archive))


def test_size_that_the_archive_lies_about_is_damage(tmp_path: Path) -> None:
    archive = bytearray(zipped({"trainA/0.png": bytes(5000)}))
    where = archive.index(b"PK\x01\x02") + 24  # the uncompressed size in the central directory
    archive[where : where + 4] = (4000).to_bytes(4, "little")
    with pytest.raises(DataError, match="damaged: "):
        _unpacked(tmp_path, bytes(archive))


@pytest.mark.parametrize("content", [b"<!DOCTYPE html><html>", b"", b"\x7fELF"])
def test_what_is_no_archive_is_told_by_its_first_bytes(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataError, match=r"no archive: it starts with b'.*'; a zip or a tar.gz was needed"):
        _unpacked(tmp_path, content)


def test_gzip_of_something_else_is_damaged(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="damaged: "):
        _unpacked(tmp_path, gzip.compress(b"just words, no tar" * 100))
