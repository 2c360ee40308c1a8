"""Bytes at both ends, and reduced precision: what is lost is measured, and said."""

import logging
import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import ModelProto, TensorProto, numpy_helper
from torch import Tensor

from ganprune.bench.statistics import Ratio
from ganprune.errors import UsageError, VerificationError
from ganprune.images import to_float, to_uint8
from ganprune.models.cyclegan import GeneratorWidths, Norm, resnet_widths
from ganprune_exporters import ExportReport, ExportSettings, chain, export_onnx, variants
from ganprune_exporters.int8 import calibrated, equalized, layers_to_quantize, maps
from ganprune_exporters.settings import Kind
from ganprune_exporters.variants import export_variant, judged
from ganprune_exporters.verify import as_bytes
from tests.checkpoints.builders import make_generator
from tests.tiny import random_generator, random_pictures, seeded

SMALL = ExportSettings(size=32)
G = random_generator(resnet_widths(4, 2), dtype=torch.float32)
PICTURES = random_pictures(6, 3, 32, 32, dtype=torch.float32)


def some_bytes(*shape: int) -> Tensor:
    return torch.randint(256, shape, generator=seeded(3), dtype=torch.uint8)


def run(path: Path, given: Tensor) -> Tensor:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return torch.from_numpy(np.asarray(session.run(["output"], {"input": given.numpy()})[0]))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> ExportReport:
    return export_onnx(G, tmp_path_factory.mktemp("float") / "G.onnx", SMALL)


# Bytes


@pytest.mark.parametrize("dynamic", [False, True])
def test_bytes_in_and_out_are_what_the_library_makes_of_them(tmp_path: Path, dynamic: bool) -> None:
    report = export_onnx(G, tmp_path / "G.onnx", ExportSettings(size=32, uint8=True, dynamic=dynamic))
    pictures = some_bytes(2, 32, 24, 3) if dynamic else some_bytes(1, 32, 32, 3)
    wanted = to_uint8(G(to_float(pictures.permute(0, 3, 1, 2)))).permute(0, 2, 3, 1)
    apart = (run(tmp_path / "G.onnx", pictures).int() - wanted.int()).abs()
    assert apart.max() <= 1  # where 1e-6 tips a truncation
    assert (apart > 0).double().mean() < 0.01
    assert report.max_abs <= report.tolerance
    assert report.differing < 0.01
    ends = [onnx.load(report.path).graph.input[0], onnx.load(report.path).graph.output[0]]
    assert {end.type.tensor_type.elem_type for end in ends} == {TensorProto.UINT8}
    for end in ends:
        names = [d.dim_value or d.dim_param for d in end.type.tensor_type.shape.dim]
        assert names == (["batch", "height", "width", 3] if dynamic else [1, 32, 32, 3])


def test_every_byte_survives_the_way_to_floats_and_back() -> None:
    every = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(as_bytes(to_float(every)), every)


# Half precision


def test_fp16_weights_halve_the_file_and_nothing_else(tmp_path: Path) -> None:
    wide = random_generator(resnet_widths(16, 2), dtype=torch.float32)
    export_onnx(wide, tmp_path / "G.onnx", SMALL)
    report = export_variant("fp16", wide, tmp_path / "G.onnx", SMALL, PICTURES[:2])
    assert report.path == tmp_path / "G.fp16.onnx"
    assert 0.5 < report.file_bytes / report.float_bytes < 0.6
    assert 0 < report.mean_abs < 0.01
    assert report.psnr > 40
    assert report.recommended
    made, wanted = run(report.path, PICTURES[:1]), run(tmp_path / "G.onnx", PICTURES[:1])
    assert made.dtype == torch.float32
    assert (made - wanted).abs().max().item() <= report.max_abs


def test_weights_that_float16_cannot_hold_stay_in_float32() -> None:
    from ganprune_exporters.half import halved

    model, values = ModelProto(), np.full((20, 20), 1e5, np.float32)
    model.graph.initializer.append(numpy_helper.from_array(values, "large"))
    model.graph.initializer.append(numpy_helper.from_array(values / 1e5, "one"))
    kinds = {tensor.name: tensor.data_type for tensor in halved(model).graph.initializer}
    assert kinds == {"large": TensorProto.FLOAT, "one_float16": TensorProto.FLOAT16}


# 8 bits


def test_int8_keeps_its_limit_by_leaving_layers_in_float(whole: ExportReport) -> None:
    kept: list[int] = []
    for limit in (1.0, 0.015, 1e-9):
        report = export_variant("int8", G, whole.path, SMALL, PICTURES[:2], PICTURES[2:], limit=limit)
        assert report.mean_abs <= max(limit, 1e-4)
        kept.append(len(report.in_float))
        quantized = sum(node.op_type == "Conv" and "Dequantize" in maker(report.path, node.input[1])
                        for node in onnx.load(report.path).graph.node)  # fmt: skip
        assert quantized == report.layers - len(report.in_float)
    assert kept[0] == 0 < kept[1] < kept[2] == report.layers
    assert not report.recommended
    assert "no layer can be quantized within 1e-09" in report.verdict


def maker(path: Path, name: str) -> str:
    return next((n.op_type for n in onnx.load(path).graph.node if name in n.output), "")


