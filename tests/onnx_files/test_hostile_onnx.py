"""ONNX files that were made to do harm: refused in one line, before anything of them runs."""

import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, ModelProto, TensorProto, helper, numpy_helper

from ganprune.errors import GanpruneError, InputError
from ganprune.onnx_files.cost import onnx_cost, picture_input, read_onnx
from ganprune.translation.translators import OnnxTranslator
from tests.cli.kit import ganprune
from tests.onnx_graphs import conv, model, uint8_last, weights

PICTURE = [("input", TensorProto.FLOAT, (1, 3, 16, 16))]
SECONDS = 2.0


def _functions(depth: int, calls: int, last: str | None = None) -> ModelProto:
    """Functions that call the next one ``calls`` times each."""
    made = model([helper.make_node("f0", ["input"], ["output"], domain="mine")], [], PICTURE)
    imports = [helper.make_opsetid("", 18), helper.make_opsetid("mine", 1)]
    del made.opset_import[:]
    made.opset_import.extend(imports)
    for i in range(depth):
        end = ("Identity", "") if i == depth - 1 else (f"f{i + 1}", "mine")
        end = (last, "mine") if last and i == depth - 1 else end
        names = ["x", *(f"t{j}" for j in range(calls - 1)), "y"]
        nodes = [helper.make_node(end[0], [a], [b], domain=end[1]) for a, b in pairwise(names)]
        made.functions.append(helper.make_function("mine", f"f{i}", ["x"], ["y"], nodes, imports))
    return made


def _loop() -> ModelProto:
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["go"]), helper.make_node("Identity", ["v"], ["w"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, ()),
            helper.make_tensor_value_info("c", TensorProto.BOOL, ()),
            helper.make_tensor_value_info("v", TensorProto.FLOAT, (1, 3, 16, 16)),
        ],
        [
            helper.make_tensor_value_info("go", TensorProto.BOOL, ()),
            helper.make_tensor_value_info("w", TensorProto.FLOAT, (1, 3, 16, 16)),
        ],
    )
    yes = numpy_helper.from_array(np.array(True), "yes")
    return model([helper.make_node("Loop", ["", "yes", "input"], ["output"], body=body)], [yes], PICTURE)


def _loop_in_an_if() -> ModelProto:
    inner = _loop()
    yes = numpy_helper.from_array(np.array(True), "yes")
    branch = helper.make_graph(inner.graph.node, "branch", [], inner.graph.output)
    nodes = [helper.make_node("If", ["yes"], ["output"], then_branch=branch, else_branch=branch)]
    return model(nodes, [yes], PICTURE)


def _tensor(dims: tuple[int, ...], stored: int, **typed: Any) -> ModelProto:
    lie = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims, raw_data=bytes(4 * stored))
    nodes = [helper.make_node("Conv", ["input", "w"], ["output"])]
    return model(nodes, [lie], PICTURE)


def _norm() -> ModelProto:
    lie = TensorProto(name="s", data_type=TensorProto.FLOAT, dims=(10**9,), float_data=[1.0])
    nodes = [helper.make_node("InstanceNormalization", ["input", "s", "s"], ["output"])]
    return model(nodes, [lie], PICTURE)


def _constant() -> ModelProto:
    lie = TensorProto(data_type=TensorProto.INT64, dims=(10**9, 10**9), raw_data=bytes(8))
    nodes = [
        helper.make_node("Constant", [], ["k"], value=lie),
        helper.make_node("Reshape", ["input", "k"], ["output"]),
    ]
    return model(nodes, [], PICTURE)


def _metadata(**entries: str) -> ModelProto:
    made = model([helper.make_node("Identity", ["input"], ["output"])], [], PICTURE)
    for name in ("params", "macs_true", "macs_paper", "height", "width"):
        made.metadata_props.add(key=f"ganprune.{name}", value=entries.get(name, "4"))
    return made


