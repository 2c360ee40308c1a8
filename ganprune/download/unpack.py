"""An archive of pictures to a folder: nothing outside it, no links, and no more than is reasonable.

Members are read by ``zipfile`` and ``tarfile`` but not extracted by them: ``tarfile``'s filter "data" lets
links inside the folder pass, ``zipfile`` renames what leads out of it, and neither knows a bound.
"""

import errno
import gzip
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from ganprune.errors import DataError
from ganprune.reporting import SILENT, Reporter

_CHUNK = 1 << 20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Compressions whose output can be had piece by piece; bzip2's and LZMA's can not."""
_BAD_NAME = (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ)
"""What systems say of a file name that they do not take."""
_JUNK = ("__MACOSX", ".DS_Store", "Thumbs.db")  # what file managers leave in archives


@dataclass(frozen=True, slots=True)
class Limits:
    """How much an archive may unpack to."""

    ratio: int = 100
    """Bytes for each byte of the archive. Pictures hardly shrink; a zip bomb's ratio is above 1000."""
    floor: int = 64 << 20  # bytes that are always allowed, however small the archive
    total: int = 100 << 30  # bytes that are never exceeded
    members: int = 200_000  # files and folders
    depth: int = 32  # folders above a file


@dataclass(frozen=True, slots=True)
class _Member:
    """One entry of an archive."""

    name: str
    kind: str  # "file", "folder", or in words what it is instead
    size: int  # bytes of content, as the archive says
    open: Callable[[], IO[bytes]]


def unpack(archive: Path, folder: Path, limits: Limits | None = None, reporter: Reporter = SILENT) -> None:
    """Unpack a zip, or a tar compressed by gzip, into ``folder``, which must be empty or not there.

    Raises `DataError`, with nothing written, where ``archive`` is neither, where a member is no plain file or
    folder or would lie outside ``folder``, and where all together would exceed ``limits``. Where the content
    of a member is damaged `DataError` is raised with some files written.
    """
    with _damage_told(), _opened(archive) as members:
        accepted = list(_accepted(members, archive, limits or Limits()))
        with reporter.task(f"unpack {archive.name}", len(accepted)) as task:
            for parts, member in accepted:
                _write(member, folder.joinpath(*parts))
                task.advance()


@contextmanager
def _opened(archive: Path) -> Generator[Iterable[_Member]]:
    """The members of an archive of either kind, told by its first bytes."""
    with archive.open("rb") as file:
        head = file.read(16)
    if head.startswith(b"PK"):
        with zipfile.ZipFile(archive) as file:
            yield [_zip_member(file, info) for info in file.infolist()]
    elif head.startswith(b"\x1f\x8b"):
        with _Gunzip(archive) as stream, tarfile.TarFile(fileobj=stream) as file:
            yield (_tar_member(file, info) for info in file)
    else:
        raise DataError(f"no archive: it starts with {head!r}; a zip or a tar.gz was needed")


def _zip_member(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Member:
    mode, name = info.external_attr >> 16, info.orig_filename
    kind = "folder" if name.endswith(("/", "\\")) else "file"
    if stat.S_IFMT(mode):
        kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "a symbolic link"}
        kind = kinds.get(stat.S_IFMT(mode), "no plain file")
    if info.flag_bits & 1:
        kind = "encrypted"
    elif kind == "file" and info.compress_type not in _METHODS:
        kind = f"compressed by method {info.compress_type}, which is not read"
    return _Member(name, kind, info.file_size, lambda: file.open(info))


def _tar_member(file: tarfile.TarFile, info: tarfile.TarInfo) -> _Member:
    kinds = {tarfile.REGTYPE: "file", tarfile.AREGTYPE: "file", tarfile.DIRTYPE: "folder",
             tarfile.SYMTYPE: "a symbolic link", tarfile.LNKTYPE: "a hard link"}  # fmt: skip
    kind = kinds.get(info.type, "no plain file")
    return _Member(info.name, kind, info.size, lambda: cast(IO[bytes], file.extractfile(info)))


class _Gunzip(gzip.GzipFile):
    """Decompresses a little at a time: tarfile reads a header of any length at once."""

    def read(self, size: int | None = -1) -> bytes:
        if size is None or not 0 <= size <= _CHUNK:
            raise DataError("refused: it has a header of unreasonable length")
        return super().read(size)


def _accepted(
    members: Iterable[_Member], archive: Path, limits: Limits
) -> Iterator[tuple[tuple[str, ...], _Member]]:
    """The members with their paths, junk left out. Raises `DataError` at the first one that is refused."""
    most = min(limits.total, max(limits.floor, limits.ratio * archive.stat().st_size))
    size, seen = 0, set[tuple[str, ...]]()
    for number, member in enumerate(members, start=1):
        parts, shown = _parts(member.name), _shown(member.name)
        size += member.size
        if member.kind not in ("file", "folder"):
            raise DataError(f"refused: {shown} is {member.kind}; only files and folders are unpacked")
        if member.size < 0 or (member.kind == "file" and not parts):
            raise DataError(f"damaged: it holds a file {shown} of {member.size} bytes")
        if size > most or number > limits.members:
            raise DataError(
                f"refused: it would unpack to more than {most:,} bytes or {limits.members:,} files, which no "
                "pictures need"
            )
        if len(parts) > limits.depth:
            raise DataError(f"refused: {shown} lies more than {limits.depth} folders deep")
        if parts in seen and member.kind == "file":
            raise DataError(f"refused: {shown} is in it twice")
        seen.add(parts)
        if parts and parts[0] not in _JUNK and parts[-1] not in _JUNK:
            yield parts, member


def _parts(name: str) -> tuple[str, ...]:
    """The path of a member below the folder. Raises `DataError` for one that leads out of it anywhere."""
    path = name.replace("\\", "/")
    parts = tuple(part for part in path.split("/") if part not in ("", "."))
    if path.startswith("/") or ".." in parts or "\0" in path or any(re.match("[A-Za-z]:", p) for p in parts):
        raise DataError(f"refused: {_shown(name)} would lie outside the folder that it is unpacked to")
    return parts


def _shown(name: str) -> str:
    return ascii(name) if len(name) <= 100 else ascii(name[:100])[:-1] + "…'"


def _write(member: _Member, path: Path) -> None:
    try:
        folder = path if member.kind == "folder" else path.parent
        folder.mkdir(parents=True, exist_ok=True)
        if member.kind == "folder":
            return
        target = path.open("xb")
    except (FileExistsError, NotADirectoryError):
        raise DataError(f"refused: {_shown(member.name)} is in it twice") from None
    except OSError as error:
        if error.errno in _BAD_NAME:
            reason = f"cannot be written here: {error.strerror}"
            raise DataError(f"refused: {_shown(member.name)} {reason}") from None
        raise
    with target, member.open() as source:
        shutil.copyfileobj(source, target, _CHUNK)
    if (found := path.stat().st_size) != member.size:
        raise DataError(f"damaged: {_shown(member.name)} has {found:,} bytes, not {member.size:,}")


@contextmanager
def _damage_told() -> Generator[None]:
    """Make whatever the standard library says of a damaged archive a `DataError`."""
    try:
        yield
    except (
        zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError, RuntimeError
    ) as error:  # fmt: skip
        raise DataError(f"damaged: {' '.join(str(error).split())[:200] or type(error).__name__}") from error
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise DataError("damaged: it sends its reader to a place before its start") from error
