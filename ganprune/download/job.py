"""Fetch, check, unpack, put in place: what one download does, in order.

All that is unfinished lies in one hidden folder beside the result: ``datasets/.NAME.download`` for a data
set, ``checkpoints/NAME/.FILE.download`` for a network. It vanishes at the end, and when what came is refused.
Nothing that is there already is ever overwritten.
"""

import json
import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ganprune.download.catalog import Item, Kind
from ganprune.download.fetch import Patience, Transfer, fetch
from ganprune.download.unpack import Limits, unpack
from ganprune.errors import DownloadError, InputError, UsageError
from ganprune.reporting import SILENT, Reporter
from ganprune.storage.files import atomic_path, sha256, write_atomically

RECORD = ".ganprune-download.json"  # in a folder: where the files in it were fetched from, and their hashes


@dataclass(frozen=True, slots=True)
class Downloaded:
    """What is there now."""

    name: str
    kind: Kind
    path: Path  # the folder of a data set, the file of a network
    already: bool  # it was there before; nothing was fetched
    trainable: bool  # it is a data set with pictures in trainA and trainB
    sha256: str | None  # of the file that was fetched; None: not known, since something else put it there


def download(
    item: Item,
    folder: Path | None = None,
    *,
    patience: Patience | None = None,
    limits: Limits | None = None,
    reporter: Reporter = SILENT,
    again: str = "the same command",
) -> Downloaded:
    """Bring ``item`` to ``folder`` (default: `Item.folder`); a call after an interruption goes on.

    again: what to run to go on, for messages. Raises `DownloadError` where the address cannot be reached,
    breaks off or gives other bytes than were published, `CheckpointError` where what came is no network,
    `DataError` where it is no safe archive of pictures, `UsageError` where the place is taken.
    """
    folder = item.folder if folder is None else folder
    path = folder if item.kind == "data set" else folder / item.file
    by_hand = f"{'unpack it to' if item.kind == 'data set' else 'save it as'} {path}"
    if found := _already(item, folder, path):
        return found
    target = path.resolve()
    place = target.with_name(f".{target.name}.download")
    with _workplace(place, again):
        partial = place / item.file
        fetch(
            Transfer(
                item.url,
                partial,
                item.file_bytes,
                resumes=item.sha256 is not None,
                again=again,
                by_hand=f"fetch it with a browser elsewhere and {by_hand}",
            ),
            patience or Patience(),
            reporter,
        )
        try:
            facts = _verified(item, partial)
            if item.kind == "data set":
                _place_data_set(partial, target, facts, limits or Limits(), reporter)
            else:
                _place_network(partial, target, facts)
        except (InputError, DownloadError) as error:
            partial.unlink(missing_ok=True)
            raise type(error)(f"{item.url}: {error}; nothing of it was kept") from error
    return _result(item, path, False, facts["sha256"])


def _verified(item: Item, partial: Path) -> dict[str, Any]:
    """Address, size and hash of what came. Raises `DownloadError` where another hash was published."""
    found = sha256(partial)
    if not found.startswith(item.sha256 or ""):
        raise DownloadError(
            f"needed SHA-256 {item.sha256}, found {found}; the file was replaced or damaged: run again; "
            f"--from {item.url} takes what is there"
        )
    return {"url": item.url, "bytes": partial.stat().st_size, "sha256": found}


def _place_data_set(
    archive: Path, folder: Path, facts: dict[str, Any], limits: Limits, reporter: Reporter
) -> None:
    from ganprune.download.contents import find_pictures  # not before it is needed: torch takes a second

    unpacked = archive.parent / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)  # of a process that was killed
    unpacked.mkdir()
    unpack(archive, unpacked, limits, reporter)
    root = find_pictures(unpacked).root
    _write_record(root, {archive.name: facts})
    if folder.is_dir():
        folder.rmdir()  # empty, see _already
    root.rename(folder)
    archive.unlink()


def _place_network(partial: Path, file: Path, facts: dict[str, Any]) -> None:
    from ganprune.download.contents import check_network

    check_network(partial)
    _write_record(file.parent, _read_record(file.parent) | {file.name: facts})
    with atomic_path(file, over="any") as temporary:
        partial.rename(temporary)


def _already(item: Item, folder: Path, path: Path) -> Downloaded | None:
    """What is there, if it is ``item``; None: the place is free. Raises `UsageError` where it is taken."""
    note = folder / RECORD
    if note.exists() and not _read_record(folder):
        raise UsageError(f"{note} is no record of ganprune's; move it away, or give -o another folder")
    if not path.exists() or (path == folder and path.is_dir() and not any(path.iterdir())):
        return None
    record: dict[str, str] | None = _read_record(folder).get(item.file)
    found = _fitting(item, path, record)
    if found is None:
        origin = f", from {record['url']}" if record else ""
        raise UsageError(
            f"{path} is there already with other contents{origin}; nothing is overwritten: move it away, "
            "or give -o another folder"
        )
    return found


def _fitting(item: Item, path: Path, record: dict[str, str] | None) -> Downloaded | None:
    """``item`` as it lies at ``path``; None: that is something else."""
    if record and record["url"] != item.url:
        return None
    if not (path.is_file() if item.kind == "network" else path.is_dir()):
        return None
    known = sha256(path) if item.kind == "network" else record["sha256"] if record else None
    if known is not None and not known.startswith(item.sha256 or ""):
        return None
    with suppress(InputError):
        return _result(item, path, True, known)
    return None


def _result(item: Item, path: Path, already: bool, known: str | None) -> Downloaded:
    """Raises `InputError` where a data set has no pictures."""
    trainable = False
    if item.kind == "data set":
        from ganprune.download.contents import find_pictures

        found = find_pictures(path)
        trainable = found.trainable and found.root == path
    return Downloaded(item.name, item.kind, path, already, trainable, known)


@contextmanager
def _workplace(place: Path, again: str) -> Generator[None]:
    """Make the hidden folder and keep other processes out; at the end it goes unless something is in it."""
    made = [parent for parent in place.parents if not parent.exists()]
    place.mkdir(parents=True, exist_ok=True)
    lock = FileLock(place / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise DownloadError(
            f"another ganprune is fetching to {place}; wait for it to end, then run: {again}"
        ) from None
    try:
        yield
    finally:
        shutil.rmtree(place / "unpacked", ignore_errors=True)
        lock.release()
        if all(entry.name == ".lock" for entry in place.iterdir()):
            shutil.rmtree(place, ignore_errors=True)
            for parent in made:
                with suppress(OSError):  # it is not empty
                    parent.rmdir()


def _read_record(folder: Path) -> dict[str, Any]:
    """What is known of files in ``folder``, by name; empty where there is no record, or a damaged one."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        files: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))["files"]
        return {name: facts for name, facts in files.items() if {"url", "sha256"} <= facts.keys()}
    return {}


def _write_record(folder: Path, files: dict[str, Any]) -> None:
    text = json.dumps({"schema": 1, "files": files}, indent=2) + "\n"
    write_atomically(folder / RECORD, text.encode(), over="any")  # `_already` has refused another's
