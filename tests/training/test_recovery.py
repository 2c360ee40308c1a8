"""Networks that a checkpoint lacks are trained; those that it has stay to the bit."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ganprune.checkpoints import NET_NAMES, NetName, Quartet, load_quartet
from ganprune.errors import MissingNetwork, UsageError
from ganprune.images import load_pictures, to_float
from ganprune.models.cyclegan import Discriminator, DiscriminatorWidths, Generator, resnet_widths
from ganprune.training import (
    Budget,
    Networks,
    Trainer,
    TrainResult,
    TrainSettings,
    TrainState,
    completing,
    train,
)
from tests.tiny import fill, random_pictures, seeded
from tests.training.kit import TINY, Interrupted, Interrupter, networks, pictures, same_bits, weights

BUDGET = Budget.parse("4steps")
WITH_NEW = replace(TINY, ndf=4, size=24, load_size=26)
"""A new discriminator has four layers and sees nothing smaller."""


def without(*names: NetName) -> Quartet:
    return replace(quartet(networks()), **dict.fromkeys(names))


def quartet(made: Networks) -> Quartet:
    return Quartet(made.G_A, made.G_B, made.D_A, made.D_B)


def complete(
    quartet: Quartet, pictures: Any, settings: TrainSettings, budget: Budget, folder: Path, *reporter: Any
) -> TrainResult:
    made, how = completing(quartet, settings)
    return train(made, pictures, how, budget, folder, *reporter)


LACKING: tuple[tuple[NetName, ...], ...] = (("D_A", "D_B"), ("D_B",), ("G_B", "D_A", "D_B"), ("G_A",))


@pytest.mark.parametrize("lacking", LACKING, ids=" ".join)
def test_what_is_there_stays_and_what_is_missing_learns(tmp_path: Path, lacking: tuple[NetName, ...]) -> None:
    done = complete(without(*lacking), pictures(tmp_path), WITH_NEW, BUDGET, tmp_path / "net")
    assert done.steps == 4
    start = Networks.completed(without(*lacking), WITH_NEW)
    for (name, before), (_, after) in zip(start.items(), done.networks.items(), strict=True):
        pairs = zip(before.state_dict().values(), after.state_dict().values(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs) == (name not in lacking)
    assert load_quartet(tmp_path / "net").missing() == ()


@pytest.mark.parametrize("lacking", LACKING, ids=" ".join)
def test_an_interrupted_recovery_ends_with_the_same_bits(
    tmp_path: Path, lacking: tuple[NetName, ...]
) -> None:
    settings, shown = WITH_NEW, pictures(tmp_path)
    calm = complete(without(*lacking), shown, settings, BUDGET, tmp_path / "calm")
    with pytest.raises(Interrupted):
        complete(without(*lacking), shown, settings, BUDGET, tmp_path / "net", Interrupter(2))
    resumed = complete(without(*lacking), shown, settings, BUDGET, tmp_path / "net")
    assert same_bits(calm.networks, resumed.networks)


@pytest.mark.parametrize(
    ("trained", "losses"),
    [
        (("D_A", "D_B"), {"D_A", "D_B"}),
        (("D_B",), {"D_B"}),
        (("G_A", "D_A"), {"G_A", "cycle_A", "cycle_B", "idt_A", "D_A"}),
        (("G_B", "D_A", "D_B"), {"G_B", "cycle_A", "cycle_B", "idt_B", "D_A", "D_B"}),
        (("G_A", "G_B"), {"G_A", "G_B", "cycle_A", "cycle_B", "idt_A", "idt_B"}),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, tuple) else "",  # of a set: another order each time
)
def test_a_network_that_learns_gets_the_gradient_of_the_whole_objective(
    trained: tuple[NetName, ...], losses: set[str]
) -> None:
    A, B = (random_pictures(1, 3, 16, 16, seed=i, dtype=torch.float32) for i in range(2))
    whole, part = networks(), networks()
    whole_state = TrainState.start(whole, TINY)
    whole_losses = Trainer(whole_state, TINY).step({"A": A, "B": B}, 1e-3, seeded(0))
    settings = replace(TINY, trained=trained, instance_noise=0.0)
    state = TrainState.start(part, settings)
    found = Trainer(state, settings).step({"A": A, "B": B}, 1e-3, seeded(0))
    assert found.keys() == losses | {"spread_G_A", "spread_G_B"}
    for name in losses:
        assert found[name] == pytest.approx(whole_losses[name])
    ours, theirs, before = weights(state.networks), weights(whole_state.networks), weights(part)
    for key in before:
        if key.partition(" ")[0] not in trained:
            assert torch.equal(ours[key], before[key])
        elif ours[key].dim() > 1:  # a bias before a norm has no gradient but rounding noise
            torch.testing.assert_close(ours[key], theirs[key], rtol=0, atol=1e-6)
            assert not torch.equal(ours[key], before[key])


def test_a_new_generator_mirrors_the_one_that_is_there() -> None:
    alone = Generator(replace(resnet_widths(4, 3), trunk=9, out_channels=1), "batch")
    made = Networks.completed(Quartet(None, alone, None, None), TINY)
    assert made.G_B is alone
    assert made.G_A.norm == "batch"
    assert made.G_A.widths == replace(alone.widths, in_channels=1, out_channels=3)
    assert made.D_A.widths == DiscriminatorWidths.of(TINY.ndf)


def test_recovered_discriminators_tell_real_pictures_from_translations(tmp_path: Path) -> None:
    paths = pictures(tmp_path, 4, 4)
    settings = replace(WITH_NEW, ndf=8, lr=2e-3)
    found = complete(without("D_A", "D_B"), paths, settings, Budget.parse("60steps"), tmp_path / "net")
    A, B = (to_float(load_pictures(paths[side], 24)) for side in ("A", "B"))
    nets = found.networks
    with torch.no_grad():
        assert (nets.D_A(B).mean() - nets.D_A(nets.G_A(A)).mean()) > 0.2
        assert (nets.D_B(A).mean() - nets.D_B(nets.G_B(B)).mean()) > 0.2


def test_batch_norm_of_a_frozen_network_keeps_its_statistics(tmp_path: Path) -> None:
    G = [Generator(resnet_widths(4, 1), "batch") for _ in range(2)]
    D = Discriminator(DiscriminatorWidths((4, 6)), "batch")
    for seed, net in enumerate((*G, D)):
        fill(net, seed)
    found = complete(Quartet(G[0], G[1], D, None), pictures(tmp_path), WITH_NEW, BUDGET, tmp_path / "net")
    for before, after in ((G[0], found.networks.G_A), (D, found.networks.D_A)):
        assert all(torch.equal(value, after.state_dict()[key]) for key, value in before.state_dict().items())


def test_nothing_to_train_and_nothing_to_train_against_are_refused() -> None:
    with pytest.raises(UsageError, match="all four networks are there: nothing is left to train"):
        completing(quartet(networks()), TINY)
    with pytest.raises(MissingNetwork, match="needed G_A"):
        completing(without("G_A", "G_B"), TINY)
    with pytest.raises(UsageError, match="trained must name some of G_A, G_B, D_A, D_B"):
        replace(TINY, trained=())
    assert set(TINY.trained) == set(NET_NAMES)


def test_only_discriminators_that_learn_alone_are_shown_noise() -> None:
    A, B = (random_pictures(1, 3, 24, 24, seed=i, dtype=torch.float32) for i in range(2))

    def losses(**changes: object) -> dict[str, float]:
        settings = replace(TINY, **changes)  # type: ignore[arg-type]
        trainer = Trainer(TrainState.start(networks(), settings), settings)
        return trainer.step({"A": A, "B": B}, 1e-3, seeded(0))

    alone = {"trained": ("D_A", "D_B")}
    quiet = losses(instance_noise=0.0)
    assert losses()["D_A"] == quiet["D_A"] == pytest.approx(losses(**alone, instance_noise=0.0)["D_A"])
    assert losses(**alone)["D_A"] == losses(**alone, instance_noise=0.5)["D_A"] != quiet["D_A"]
    assert losses(instance_noise=0.5)["G_A"] == quiet["G_A"]
    with pytest.raises(UsageError, match="--set instance-noise must be finite and 0 or more, found -1"):
        replace(TINY, instance_noise=-1.0)
