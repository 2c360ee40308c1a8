"""docs/running.md: its lines run as they stand, and give what ganprune gives."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganprune.checkpoints import load_generators
from ganprune.example import CHECKPOINT, EXAMPLE_SIZE, PICTURES
from ganprune.images import load_pictures, to_float, to_uint8
from tests.cli.kit import ganprune

PAGE = (Path(__file__).parents[2] / "docs" / "running.md").read_text(encoding="utf-8")
PROGRAMS: dict[str, str] = dict(
    zip(("float32", "uint8"), re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL), strict=True)
)


@pytest.mark.parametrize("kind", PROGRAMS)
def test_the_lines_are_few_and_need_nothing_but_three_packages(kind: str) -> None:
    program = PROGRAMS[kind]
    lines = [line for line in program.splitlines() if line]
    assert len(lines) <= 15
    imports = [node for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {node.module if isinstance(node, ast.ImportFrom) else node.names[0].name for node in imports}
    assert names == {"sys", "numpy", "onnxruntime", "PIL"}


@pytest.mark.parametrize(
    ("kind", "name", "options"),
    [("float32", "G_A", ()), ("float32", "G_B", ()), ("uint8", "G_A", ("--uint8",))],
)
def test_the_lines_give_what_ganprune_gives(
    tmp_path: Path, kind: str, name: str, options: tuple[str, ...]
) -> None:
    size = str(EXAMPLE_SIZE)
    exported = ganprune("export", "--onnx", CHECKPOINT, "-o", tmp_path / "net", "--size", size, *options)
    assert exported.code == 0, exported.err
    source = sorted((PICTURES / f"test{name[-1]}").iterdir())[0]
    photo, program, target = tmp_path / "photo.png", tmp_path / "run.py", tmp_path / "out.png"
    Image.open(source).resize((EXAMPLE_SIZE + 37, EXAMPLE_SIZE + 11)).save(photo)
    program.write_text(PROGRAMS[kind], encoding="utf-8")
    words = [
        sys.executable,
        "-I",
        str(program),
        str(tmp_path / "net" / f"{name}.onnx"),
        str(photo),
        str(target),
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    generator = load_generators(CHECKPOINT)[name]
    with torch.inference_mode():
        wanted = to_uint8(generator(to_float(load_pictures([photo], EXAMPLE_SIZE))))[0]
    found = np.asarray(Image.open(target)).transpose(2, 0, 1).astype(int)
    original = load_pictures([photo], EXAMPLE_SIZE)[0].numpy().astype(int)
    assert np.abs(found - wanted.numpy()).max() <= 1
    assert np.abs(found - original).max() > 50  # it does something