REFUSED: dict[str, tuple[Callable[[], ModelProto], str]] = {
    "functions that double": (lambda: _functions(14, 4), "at most 100,000 operators, found more"),
    "functions deep in each other": (lambda: _functions(40, 1), "call each other more than 16 deep"),
    "a function that calls itself": (lambda: _functions(2, 2, last="f0"), "at most 100,000 operators"),
    "a loop without end": (_loop, "holds the operator Loop, which may never end"),
    "the same in a branch": (_loop_in_an_if, "holds the operator Loop, which may never end"),
    "a weight of more numbers than are there": (
        lambda: _tensor((10**9, 3, 3, 3), 4), "tensor of 1000000000×3×3×3 numbers and holds another number"
    ),
    "a weight of negative size": (lambda: _tensor((-4, -3, 3, 3), 108), "holds another number"),
    "a norm of more numbers than are there": (_norm, "a tensor of 1000000000 numbers and holds another"),
    "a constant that lies": (_constant, "and holds another number; it is damaged"),
    "a picture of a trillion pixels": (
        lambda: model([helper.make_node("Identity", ["input"], ["output"])], [],
                      [("input", TensorProto.FLOAT, (1, 3, 10**6, 10**6))]),
        "takes more than 268,435,456 numbers at once",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_files_that_could_take_forever_or_lie_are_refused_in_time(tmp_path: Path, case: str) -> None:
    make, message = REFUSED[case]
    (tmp_path / "made.onnx").write_bytes(make().SerializeToString())
    start = time.process_time()
    with pytest.raises(InputError, match=rf"made\.onnx: .*{message}"):
        read_onnx(tmp_path / "made.onnx")
    assert time.process_time() - start < SECONDS


@pytest.mark.parametrize("make", [conv, uint8_last])
def test_honest_files_are_read(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    assert read_onnx(make(tmp_path / "made.onnx")) == onnx.load(tmp_path / "made.onnx")


def test_functions_that_are_called_as_often_as_is_usual_are_read(tmp_path: Path) -> None:
    (tmp_path / "made.onnx").write_bytes(_functions(3, 4).SerializeToString())
    assert len(read_onnx(tmp_path / "made.onnx").functions) == 3


def test_tensors_in_fields_of_their_type_are_honest_too(tmp_path: Path) -> None:
    tensors = [
        helper.make_tensor("w", kind, (2, 3), range(6))
        for kind in (
            TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.INT8, TensorProto.INT64,
            TensorProto.UINT64, TensorProto.DOUBLE, TensorProto.INT4, TensorProto.COMPLEX64, TensorProto.BOOL,
        )
    ]  # fmt: skip
    for i, tensor in enumerate(tensors):
        tensor.name = f"w{i}"
    made = model([helper.make_node("Identity", ["input"], ["output"])], tensors, PICTURE)
    (tmp_path / "made.onnx").write_bytes(made.SerializeToString())
    assert len(read_onnx(tmp_path / "made.onnx").graph.initializer) == len(tensors)


@pytest.mark.parametrize(
    "odd", [{"height": "0"}, {"height": "²"}, {"macs_true": "9" * 5000}, {"params": "-4"}, {"width": ""}]
)
def test_odd_costs_in_the_metadata_are_counted_anew(tmp_path: Path, odd: dict[str, str]) -> None:
    (tmp_path / "made.onnx").write_bytes(_metadata(**odd).SerializeToString())
    found = read_onnx(tmp_path / "made.onnx")
    picture = picture_input(found, tmp_path / "made.onnx")
    assert onnx_cost(found, picture, (1, 3, 16, 16)).source == "graph"


def test_an_input_of_an_unknown_kind_is_named_by_its_number(tmp_path: Path) -> None:
    made = model([helper.make_node("Identity", ["input"], ["output"])], [], [("input", 99, (1, 3, 16, 16))])
    with pytest.raises(InputError, match="found that input is of kind 99 of 4"):
        picture_input(made, tmp_path / "made.onnx")


def _without_inputs() -> ModelProto:
    return model([helper.make_node("Conv", [], ["output"])], [], PICTURE)


def _types_that_differ() -> ModelProto:
    made = model([helper.make_node("Conv", ["input", "w"], ["output"])], [weights("w", 4, 3, 3, 3)], PICTURE)
    made.graph.value_info.append(helper.make_tensor_value_info("w", TensorProto.INT64, (1,)))
    made.graph.node[0].attribute.append(AttributeProto(name="pads", type=AttributeProto.INTS, ints=[-9] * 7))
    return made


@pytest.mark.parametrize("make", [_without_inputs, _types_that_differ])
def test_graphs_that_contradict_themselves_are_one_line(
    tmp_path: Path, make: Callable[[], ModelProto]
) -> None:
    (tmp_path / "made.onnx").write_bytes(make().SerializeToString())
    for attempt in (("inspect", "made.onnx"), ("bench", "--cpu", "made.onnx", "--set", "seconds=0.1")):
        done = ganprune(*[tmp_path / "made.onnx" if word == "made.onnx" else word for word in attempt])
        assert "internal error" not in done.err
        assert done.code in (0, 3), done.err
    with pytest.raises(GanpruneError):
        OnnxTranslator(tmp_path / "made.onnx")


def test_a_loop_without_end_never_begins(tmp_path: Path) -> None:
    (tmp_path / "made.onnx").write_bytes(_loop().SerializeToString())
    (tmp_path / "in").mkdir()
    command = [sys.executable, "-m", "ganprune_cli", "translate", "made.onnx", "in", "-o", "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode in (2, 3)
    assert done.stderr.startswith("error: ")
