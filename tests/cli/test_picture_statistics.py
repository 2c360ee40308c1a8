"""``picture-statistics``: batch norm as CycleGAN's test.py shows it, from search to files."""

import copy
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from ganprune.checkpoints import load_generator
from tests.checkpoints.builders import make_discriminator, make_generator
from tests.cli.conftest import Place
from tests.cli.kit import ganprune, write_config
from tests.tiny import random_pictures


def test_a_run_by_picture_statistics_compresses_and_exports_what_test_py_shows(
    place: Place, here: Path
) -> None:
    Path("net").mkdir()
    networks = {name: make_generator(seed, norm="batch") for seed, name in enumerate(("G_A", "G_B"))}
    networks |= {name: make_discriminator(9, norm="batch") for name in ("D_A", "D_B")}
    for name, network in networks.items():
        torch.save(network.state_dict(), f"net/latest_net_{name}.pth")
    config = write_config(here / "tiny.toml", generations=1, budget="2steps")
    words = ("compress", "net", "--data", place.data, "--config", config, "-o", "run")
    done = ganprune(*words, "--set", "picture-statistics=true")
    assert done.code == 0, done.err
    assert done.err.count("each picture's own statistics for the batch norm in G_A, G_B") == 1
    picture = random_pictures(1, 3, 32, 32, dtype=torch.float32)

    def drawn(path: str) -> torch.Tensor:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        return torch.from_numpy(np.asarray(session.run(None, {"input": picture.numpy()})[0]))

    wanted = copy.deepcopy(networks["G_A"]).train()(picture)
    slim = load_generator(Path("run/G_A.safetensors"))
    assert slim.norm == "affine-instance"
    assert ganprune("export", "--onnx", "run", "-o", "again").code == 0
    for folder in ("run", "again"):
        torch.testing.assert_close(drawn(f"{folder}/original_G_A.onnx"), wanted, atol=1e-4, rtol=0)
        torch.testing.assert_close(drawn(f"{folder}/G_A.onnx"), slim(picture), atol=1e-4, rtol=0)
    other = ganprune(*words)
    assert other.code == 3
    assert "--set picture-statistics=true (now false)" in other.err
