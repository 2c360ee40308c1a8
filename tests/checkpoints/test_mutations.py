"""Hundreds of damaged files, read in a process of its own whose time and memory are measured."""

import subprocess
import sys
from pathlib import Path

import torch

from tests.checkpoints.builders import Forged, forged_pickle, write_zip
from tests.checkpoints.test_hostile_files import PICKLES


def _crafted(folder: Path) -> None:
    """Files that ask for gigabytes, or for hours."""
    folder.mkdir()
    elements = 32 << 20
    bomb = forged_pickle({"w": Forged((elements,), (1,), stored=elements)})
    write_zip(folder / "bomb.pth", bomb, {"data/0": bytes(4 * elements)}, compress=True)
    lie = forged_pickle({"w": Forged((10**5, 10**5), (0, 0), stored=1)})
    write_zip(folder / "strides.pth", lie, {"data/0": bytes(4)})
    for i, pickled in enumerate(PICKLES.values()):
        (folder / f"{i}.pth").write_bytes(pickled)
        write_zip(folder / f"{i}.zip", pickled, {"data/0": b""})
    header = b'{"w":{"dtype":"F32","shape":[1000000000],"data_offsets":[0,4000000000]}}'
    (folder / "G.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    judge = {"G_A": {"model.1.weight": torch.zeros(1).expand(2000, 2000)}}
    torch.save(judge, folder / "expanded.pth")


def test_hundreds_of_damaged_files_are_loaded_or_explained_quickly_and_in_little_memory(
    tmp_path: Path,
) -> None:
    _crafted(tmp_path / "crafted")
    command = [sys.executable, "-m", "tests.checkpoints.mutations", str(tmp_path)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
