"""What is published: the wheel, the sdist, and what they do outside the repository."""

import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[2]
MOST = 5 << 20
"""Bytes of the largest file that may be published."""
PACKAGES = ("ganprune", "ganprune_cli", "ganprune_exporters")
SOURCES = {"ganprune": "ganprune", "ganprune_cli": "cli/ganprune_cli"} | {
    "ganprune_exporters": "exporters/ganprune_exporters"
}
EXTRAS = ("hub", "metrics", "openvino", "ray", "video")
"""That users install; the others are for work on ganprune."""
PICTURES = {".jpg", ".jpeg", ".png", ".webp"}


@dataclass(frozen=True, slots=True)
class Built:
    """Files of one build."""

    wheel: Path
    sdist: Path

    def wheel_content(self) -> dict[str, bytes]:
        with zipfile.ZipFile(self.wheel) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    def sdist_sizes(self) -> dict[str, int]:
        """By path below the top folder."""
        with tarfile.open(self.sdist) as archive:
            files = [member for member in archive.getmembers() if member.isfile()]
        return {"/".join(PurePosixPath(file.name).parts[1:]): file.size for file in files}


def build(folder: Path, *options: str) -> None:
    missing = [name for name in ("build", "hatchling") if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"building needs {' and '.join(missing)}: pip install {' '.join(missing)}")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), *options, str(ROOT)]
    environment = os.environ | {"SOURCE_DATE_EPOCH": "1700000000"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """An sdist, and the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("dist")
    build(folder)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return Built(wheel, sdist)


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def test_second_build_from_the_tree_has_the_same_bytes(built: Built, tmp_path: Path) -> None:
    """So builds are reproducible, and the sdist holds all that the wheel needs."""
    build(tmp_path, "--wheel", "--sdist")
    (wheel,), (sdist,) = tmp_path.glob("*.whl"), tmp_path.glob("*.tar.gz")
    again = Built(wheel, sdist)
    assert digests(again.wheel_content()) == digests(built.wheel_content())
    for one, other in ((wheel, built.wheel), (sdist, built.sdist)):
        assert hashlib.sha256(one.read_bytes()).digest() == hashlib.sha256(other.read_bytes()).digest()


def test_wheel_holds_every_module_and_nothing_but_the_packages(built: Built) -> None:
    names = built.wheel_content().keys()
    (info,) = {name.split("/")[0] for name in names} - set(PACKAGES)
    assert re.fullmatch(r"ganprune-[0-9.]+\.dist-info", info)
    modules = {
        f"{package}/{path.relative_to(ROOT / source).as_posix()}"
        for package, source in SOURCES.items()
        for path in (ROOT / source).rglob("*.py")
    }
    assert {name for name in names if name.endswith(".py")} == modules
    assert {f"{package}/py.typed" for package in PACKAGES} <= names
    assert f"{info}/licenses/LICENSE" in names


def test_wheel_holds_no_tests_no_data_and_no_large_file(built: Built) -> None:
    content = built.wheel_content()
    assert not [name for name in content if "test" in name.lower().split("/")[-1].split("_")]
    pictures = [name for name in content if PurePosixPath(name).suffix.lower() in PICTURES]
    assert not [name for name in pictures if not name.startswith("ganprune/example/")]
    assert not {name: len(file) for name, file in content.items() if len(file) > MOST}
    assert built.wheel.stat().st_size < MOST


def test_sdist_holds_tests_docs_and_no_large_file(built: Built) -> None:
    sizes = built.sdist_sizes()
    wanted = {"pyproject.toml", "LICENSE", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile"}
    assert (
        wanted | {"tests/tiny.py", "benchmarks/faults.py", "docs/method.md", "scripts/lowest.py"}
        <= sizes.keys()
    )
    assert not {name: size for name, size in sizes.items() if size > MOST}
    assert not [name for name in sizes if name.startswith(("runs/", ".venv/", ".git/"))]


def test_wheel_works_outside_the_repository(built: Built) -> None:
    """Installed into a new environment; only its dependencies come from this one."""
    command = [sys.executable, str(ROOT / "scripts/try_wheel.py"), str(built.wheel), "--borrow"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_dependency_has_a_lower_bound_that_can_be_tested() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts/lowest.py")], capture_output=True, text=True, check=True
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [line for name in EXTRAS for line in project["optional-dependencies"][name]]
    bounds = [line.partition(";")[0].strip() for line in (*project["dependencies"], *extras)]
    assert [line.replace("==", ">=") for line in done.stdout.splitlines()] == bounds


def test_every_dependency_is_in_the_list_of_licences() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    page = (ROOT / "docs/licences.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| ([a-z0-9-]+) \| (.+?) \|", page, flags=re.MULTILINE))
    extras = [line for name in EXTRAS for line in project["optional-dependencies"][name]]
    for dependency in (*project["dependencies"], *extras):
        assert rows[dependency.split(">=")[0]] != "not stated"
