"""One file with several networks: every school's names, what lies around them, and what cannot be told."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from ganprune.checkpoints import NET_NAMES, Own, load_generator, load_generators, load_quartet
from ganprune.errors import MissingNetwork
from tests.checkpoints.builders import (
    CYCLEGAN_NAMES,
    assert_same,
    make_generator,
    make_networks,
    with_relics,
    write_networks,
)

State = dict[str, Tensor]

OURS = ("G_A", "G_B", "D_A", "D_B")
SPELLINGS: dict[str, tuple[str, str, str, str]] = {
    "CycleGAN": OURS,
    "CycleGAN's attributes": ("netG_A", "netG_B", "netD_A", "netD_B"),
    "CycleGAN's files": ("net_G_A", "net_G_B", "net_D_A", "net_D_B"),
    "suffixed": ("G_A_state_dict", "G_B_state_dict", "D_A_state_dict", "D_B_state_dict"),
    "CycleGAN's, prefixed": ("state_dict_G_A", "state_dict_G_B", "state_dict_D_A", "state_dict_D_B"),
    "aitorzip": ("netG_A2B", "netG_B2A", "netD_B", "netD_A"),
    "A2B": ("G_A2B", "G_B2A", "D_B", "D_A"),
    "AB": ("G_AB", "G_BA", "D_B", "D_A"),
    "netG_AB": ("netG_AB", "netG_BA", "netD_B", "netD_A"),
    "genA2B": ("genA2B", "genB2A", "disB", "disA"),
    "gen_AB": ("gen_AB", "gen_BA", "disc_B", "disc_A"),
    "the paper": ("G", "F", "D_Y", "D_X"),
    "Keras": ("gen_G", "gen_F", "disc_Y", "disc_X"),
    "words": ("generator_AtoB", "generator_BtoA", "discriminator_B", "discriminator_A"),
}
"""What each school calls our G_A, G_B, D_A and D_B: outside CycleGAN, D_B judges domain B."""


def states() -> dict[str, State]:
    return {name: dict(network.state_dict()) for name, network in make_networks().items()}


def named(names: tuple[str, ...]) -> dict[str, State]:
    return dict(zip(names, states().values(), strict=True))


def trained() -> dict[str, Any]:
    """What training scripts keep beside the networks."""
    weights = [nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(2, 2))]
    optimizer = torch.optim.Adam(weights, lr=2e-4, betas=(0.5, 0.999))
    schedulers = (
        torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 / (epoch + 1)),
        torch.optim.lr_scheduler.MultiStepLR(optimizer, [10, 20, 20]),
    )
    (weights[0].sum() + weights[1].sum()).backward()
    optimizer.step()
    states = {f"scheduler_{i}": scheduler.state_dict() for i, scheduler in enumerate(schedulers)}
    return {
        "epoch": 3,
        "optimizer_G": optimizer.state_dict(),
        "optimizer_D_A": torch.optim.SGD([weights[0]], lr=0.1, momentum=0.9).state_dict(),
        **states,
        "losses": {"G_A": [0.5, 0.25, None], "D_A": [float("inf"), -1e300]},
        "best": {"fid": 61.5, "is_best": True, "at": (3, (1, 2))},
        "rng": torch.random.get_rng_state(),
    }


def assert_whole(path: Path, title: str | None = None) -> None:
    quartet = load_quartet(path)
    for name, network in make_networks().items():
        assert_same(getattr(quartet, name), network)
    assert title is None or quartet.naming == title


@pytest.mark.parametrize("school", SPELLINGS)
def test_every_schools_names_give_the_same_quartet(tmp_path: Path, school: str) -> None:
    torch.save(named(SPELLINGS[school]) | trained(), tmp_path / "checkpoint.pth")
    title = "bundle" if school.startswith("CycleGAN") or school == "suffixed" else "bundle, A2B names"
    title = "bundle, the paper's names" if school == "the paper" else title
    assert_whole(tmp_path / "checkpoint.pth", title)


def _prefixed(prefix: str) -> Callable[[dict[str, State]], object]:
    return lambda held: {n: {prefix + key: t for key, t in state.items()} for n, state in held.items()}


def _flat(held: Mapping[str, State], before: str = "", after: str = "") -> State:
    return {
        f"{before}{name}.{after}{key}": t.clone() for name, state in held.items() for key, t in state.items()
    }


AROUND: dict[str, Callable[[dict[str, State]], object]] = {
    "state_dict": lambda held: {"state_dict": held, "epoch": 5},
    "model_state_dict": lambda held: {"model_state_dict": held, "optimizer_state_dict": {}},
    "models": lambda held: {"epoch": 5, "models": held},
    "nets": lambda held: {"nets": OrderedDict(held)},
    "a wrapper each": lambda held: {name: {"state_dict": state, "lr": 0.1} for name, state in held.items()},
    "DataParallel": _prefixed("module."),
    "torch.compile": _prefixed("_orig_mod."),
    "compiled DataParallel": _prefixed("_orig_mod.module."),
    "relics": lambda held: held | {"G_A": with_relics(held["G_A"])},
    "Lightning": lambda held: {
        "epoch": 5, "global_step": 100, "pytorch-lightning_version": "2.4.0",
        "state_dict": _flat(held) | {"loss.weight": torch.ones(3)},
        "optimizer_states": [trained()["optimizer_G"]], "lr_schedulers": [], "loops": {"fit": {"batch": 3}},
        "callbacks": {"ModelCheckpoint{'monitor': None}": {"best_model_score": torch.tensor(1.0)}},
    },
    "Lightning, compiled inside": lambda held: {"state_dict": _flat(held, after="_orig_mod.")},
    "flat in DataParallel": lambda held: _flat(held, before="module."),
    "flat in a model": lambda held: {"state_dict": _flat(held, before="model.")},
    "parameters": lambda held: {
        name: OrderedDict((key, nn.Parameter(t)) for key, t in state.items()) for name, state in held.items()
    },
}  # fmt: skip


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("around", AROUND)
def test_what_scripts_put_around_the_networks_is_undone(tmp_path: Path, around: str, legacy: bool) -> None:
    held = AROUND[around](states())
    torch.save(held, tmp_path / "last.ckpt", _use_new_zipfile_serialization=not legacy)
    assert_whole(tmp_path / "last.ckpt", "bundle")


@pytest.mark.parametrize("school", SPELLINGS)
def test_safetensors_with_the_networks_names_before_the_tensors_are_read(tmp_path: Path, school: str) -> None:
    safetensors.torch.save_file(_flat(named(SPELLINGS[school])), tmp_path / "all.safetensors")
    assert_whole(tmp_path / "all.safetensors")


def test_a_batch_norm_bundle_in_half_precision_keeps_its_statistics(tmp_path: Path) -> None:
    networks = make_networks("batch")
    torch.save(
        {name: network.half().state_dict() for name, network in networks.items()}, tmp_path / "all.pth"
    )
    quartet = load_quartet(tmp_path / "all.pth")
    assert quartet.notes == (
        "batch norm in G_A, G_B, D_A, D_B: its running statistics are used, as CycleGAN's test.py does with "
        "--eval and not without; `compress`, `export` and `translate` use each picture's own with "
        "--set picture-statistics=true",
    )
    for name, network in networks.items():
        assert_same(getattr(quartet, name), network.float())


def test_d_a_judges_domain_b_whichever_school_wrote_the_bundle(tmp_path: Path) -> None:
    judges = states()
    for school, judge_of_b in (("CycleGAN", "D_A"), ("aitorzip", "netD_B"), ("genA2B", "disB")):
        held: dict[str, State] = named(SPELLINGS[school])
        torch.save(held, tmp_path / "all.pth")
        quartet = load_quartet(tmp_path / "all.pth")
        assert quartet.D_A is not None
        assert torch.equal(quartet.D_A.state_dict()["model.0.weight"], held[judge_of_b]["model.0.weight"])
        assert torch.equal(held[judge_of_b]["model.0.weight"], judges["D_A"]["model.0.weight"])


def test_what_is_no_network_is_told_in_one_note(tmp_path: Path) -> None:
    torch.save(states() | {"epoch": 3, "optimizer_G": {"state": {0: {"step": 4}}}}, tmp_path / "all.pth")
    assert load_quartet(tmp_path / "all.pth").notes == (
        "all.pth: left aside what is no network of a CycleGAN: 'epoch', 'optimizer_G'",
    )
    torch.save(states() | {f"loss {i}": 0.5 for i in range(20)}, tmp_path / "all.pth")
    (note,) = load_quartet(tmp_path / "all.pth").notes
    assert note.endswith("'loss 7' and 12 more")
    torch.save(AROUND["Lightning"](states()), tmp_path / "all.pth")
    (note,) = load_quartet(tmp_path / "all.pth").notes
    assert "'optimizer_states'" in note
    assert "'loss'" in note


def test_generators_alone_are_a_checkpoint_that_lacks_its_discriminators(tmp_path: Path) -> None:
    held = {name: state for name, state in named(SPELLINGS["A2B"]).items() if name.startswith("G")}
    torch.save(held, tmp_path / "all.pth")
    quartet = load_quartet(tmp_path / "all.pth")
    assert quartet.missing() == ("D_A", "D_B")
    with pytest.raises(MissingNetwork) as caught:
        quartet.require(*NET_NAMES)
    assert str(caught.value).startswith(
        "needed D_A and D_B; found G_A (all.pth), G_B (all.pth); "
        f"looked for D_A, D_B in {tmp_path / 'all.pth'}; put the networks of the same training there, or"
    )


@pytest.mark.parametrize("name", ["G", "netG", "generator", "G_state_dict", "state_dict_G"])
def test_one_generator_with_its_optimizer_is_taken_as_g_a(tmp_path: Path, name: str) -> None:
    torch.save(
        {name: make_generator(1).state_dict(), "optimizer": trained()["optimizer_G"]}, tmp_path / "g.pt"
    )
    quartet = load_quartet(tmp_path / "g.pt")
    assert_same(quartet.G_A, make_generator(1))
    assert quartet.notes[1] == f"g.pt holds one generator alone ({name}), taken as G_A"
    assert_same(load_generator(tmp_path / "g.pt"), make_generator(1))


def test_a_bundle_gives_its_generators_by_name_and_a_lone_file_gives_g(tmp_path: Path) -> None:
    torch.save(named(SPELLINGS["aitorzip"]), tmp_path / "all.pth")
    write_networks(tmp_path, CYCLEGAN_NAMES)
    for given, expected in (
        ("all.pth", {"G_A": 1, "G_B": 2}), (".", {"G_A": 1, "G_B": 2}), ("latest_net_G_B.pth", {"G": 2}),
    ):  # fmt: skip
        found = load_generators(tmp_path / given)
        assert found.keys() == expected.keys()
        for name, seed in expected.items():
            assert_same(found[name], make_generator(seed))


def test_a_layer_that_is_called_as_a_generator_is_no_generator(tmp_path: Path) -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.G, self.F = (nn.Conv2d(3, 3, 1) for _ in range(3))

        def forward(self, x: Tensor) -> Tensor:
            return self.a(x) * self.G(x) + self.F(x)

    torch.save(Gated().state_dict(), tmp_path / "gated.pth")
    (found,) = load_generators(tmp_path / "gated.pth", Own.of(Gated())).values()
    assert isinstance(found, Gated)
