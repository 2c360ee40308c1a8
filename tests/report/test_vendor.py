"""onnxruntime-web: the one version that is known, or a line on how to get it."""

import hashlib
import io
import tarfile
from collections.abc import Generator
from functools import partial
from pathlib import Path

import pytest

from ganprune.errors import DownloadError, InputError, UsageError
from ganprune.report import vendor
from scripts import vendor_onnxruntime_web
from tests.report.kit import folder_served


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with the right names and other content, whose hashes are taken for the right ones."""
    path = tmp_path / "package.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name in (*vendor.FILES, "other.js"):
            entry = tarfile.TarInfo(f"package/dist/{name}")
            entry.size = len(name)
            archive.addfile(entry, io.BytesIO(name.encode()))
    made = {n: vendor.File(len(n), hashlib.sha256(n.encode()).hexdigest()) for n in vendor.FILES}
    engines = {engine: {n: made[n] for n in files} for engine, files in vendor.ENGINES.items()}
    monkeypatch.setattr(vendor, "TARBALL_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setattr(vendor, "FILES", made)
    monkeypatch.setattr(vendor, "ENGINES", engines)
    return path


def test_what_a_page_needs_is_kept_and_nothing_else(package: Path, tmp_path: Path) -> None:
    folder = vendor.keep(package, tmp_path / "kept")
    assert {path.name: path.read_text() for path in folder.iterdir()} == {name: name for name in vendor.FILES}
    assert vendor.missing("wasm", folder) == vendor.missing("webgpu", folder) == ()


def test_another_package_is_refused_and_nothing_kept(tmp_path: Path) -> None:
    (tmp_path / "other.tgz").write_bytes(b"other")
    with pytest.raises(InputError, match=r"is not onnxruntime-web 1\.30\.0: needed SHA-256 d2228df7"):
        vendor.keep(tmp_path / "other.tgz", tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_missing_package_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"npm pack onnxruntime-web@1\.30\.0"):
        vendor.keep(tmp_path / "none.tgz")


def test_a_changed_file_counts_as_missing(package: Path, tmp_path: Path) -> None:
    folder = vendor.keep(package, tmp_path / "kept")
    (folder / "ort.wasm.min.mjs").write_text("changed")
    assert vendor.missing("wasm", folder) == ("ort.wasm.min.mjs",)
    assert vendor.missing("webgpu", folder) == ()


@pytest.fixture
def mirror(tmp_path: Path) -> Generator[tuple[Path, str]]:
    """A folder and where it is served."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    with folder_served(folder) as address:
        yield folder, address


def test_without_npm_the_script_fetches_every_engine(
    package: Path, mirror: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served, address = mirror
    for name in vendor.FILES:
        (served / name).write_text(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(vendor_onnxruntime_web, "bring", partial(vendor.bring, mirror=address))
    monkeypatch.setattr(vendor_onnxruntime_web.shutil, "which", lambda _: None)
    vendor_onnxruntime_web.main()
    assert {path.name for path in vendor.runtime_folder().iterdir()} == {*vendor.FILES}


def test_only_what_is_lacking_is_fetched(package: Path, mirror: tuple[Path, str], tmp_path: Path) -> None:
    served, address = mirror
    for name in vendor.ENGINES["webgpu"]:
        (served / name).write_text(name)
    vendor.bring("webgpu", tmp_path / "kept", address)
    assert {path.name for path in (tmp_path / "kept").iterdir()} == set(vendor.ENGINES["webgpu"])
    (served / "ort.webgpu.min.mjs").unlink()
    vendor.bring("webgpu", tmp_path / "kept", address)  # which is there


def test_other_bytes_than_the_known_ones_are_refused(
    package: Path, mirror: tuple[Path, str], tmp_path: Path
) -> None:
    served, address = mirror
    for name in vendor.ENGINES["wasm"]:
        (served / name).write_text(name[::-1])
    with pytest.raises(DownloadError, match=r"ort\.wasm\.min\.mjs: needed SHA-256 .*nothing of it was kept"):
        vendor.bring("wasm", tmp_path / "kept", address)
    assert list((tmp_path / "kept").iterdir()) == []


def test_it_is_kept_in_the_users_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert vendor.runtime_folder() == tmp_path / "ganprune" / "onnxruntime-web-1.30.0"
