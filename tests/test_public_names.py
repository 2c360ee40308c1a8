"""The public surface, and how little it costs to import."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import ganprune

SURFACE = {
    "CoEvolution", "CompressSettings", "Compressed", "Discriminator", "GanpruneError", "Generator",
    "GeneratorWidths", "Layout", "LocalScorer", "Quartet", "Scorer", "ScoringInputs", "ScoringSettings",
    "SearchSettings", "State", "compress", "kept_macs", "kept_weights", "load_generator", "load_quartet",
    "masked", "rebuilt", "resnet_widths", "save_generator",
}  # fmt: skip

HEAVY = {
    "torch", "onnx", "onnxruntime", "onnxscript", "onnxsim", "numpy", "PIL", "safetensors", "rich", "tomli_w",
    "filelock", "pydantic",
}  # fmt: skip


def test_all_is_the_public_surface() -> None:
    assert set(ganprune.__all__) == SURFACE
    assert ganprune.__all__ == sorted(ganprune.__all__)
    assert dir(ganprune) == ganprune.__all__


@pytest.mark.parametrize("name", sorted(SURFACE))
def test_every_public_name_resolves_to_a_documented_thing(name: str) -> None:
    thing = getattr(ganprune, name)
    assert thing.__name__ == name
    assert thing.__doc__


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(ganprune.__file__).read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    seen = {alias.name: node.module for node in imports for alias in node.names if alias.name in SURFACE}
    assert seen == {name: f"ganprune.{home}" for name, home in ganprune._HOME.items()}


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'ganprune' has no attribute 'nonsense'"):
        ganprune.nonsense  # noqa: B018


def test_library_and_command_line_import_nothing_heavy() -> None:
    program = (
        "import contextlib, io, json, sys, ganprune, typer\n"
        "from ganprune_cli.main import app\n"
        "typer.main.get_command(app)\n"
        "for word in ('-V', '--help'):\n"
        "    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        "        app([word])\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    path = "import sys; sys.path[:0] = " + repr([p for p in sys.path if p]) + "\n"
    done = subprocess.run([sys.executable, "-c", path + program], capture_output=True, text=True, check=True)
    imported = set(json.loads(done.stdout))
    assert "ganprune_cli" in imported
    assert not imported & HEAVY
