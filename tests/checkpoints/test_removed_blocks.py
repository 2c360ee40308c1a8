"""A file of a generator without some of its residual blocks: one small tensor stands in the place of each."""

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ganprune.channels import Removed, graph_of
from ganprune.checkpoints import inspect, load_generator, read_metadata, save_cyclegan_pth, save_generator
from ganprune.checkpoints.architecture import generator_from_tensors
from ganprune.checkpoints.own import Own
from ganprune.checkpoints.standalone import load_generator as load_standalone
from ganprune.errors import CheckpointError
from ganprune.models import read_generator
from ganprune.models.cyclegan import NORMS, Norm, resnet_widths
from ganprune.pruning.genome import Layout
from ganprune.pruning.rebuild import masked, rebuilt
from tests.channels.parts import Block
from tests.checkpoints.builders import make_generator
from tests.models import schools
from tests.tiny import random_pictures

X = random_pictures(1, 3, 24, 20, dtype=torch.float32)


def without(network: nn.Module, *gone: int) -> nn.Module:
    """A slim network without the residual blocks of these numbers, and with less of all the rest."""
    layout = Layout.of(network)
    genome = layout.full()
    for piece in layout.genes.values():
        genome[piece.start + 1] = False
    for i in gone:
        genome[layout.genes[f"inner{i}"]] = False
    return rebuilt(network, layout, genome)


@pytest.mark.parametrize("norm", NORMS)
def test_any_blocks_may_be_missing_in_both_kinds_of_files(norm: Norm, tmp_path: Path) -> None:
    original = make_generator(3, resnet_widths(3, 3), norm)
    for gone in ((1,), (0, 2), (0, 1, 2)):
        slim = without(original, *gone)
        save_generator(tmp_path / "G.safetensors", slim, {})
        save_cyclegan_pth(tmp_path / "G.pth", slim)
        loaded = [load_generator(tmp_path / name) for name in ("G.safetensors", "G.pth")]
        for again in (*loaded, load_standalone(tmp_path / "G.pth")):
            assert torch.equal(again(X), slim(X))
            assert list(again.state_dict()) == list(slim.state_dict())
        left = [name for name in graph_of(loaded[0]).sizes if name.startswith("inner")]
        assert left == [f"inner{i}" for i in range(3) if i not in gone]  # the others keep their numbers
        assert loaded[1].widths.inner == tuple(0 if i in gone else 11 for i in range(3))


def test_a_missing_block_is_inspected_by_the_places_of_the_others(tmp_path: Path) -> None:
    slim = without(make_generator(3, resnet_widths(3, 3)), 1)
    save_generator(tmp_path / "G.safetensors", slim, {})
    assert "inner1" not in read_metadata(tmp_path / "G.safetensors")["widths"]
    (report,) = inspect(tmp_path / "G.safetensors", 32).networks
    told = "resnet_3blocks, filters 2/5/11, inside the blocks 11 (1 taken out), then 5/2"
    assert report.architecture == told
    assert report.params == sum(parameter.numel() for parameter in slim.parameters())


def test_what_a_missing_block_left_must_fit() -> None:
    state, name = (
        without(make_generator(3, resnet_widths(3, 2), "batch"), 1).state_dict(),
        "model.11.constant",
    )
    inside = "model.11.conv_block.1.bias"
    cases: list[tuple[dict[str, Tensor], str]] = [
        (
            state | {name: torch.zeros(4, 1, 1)},
            f"{name} has shape 4×1×1, but the maps that it is for have 11 channels",
        ),
        (state | {name: torch.zeros(11)}, f"{name} has shape 11, but filters×1×1 was needed"),
        (state | {name: torch.full((11, 1, 1), torch.nan)}, f"{name} holds NaN or infinite values"),
        (state | {inside: torch.zeros(11)}, f"holds '{inside}', which no such network has"),
        (
            {key: t for key, t in state.items() if key != name},
            "lacks model.11.weight",
        ),
    ]
    for damaged, message in cases:
        with pytest.raises(CheckpointError, match=re.escape(message)):
            generator_from_tensors(damaged)


@pytest.mark.parametrize("name", schools.GENERATORS)
def test_networks_of_all_families_are_read_again_without_blocks(name: str) -> None:
    network = read_generator(schools.trained(schools.GENERATORS[name][0]).state_dict())
    layout, x = Layout.of(network), random_pictures(1, graph_of(network).inputs, 64, 64, dtype=torch.float32)
    inner = [group for group in layout.genes if group.startswith("inner")]
    assert list(layout.blocks) == inner
    for gone in {tuple(inner[:1]), tuple(inner)} - {()}:
        genome = layout.full()
        for gene in gone:
            genome[layout.genes[gene]] = False
        slim = rebuilt(network, layout, genome)
        assert sum(isinstance(module, Removed) for module in slim.modules()) == len(gone)
        torch.testing.assert_close(slim(x), masked(network, layout, genome)(x), rtol=0, atol=2e-4)
        again = read_generator(slim.state_dict())
        assert torch.equal(again(x), slim(x))


class Home(nn.Module):
    """A user's own network, with a block that has a bias and no norm, one that has one, and one without."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        blocks = (Block(6, 4, None, True, "zeros"), Block(6, 5, nn.BatchNorm2d, True, "reflect"))
        self.rest = nn.Sequential(*blocks, Block(6, 3, nn.InstanceNorm2d, False, "zeros"))
        self.last = nn.Conv2d(6, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.rest(torch.relu(self.first(x)))).tanh()


@pytest.mark.parametrize("gone", [(0,), (1,), (2,), (0, 1, 2)])
def test_a_module_of_ones_own_is_read_again_without_blocks(gone: tuple[int, ...], tmp_path: Path) -> None:
    network = schools.trained(Home)
    slim = without(network, *gone)
    save_generator(tmp_path / "G.safetensors", slim, {})
    save_cyclegan_pth(tmp_path / "G.pth", slim)
    for name in ("G.safetensors", "G.pth"):
        again = load_generator(tmp_path / name, Own.of(Home()))
        assert torch.equal(again(X), slim(X))
        assert [m.constant.ndim > 0 for m in again.modules() if isinstance(m, Removed)] == [
            i < 2 for i in gone
        ]
