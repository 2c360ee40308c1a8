"""onnxruntime-web, which runs networks in a browser: one pinned version, every file checked by its hash.

It is not part of ganprune. The page that translates asks once whether `bring` may fetch what it needs, from
a public mirror of npm; `keep` takes the same out of the file that ``npm pack`` writes. Both put it in the
user's cache folder; from then on nothing is fetched.
"""

import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ganprune.download.fetch import Patience, Transfer, fetch
from ganprune.errors import DownloadError, InputError, UsageError
from ganprune.reporting import SILENT, Reporter
from ganprune.storage.caches import cache_folder
from ganprune.storage.files import atomic_path, sha256, write_atomically

PACKAGE, VERSION = "onnxruntime-web", "1.30.0"
MIRROR = f"https://cdn.jsdelivr.net/npm/{PACKAGE}@{VERSION}/dist/"
"""What the addresses of its files begin with."""
TARBALL = f"{PACKAGE}-{VERSION}.tgz"  # what ``npm pack`` calls the package
TARBALL_SHA256 = "d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71"


@dataclass(frozen=True, slots=True)
class File:
    """One file of the package."""

    bytes: int
    sha256: str


ENGINES: Mapping[str, Mapping[str, File]] = {
    "wasm": {
        "ort.wasm.min.mjs": File(50_126, "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b"),
        "ort-wasm-simd-threaded.mjs": File(
            24_381, "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b"
        ),
        "ort-wasm-simd-threaded.wasm": File(
            14_239_897, "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2"
        ),
    },
    "webgpu": {
        "ort.webgpu.min.mjs": File(
            66_349, "3dffff71811bc13a3a3d9591c57ca5ee5735b8f5f3eaf789510b02bb040ae3a0"
        ),
        "ort-wasm-simd-threaded.asyncify.mjs": File(
            53_057, "3d1c85995364bb643302fc6fd877a0c3ba5ae72401815e0f24828a53d9191e28"
        ),
        "ort-wasm-simd-threaded.asyncify.wasm": File(
            26_781_914, "39f9f0894d478800487ed9f7dbe92618498db320cf55c8e3d89adff8dce658da"
        ),
    },
}
"""What a page needs to compute by WebAssembly, or by WebGPU."""
FILES: Mapping[str, File] = {name: file for files in ENGINES.values() for name, file in files.items()}


def runtime_folder() -> Path:
    """Where they are kept, see `ganprune.storage.caches`."""
    return cache_folder() / f"{PACKAGE}-{VERSION}"


def missing(engine: str, folder: Path) -> tuple[str, ...]:
    """The files of an engine that are not in the folder, or are other ones than they should be."""
    return tuple(name for name, file in ENGINES[engine].items()
                 if not (folder / name).is_file() or sha256(folder / name) != file.sha256)  # fmt: skip


def bring(engine: str, folder: Path, mirror: str = MIRROR, reporter: Reporter = SILENT) -> None:
    """Fetch what is `missing` of an engine. Raises `DownloadError` where it cannot be had, or is another."""
    by_hand = f"run `{command()}` and give --runtime {TARBALL}"
    for name in missing(engine, folder):
        known, url = FILES[name], f"{mirror}{name}"
        with atomic_path(folder / name, over="any") as partial:
            fetch(Transfer(url, partial, known.bytes, by_hand=by_hand), Patience(), reporter)
            if (found := sha256(partial)) != known.sha256:
                raise DownloadError(
                    f"{url}: needed SHA-256 {known.sha256}, found {found}; nothing of it was kept: {by_hand}"
                )


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


def command() -> str:
    """What gets the package."""
    return f"npm pack {PACKAGE}@{VERSION}"
