"""docs/checkpoints.md promises what is tested, and states the bounds that hold."""

import ast
import re
from pathlib import Path

from ganprune.checkpoints import standalone
from ganprune.checkpoints.formats import pickles, safetensors_file, torch_file
from ganprune.checkpoints.layouts import LAYOUTS

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs" / "checkpoints.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """The table under a heading, without its own."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line] for line in lines[2:]]


def test_every_test_that_the_page_names_exists() -> None:
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", PAGE)
    assert len(named) > 30
    for file, test in named:
        tree = ast.parse((HERE / file).read_text(encoding="utf-8"))
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert test in functions, f"{file}::{test}"


def test_every_row_of_layouts_and_of_refusals_names_a_test() -> None:
    for row in (*rows("Layouts"), *rows("What is refused, and why")):
        assert len(row) == 3, row
        assert re.fullmatch(r"`test_\w+\.py::test_\w+`", row[2]), row


def test_every_layout_that_is_read_has_a_row() -> None:
    told = " ".join(row[0] for row in rows("Layouts"))
    for layout in LAYOUTS:
        first = layout.example.partition(",")[0].replace("latest", "<epoch>").removeprefix("one file with ")
        assert first in told or layout.example.partition(",")[0] in told, layout.title


def test_the_bounds_are_those_of_the_code() -> None:
    bounds = [row[1] for row in rows("Hostile files")]
    assert bounds[:5] == [
        f"{pickles.MAX_OPCODES:,} each",
        f"{torch_file.MAX_PICKLE >> 20} MiB",
        f"{safetensors_file.MAX_HEADER >> 20} MiB",
        f"{torch_file.MAX_EXPANSION} times its size",
        f"{pickles.MAX_SHARING} times what is stored",
    ]


def test_the_lines_for_cyclegans_own_code_are_those_of_the_module_that_is_written() -> None:
    assert standalone.__doc__ is not None
    for line in (
        'file = f"{opt.epoch}_net_G{opt.model_suffix}.pth"',
        "self.netG = load_generator(os.path.join(self.save_dir, file)).to(self.device)",
        "python test.py --model test --name <name> --model_suffix _A --dataroot <folder of A>",
    ):
        assert line in PAGE
        assert line in standalone.__doc__
