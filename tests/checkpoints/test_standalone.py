"""The module that users take with them: torch alone, and the same numbers to the last bit."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from torch import nn

from ganprune.checkpoints import copy_standalone, save_cyclegan_pth
from ganprune.checkpoints.standalone import SlimGenerator, load_generator
from ganprune.models.cyclegan import NORMS, GeneratorWidths, Norm, resnet_widths
from tests.checkpoints import reference
from tests.checkpoints.builders import make_generator
from tests.strategies import generator_widths
from tests.tiny import random_pictures

ODD = GeneratorWidths(stem=3, down=5, trunk=4, inner=(2, 7, 1), up1=6, up2=2)
CASES: dict[str, tuple[GeneratorWidths, Norm]] = {
    f"{norm}, {len(widths.inner)} blocks": (widths, norm)
    for norm in NORMS
    for widths in (ODD, GeneratorWidths(1, 1, 1, (), 1, 1, in_channels=1), resnet_widths(2, 9))
}

ALONE = """
import sys
sys.modules["ganprune"] = None  # an import of it would fail
sys.path.insert(0, sys.argv[1])
sys.path.append(sys.argv[2])
import torch
from slim_generator import load_generator
torch.set_num_threads(1)
for number in range(int(sys.argv[4])):
    generator = load_generator(f"{sys.argv[3]}/{number}.pth")
    assert not generator.training
    with torch.no_grad():
        torch.save(generator(torch.load(f"{sys.argv[3]}/{number}.in")), f"{sys.argv[3]}/{number}.out")
assert not [name for name in sys.modules if name.startswith("ganprune.")]
"""


def test_a_slim_generator_gives_the_same_bits_where_ganprune_is_not_installed(
    tmp_path: Path,
) -> None:
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    run.mkdir()
    elsewhere.mkdir()
    assert copy_standalone(run, ()) == [run / "slim_generator.py"]
    expected: list[torch.Tensor] = []
    for number, (widths, norm) in enumerate(CASES.values()):
        generator = make_generator(number, widths, norm)
        save_cyclegan_pth(run / f"{number}.pth", generator)
        picture = random_pictures(2, widths.in_channels, 20, 16, dtype=torch.float32)
        torch.save(picture, run / f"{number}.in")
        expected.append(generator(picture))
    packages = Path(torch.__file__).parents[1]
    command = [sys.executable, "-I", "-S", "-c", ALONE, str(run), str(packages), str(run), str(len(CASES))]
    done = subprocess.run(command, cwd=elsewhere, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for number, pictures in enumerate(expected):
        assert torch.equal(torch.load(run / f"{number}.out"), pictures), list(CASES)[number]


@given(widths=generator_widths())
def test_it_computes_what_our_own_network_computes_at_any_widths(widths: GeneratorWidths) -> None:
    picture = random_pictures(1, widths.in_channels, 16, 20, dtype=torch.float32)
    for norm in NORMS:
        ours = make_generator(1, widths, norm)
        alone = SlimGenerator(ours.state_dict()).eval()
        assert list(alone.state_dict()) == list(ours.state_dict())
        assert torch.equal(alone(picture), ours(picture))


@pytest.mark.parametrize("norm", NORMS)
def test_it_stands_in_for_cyclegans_own_network(tmp_path: Path, norm: Norm) -> None:
    theirs = reference.resnet(3, 4, norm).eval()
    torch.save(theirs.state_dict(), tmp_path / "latest_net_G_A.pth")
    alone = load_generator(tmp_path / "latest_net_G_A.pth")
    alone.load_state_dict(theirs.state_dict())  # as their load_networks does again, strictly
    picture = random_pictures(1, 3, 16, 16, dtype=torch.float32)
    torch.testing.assert_close(alone(picture), theirs(picture), atol=1e-6, rtol=0)


def test_it_can_be_trained_further_like_any_module() -> None:
    alone = SlimGenerator(make_generator(1, ODD, "batch").state_dict())
    alone(random_pictures(2, 3, 16, 16, dtype=torch.float32)).square().mean().backward()
    assert alone.training
    assert all(parameter.grad is not None for parameter in alone.parameters())
    assert sum(isinstance(module, nn.BatchNorm2d) for module in alone.modules()) == 5 + 2 * len(ODD.inner)


def test_its_source_imports_torch_and_the_standard_library_alone_and_is_short(tmp_path: Path) -> None:
    [file] = copy_standalone(tmp_path, ())
    text = file.read_text(encoding="utf-8")
    imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import | ast.ImportFrom)]
    roots = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name for node in imports
    }
    assert {root.partition(".")[0] for root in roots} == {"__future__", "collections", "pathlib", "torch"}
    assert len(text.splitlines()) <= 110
    for line in ("models/test_model.py", "load_generator(os.path.join(self.save_dir, file))", "--eval"):
        assert line in text
