"""The packaged example comes out as it was recorded, however the code is built.

``recorded/example.json`` is of the settings below. ``python -m tests.test_recorded_example`` writes it anew,
only where a change is meant to change what comes out: last, a later fall of the learning rate. What a CPU or
a version of a library may change by rounding, between Intel and AMD 0.4 % of a loss, is compared as numbers;
which filters were kept, and the graphs, must be the same.
"""

import json
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx
import pytest
import torch
from onnx import numpy_helper
from safetensors.torch import load_file

import ganprune
from ganprune.bench import BenchSettings
from ganprune.compression import Compressed
from ganprune.example import CHECKPOINT
from ganprune.images.sources import DOMAINS
from ganprune.search.coevolution import State
from ganprune.settings import CompressSettings
from tests.cli.kit import few_pictures

RECORDED = Path(__file__).parent / "recorded" / "example.json"
SETTINGS = CompressSettings.from_flat(
    {"population": 4, "generations": 2, "pictures": 2, "size": 32, "target-macs": 0.35, "align": 8, "seed": 0}
    | {"threads": 1, "batch": 1, "device": "cpu", "precision": "float32", "refit-pictures": 4}
    | {"budget": "3steps"}
)
SCORES = ("fitness", "mean_fitness", "N", "macs", "L_DisA", "L_GenA", "L_cyc", "diversity")


def figures_of(run: Path) -> dict[str, Any]:
    """What is recorded of a run folder."""
    state = State.from_tensors(load_file(run / "state.safetensors"))
    lines = [json.loads(line) for line in (run / "search.jsonl").read_text().splitlines()]
    return {
        "genomes": {
            side: [
                "".join("01"[bit] for bit in row) for row in state.populations[side].genomes.int().tolist()
            ]
            for side in DOMAINS
        },
        "scores": [
            {f"{side} {key}": line[side][key] for side in DOMAINS for key in SCORES} for line in lines
        ],
        "norms": {
            f"G_{side} {key}": float(tensor.double().norm())
            for side in DOMAINS
            for key, tensor in load_file(run / f"G_{side}.safetensors").items()
        },
        "graphs": {path.stem: _graph(onnx.load(path).graph) for path in sorted(run.glob("*.onnx"))},
        "weights": {path.stem: _weights(onnx.load(path).graph) for path in sorted(run.glob("*.onnx"))},
    }


def _graph(graph: onnx.GraphProto) -> dict[str, Any]:
    shapes = Counter("×".join(map(str, tensor.dims)) for tensor in graph.initializer)
    return {
        "operators": dict(sorted(Counter(node.op_type for node in graph.node).items())),
        "shapes": dict(sorted(shapes.items())),
    }


def _weights(graph: onnx.GraphProto) -> float:
    """Euclidean norm of all weights."""
    tensors = (torch.from_numpy(numpy_helper.to_array(tensor).copy()) for tensor in graph.initializer)
    return float(sum(t.double().square().sum() for t in tensors if t.is_floating_point())) ** 0.5


def compressed(folder: Path) -> Compressed:
    few_pictures(folder / "pictures", train=12, test=2)
    quick = BenchSettings(threads=(1,), runs=(2, 3), seconds=1)
    return ganprune.compress(
        CHECKPOINT, folder / "pictures", output=folder / "run", settings=SETTINGS, bench=quick
    )


def test_example_comes_out_as_recorded(tmp_path: Path) -> None:
    found = compressed(tmp_path)
    expected, now = json.loads(RECORDED.read_text()), figures_of(tmp_path / "run")
    assert now["genomes"] == expected["genomes"]
    assert now["graphs"] == expected["graphs"]
    for line, before in zip(now["scores"], expected["scores"], strict=True):
        assert line == pytest.approx(before, rel=5e-3, abs=1e-6)
        for key in before:
            if key.endswith((" N", " macs", " diversity")):
                assert line[key] == pytest.approx(before[key], rel=1e-4, abs=1e-6)
    # Biases before a norm do nothing: Adam moves them by what rounding leaves of their gradients.
    weights, wanted = (
        {key: value for key, value in norms.items() if key.endswith("weight")}
        for norms in (now["norms"], expected["norms"])
    )
    assert weights == pytest.approx(wanted, rel=1e-4)
    assert now["weights"] == pytest.approx(expected["weights"], rel=1e-4)
    assert {side: net.widths for side, net in found.slim.items()} == {
        side: ganprune.load_generator(tmp_path / "run" / f"G_{side}.safetensors").widths for side in DOMAINS
    }


if __name__ == "__main__":
    with TemporaryDirectory() as made:
        compressed(Path(made))
        RECORDED.write_text(json.dumps(figures_of(Path(made) / "run"), indent=1, ensure_ascii=False) + "\n")