def test_layers_that_hurt_most_are_the_ones_in_float(whole: ExportReport) -> None:
    ready = calibrated(onnx.load(whole.path), PICTURES.numpy())
    harm = {layer: float(i) for i, layer in enumerate(ready.layers)}

    def distance(model: ModelProto) -> float:
        changed = {
            n.name for n in model.graph.node if n.op_type == "Conv" and n.input[1].endswith("Linear_Output")
        }
        return sum(harm[layer] for layer in changed)

    few = layers_to_quantize(ready, distance, 3)
    assert few == ready.layers[:3]  # 0 + 1 + 2
    assert layers_to_quantize(ready, distance, 1e9) == ready.layers
    assert layers_to_quantize(ready, distance, -1) == ()


def test_int8_takes_and_gives_bytes_too(tmp_path: Path) -> None:
    how = ExportSettings(size=32, uint8=True)
    export_onnx(G, tmp_path / "G.onnx", how)
    report = export_variant("int8", G, tmp_path / "G.onnx", how, PICTURES[:1], PICTURES[2:], limit=0.5)
    assert run(report.path, some_bytes(1, 32, 32, 3)).dtype == torch.uint8


def test_int8_without_pictures_to_calibrate_with_is_refused(whole: ExportReport) -> None:
    with pytest.raises(UsageError, match="needed pictures to calibrate 8 bits with, found none; give --data"):
        export_variant("int8", G, whole.path, SMALL, PICTURES)


def test_quantizing_says_nothing(whole: ExportReport, capfd: pytest.CaptureFixture[str],
                                 caplog: pytest.LogCaptureFixture) -> None:  # fmt: skip
    with caplog.at_level(logging.WARNING):
        export_variant("int8", G, whole.path, SMALL, PICTURES[:1], PICTURES[2:4], limit=1)
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_garbage_is_told(whole: ExportReport, monkeypatch: pytest.MonkeyPatch) -> None:
    def ruined(model: ModelProto) -> ModelProto:
        copy = ModelProto.FromString(model.SerializeToString())
        for tensor in copy.graph.initializer:
            value = numpy_helper.to_array(tensor)
            if value.dtype == np.float32:
                tensor.CopyFrom(numpy_helper.from_array(value * np.float32(np.nan), tensor.name))
        return copy

    monkeypatch.setattr(variants, "halved", ruined)
    with pytest.raises(
        VerificationError, match=r"needed PyTorch's pictures within 0\.5 on average, found nan"
    ):
        export_variant("fp16", G, whole.path, SMALL, PICTURES[:1])


@pytest.mark.parametrize(
    ("distance", "times", "low", "quantized", "recommended", "verdict"),
    [
        (0.01, 1.3, 1.2, 5, True, "1.30 times as fast as float32 here"),
        (0.03, 1.3, 1.2, 5, False, "not recommended: 0.03 from the float pictures, more than 0.02"),
        (0.01, 0.9, 0.8, 5, False, r"not recommended: not faster on this machine \(0.90 times as fast\)"),
        (
            0.01,
            2.67,
            0.9,
            5,
            False,
            r"not recommended: times varied too much .* \(2.67 times, between 0.90 and",
        ),
        (0.0, 1.3, 1.2, 0, False, "not recommended: no layer can be quantized"),
    ],
)
def test_int8_is_recommended_where_it_is_faster_and_close_enough(
    distance: float, times: float, low: float, quantized: int, recommended: bool, verdict: str
) -> None:
    found, sentence = judged("int8", distance, 0.02, Ratio(times, low, 3.0), quantized)
    assert found == recommended
    assert re.match(verdict, sentence)


def test_widths_of_one_filter_can_be_quantized(tmp_path: Path) -> None:
    thin = random_generator(GeneratorWidths(1, 1, 1, (1,), 1, 1), dtype=torch.float32)
    export_onnx(thin, tmp_path / "G.onnx", SMALL)
    report = export_variant("int8", thin, tmp_path / "G.onnx", SMALL, PICTURES[:1], PICTURES[2:], limit=1)
    assert report.mean_abs <= 1


@pytest.mark.parametrize("kind", ["fp16", "int8"])
def test_affine_instance_norm_is_as_near_in_reduced_precision(tmp_path: Path, kind: Kind) -> None:
    affine = make_generator(1, resnet_widths(4, 2), "affine-instance")
    export_onnx(affine, tmp_path / "G.onnx", SMALL)
    report = export_variant(kind, affine, tmp_path / "G.onnx", SMALL, PICTURES[:2], PICTURES[2:], limit=0.02)
    assert 0 < report.mean_abs <= 0.02


@pytest.mark.parametrize("norm", ["instance", "affine-instance"])
def test_equalized_filters_compute_the_same_and_have_maps_of_one_range(norm: Norm) -> None:
    model, _ = chain.plain(make_generator(1, resnet_widths(4, 2), norm), ExportSettings(size=32))
    after = equalized(model, PICTURES.numpy())
    outputs = []
    for graph in (model, after):
        session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
        outputs.append(np.asarray(session.run(["output"], {"input": PICTURES[:1].numpy()})[0]))
    assert np.abs(outputs[0] - outputs[1]).max() < 0.01  # the norm's epsilon counts a little less
    for graph, equal in ((model, False), (after, True)):
        name = next(n.output[0] for n in graph.graph.node if n.op_type == "Conv")
        (values,) = zip(*(m.values() for m in maps(graph, [name], PICTURES.numpy())), strict=True)
        spread = np.concatenate(values).std((0, 2, 3))
        assert (spread.max() / spread.min() < 1.001) == equal
