"""onnxruntime-web: the one version that is known, or a line on how to get it."""

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from ganprune.errors import InputError, UsageError
from ganprune.report import vendor


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with the right names and other content, whose hashes are taken for the right ones."""
    path = tmp_path / "package.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name in (*vendor.FILES, "other.js"):
            entry = tarfile.TarInfo(f"package/dist/{name}")
            entry.size = len(name)
            archive.addfile(entry, io.BytesIO(name.encode()))
    hashes = {name: hashlib.sha256(name.encode()).hexdigest() for name in vendor.FILES}
    monkeypatch.setattr(vendor, "TARBALL_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setattr(vendor, "FILES", hashes)
    return path


def test_what_a_page_needs_is_kept_and_nothing_else(package: Path, tmp_path: Path) -> None:
    folder = vendor.keep(package, tmp_path / "kept")
    assert {path.name: path.read_text() for path in folder.iterdir()} == {name: name for name in vendor.FILES}
    assert vendor.kept(folder) == folder


def test_another_package_is_refused_and_nothing_kept(tmp_path: Path) -> None:
    (tmp_path / "other.tgz").write_bytes(b"other")
    with pytest.raises(InputError, match=r"is not onnxruntime-web 1\.30\.0: needed SHA-256 d2228df7"):
        vendor.keep(tmp_path / "other.tgz", tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_missing_package_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"npm pack onnxruntime-web@1\.30\.0"):
        vendor.keep(tmp_path / "none.tgz")
    with pytest.raises(UsageError, match=r"is not there: run `npm pack .*--serve --runtime"):
        vendor.kept(tmp_path)


def test_a_changed_file_is_noticed(package: Path, tmp_path: Path) -> None:
    folder = vendor.keep(package, tmp_path / "kept")
    (folder / "ort.wasm.min.mjs").write_text("changed")
    with pytest.raises(UsageError, match=r"ort\.wasm\.min\.mjs is damaged"):
        vendor.kept(folder)


def test_it_is_kept_in_the_users_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert vendor.runtime_folder() == tmp_path / "ganprune" / "onnxruntime-web-1.30.0"
