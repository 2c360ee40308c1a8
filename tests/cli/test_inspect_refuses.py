"""Files that are broken or made to do harm: inspect refuses them with one line and exit code 3, in time."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings

from tests.checkpoints import mutations
from tests.checkpoints.builders import Forged, forged_pickle, write_zip
from tests.cli.conftest import Place
from tests.cli.kit import ganprune


class _RunsCode:
    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return os.mkdir, ("canary",)


def _tensors(file: Path) -> dict[str, torch.Tensor]:
    return torch.load(file)


def _bomb(file: Path) -> None:
    pickled = forged_pickle({"w": Forged((1 << 24,), (1,), stored=1 << 24)})
    write_zip(file, pickled, {"data/0": bytes(4 << 24)}, compress=True)


def _lie(file: Path) -> None:
    pickled = forged_pickle({"model.1.weight": Forged((1 << 20, 1 << 20), (0, 0), stored=1)})
    write_zip(file, pickled, {"data/0": bytes(4)})


def _loop(file: Path) -> None:
    file.unlink()
    file.symlink_to(file)


HARMFUL: dict[str, tuple[Callable[[Path], object], str]] = {
    "no checkpoint": (lambda f: f.write_text("see you later"), "no checkpoint: it starts with"),
    "empty": (lambda f: f.write_bytes(b""), "is empty"),
    "truncated": (lambda f: f.write_bytes(f.read_bytes()[:5000]), "truncated or damaged"),
    "zip bomb": (_bomb, "no checkpoint shrinks so far"),
    "lying about its shape": (_lie, "is declared over 1 stored elements"),
    "runs code": (lambda f: torch.save({"w": _RunsCode()}, f), "nothing was run"),
    "NaN": (
        lambda f: torch.save({name: t * torch.nan for name, t in _tensors(f).items()}, f), "holds NaN",
    ),
    "integers": (
        lambda f: torch.save({name: t.int() for name, t in _tensors(f).items()}, f),
        "model.1.weight is int32, not floating point",
    ),
    "a key lacking": (
        lambda f: torch.save({n: t for n, t in _tensors(f).items() if n != "model.4.weight"}, f),
        "lacks model.4.weight; the file is incomplete",
    ),
    "another shape": (
        lambda f: torch.save(_tensors(f) | {"model.4.weight": torch.zeros(8, 5, 3, 3)}, f),
        "model.4.weight has shape 8×5×3×3",
    ),
    "another network": (lambda f: torch.save({"features.0.weight": torch.zeros(3)}, f), "of no family"),
}  # fmt: skip


def _refusal(words: Path | str) -> str:
    """The one line that inspect refuses a file with, in time."""
    start = time.process_time()
    found = ganprune("inspect", words)
    assert time.process_time() - start < 2
    assert (found.code, found.out) == (3, ""), found.out
    (line,) = found.err.splitlines()
    assert line.startswith("error: ")
    assert "Traceback" not in line
    return line


@pytest.mark.parametrize("named", ["latest_net_G_A.pth", "what.bin"])
@pytest.mark.parametrize("kind", HARMFUL)
def test_harmful_and_broken_files_are_refused_with_one_line(
    place: Place, here: Path, kind: str, named: str
) -> None:
    make, told = HARMFUL[kind]
    file = Path(shutil.copy(place.checkpoint / "latest_net_G_A.pth", here / named))
    make(file)
    assert f"{named}: " in _refusal(file)
    assert told in _refusal(file)
    assert not (here / "canary").exists()


def test_a_folder_in_the_place_of_a_file_is_refused(place: Place, here: Path) -> None:
    net = Path(shutil.copytree(place.checkpoint, here / "net"))
    (net / "latest_net_G_A.pth").unlink()
    (net / "latest_net_G_A.pth").mkdir()
    assert "latest_net_G_A.pth: a folder, one file was needed" in _refusal(net)
    assert "no networks here: it holds nothing" in _refusal(net / "latest_net_G_A.pth")


def test_a_file_that_may_not_be_read_is_refused(
    place: Place, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = Path(shutil.copy(place.checkpoint / "latest_net_G_A.pth", here))
    opened = Path.open

    def guarded(self: Path, *args: Any, **named: Any) -> Any:
        if self.name == file.name:
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, *args, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", guarded)
        assert _refusal(file).endswith("latest_net_G_A.pth: cannot be read: Permission denied")
    _loop(file)
    assert "Too many levels of symbolic links" in _refusal(file)


@given(kind=mutations.valid, other=mutations.valid, damages=mutations.damages)
@settings(max_examples=40, deadline=None)
def test_damage_of_any_kind_ends_in_a_description_or_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, kind: str, other: str, damages: list[mutations.Damage]
) -> None:
    file = tmp_path_factory.getbasetemp() / "damaged"
    content = mutations.damaged(mutations.VALID[kind], damages, mutations.VALID[other])
    file.write_bytes(content)
    found = ganprune("inspect", file)
    assert found.code in (0, 3)
    assert len(found.err.splitlines()) <= 1
    assert found.err.startswith("next: " if found.code == 0 else "error: ") or not found.err
