"""onnxruntime-web, which runs networks in a browser: one pinned version, from npm's package, checked by hash.

It is not part of ganprune. `keep` takes it out of the file that ``npm pack`` writes and puts it in the
user's cache folder; from then on nothing is fetched.
"""

import hashlib
import tarfile
from pathlib import Path

from ganprune.errors import InputError, UsageError
from ganprune.storage.caches import cache_folder
from ganprune.storage.files import sha256, write_atomically

PACKAGE, VERSION = "onnxruntime-web", "1.30.0"
TARBALL = f"{PACKAGE}-{VERSION}.tgz"
"""What ``npm pack`` calls the package."""
TARBALL_SHA256 = "d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71"
FILES = {
    "ort.wasm.min.mjs": "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b",
    "ort-wasm-simd-threaded.mjs": "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
    "ort-wasm-simd-threaded.wasm": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
"""Files of the package that a page needs, and their hashes."""


def runtime_folder() -> Path:
    """Where they are kept, see `ganprune.storage.caches`."""
    return cache_folder() / f"{PACKAGE}-{VERSION}"


def keep(tarball: Path, folder: Path | None = None) -> Path:
    """Unpack what a page needs from npm's package; returns where.

    Raises `UsageError` where there is no such file, `InputError` where it is another one.
    """
    folder = folder or runtime_folder()
    if not tarball.is_file():
        raise UsageError(f"needed the file that `{command()}` writes, found no file {tarball}")
    if (found := sha256(tarball)) != TARBALL_SHA256:
        raise InputError(
            f"{tarball} is not {PACKAGE} {VERSION}: needed SHA-256 {TARBALL_SHA256}, found {found}; "
            f"get it with `{command()}`"
        )
    with tarfile.open(tarball) as archive:
        for name in FILES:
            member = archive.extractfile(f"package/dist/{name}")
            assert member is not None  # the hash says so
            write_atomically(folder / name, member.read(), over="any")
    return folder


def kept(folder: Path | None = None) -> Path:
    """The folder, checked. Raises `UsageError` where files are missing or others than were kept."""
    folder = folder or runtime_folder()
    for name, known in FILES.items():
        path = folder / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != known:
            state = "is damaged" if path.is_file() else "is not there"
            raise UsageError(
                f"translating in the browser needs {PACKAGE} {VERSION}; {path} {state}: run `{command()}` "
                f"once with a network, then `ganprune report --serve --runtime {TARBALL}`"
            )
    return folder


def command() -> str:
    """What gets the package."""
    return f"npm pack {PACKAGE}@{VERSION}"
