"""Generators of every norm: the file computes what PyTorch computes, and costs what the network costs."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper

from ganprune.models.cyclegan import NORMS, Generator, GeneratorWidths, Norm
from ganprune.onnx_files.cost import OnnxCost, count, onnx_cost, picture_input, read_onnx
from ganprune.pruning import cost
from ganprune_exporters import ExportSettings, export_onnx
from ganprune_exporters.variants import export_variant
from tests import onnx_graphs
from tests.checkpoints.builders import make_generator
from tests.tiny import random_pictures

UNEVEN = GeneratorWidths(3, 5, 4, (2, 6), 7, 2)
MACS = cost.macs(Generator(UNEVEN), 32, 32, "true"), cost.macs(Generator(UNEVEN), 32, 32, "paper")


@pytest.mark.parametrize("simplify", [False, True])
@pytest.mark.parametrize("norm", NORMS)
def test_a_generator_of_any_norm_is_exported_and_verified(tmp_path: Path, norm: Norm, simplify: bool) -> None:
    G = make_generator(1, UNEVEN, norm)
    report = export_onnx(G, tmp_path / "G.onnx", ExportSettings(size=32, simplify=simplify))
    assert report.max_abs <= 1e-4
    picture = random_pictures(1, 3, 32, 32, dtype=torch.float32)
    session = onnxruntime.InferenceSession(tmp_path / "G.onnx", providers=["CPUExecutionProvider"])
    output = torch.from_numpy(np.asarray(session.run(["output"], {"input": picture.numpy()})[0]))
    torch.testing.assert_close(output, G(picture), atol=1e-5, rtol=0)


@pytest.mark.parametrize("norm", NORMS)
def test_a_generator_of_any_norm_is_exported_in_8_bits(tmp_path: Path, norm: Norm) -> None:
    G, how = make_generator(1, UNEVEN, norm), ExportSettings(size=16)
    export_onnx(G, tmp_path / "G.onnx", how)
    pictures = random_pictures(4, 3, 16, 16, dtype=torch.float32)
    report = export_variant("int8", G, tmp_path / "G.onnx", how, pictures[:2], pictures[2:], limit=1)
    assert report.in_float == ()
    assert report.mean_abs < 0.2


@pytest.mark.parametrize("norm", NORMS)
def test_costs_in_the_file_are_those_of_the_network_before_its_norms_were_folded(
    tmp_path: Path, norm: Norm
) -> None:
    G = make_generator(1, UNEVEN, norm)
    export_onnx(G, tmp_path / "G.onnx", ExportSettings(size=32, passes=()))
    model = read_onnx(tmp_path / "G.onnx")
    assert {entry.key: entry.value for entry in model.metadata_props}["ganprune.norm"] == norm
    takes = picture_input(model, tmp_path / "G.onnx")
    assert onnx_cost(model, takes, takes.shape()) == OnnxCost(cost.params(G), *MACS, "metadata")
    counted = count(model, "input", (1, 3, 32, 32))
    assert (counted.macs_true, counted.macs_paper) == MACS
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}  # folded into the weights
    assert counted.params <= cost.params(G)


@pytest.mark.parametrize("how", [{}, {"dynamic": True}, {"uint8": True}, {"opset": 11}])
def test_a_file_by_picture_statistics_shows_what_test_py_shows_without_eval(
    tmp_path: Path, how: dict[str, Any]
) -> None:
    G, path = make_generator(1, UNEVEN, "batch"), tmp_path / "G.onnx"
    report = export_onnx(G, path, ExportSettings(size=32, picture_statistics=True, **how))
    assert report.max_abs <= report.tolerance
    model = read_onnx(path)
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}
    told = {entry.key: entry.value for entry in model.metadata_props}
    assert (told["ganprune.norm"], told["ganprune.statistics"]) == ("affine-instance", "picture")
    if "uint8" in how:
        return
    picture = random_pictures(1, 3, 32, 32, dtype=torch.float32)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    output = torch.from_numpy(np.asarray(session.run(["output"], {"input": picture.numpy()})[0]))
    torch.testing.assert_close(output, copy.deepcopy(G).train()(picture), atol=1e-4, rtol=0)
    assert (output - G(picture)).abs().max() > 0.1


def test_running_statistics_of_a_batch_norm_are_no_parameters(tmp_path: Path) -> None:
    vectors = ["scale", "shift", "mean", "variance"]
    nodes = [
        helper.make_node("Conv", ["input", "w"], ["map"], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["map", *vectors], ["output"]),
    ]
    tensors = [onnx_graphs.weights("w", 4, 3, 3, 3), *(onnx_graphs.weights(name, 4) for name in vectors)]
    model = onnx_graphs.model(nodes, tensors, [("input", TensorProto.FLOAT, (1, 3, 8, 8))])
    macs = 4 * 3 * 9 * 64
    assert count(model, "input", (1, 3, 8, 8)) == OnnxCost(4 * 3 * 9 + 4 + 4, macs, macs, "graph")
