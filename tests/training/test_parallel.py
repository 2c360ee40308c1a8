"""Training in two processes is training in one: same steps, same state, same files."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ganprune.errors import UsageError
from ganprune.images import Domain
from ganprune.training import Budget, Networks, ProcessGroup, TrainingPictures, TrainSettings, train
from ganprune.training.pictures import Drawn
from ganprune.training.process_group import ALONE, check_devices
from tests.tiny import seeded
from tests.training.kit import TINY, Interrupted, Interrupter, log, networks, pictures, weights
from tests.training.test_distillation import DISTIL, Gan
from tests.training.test_distillation import SETTINGS as DISTILLED

STEPS = Budget(8, "steps")
CALM = replace(TINY, batch=2, lr=2e-4)
"""CycleGAN's learning rate."""
ALL = ("G_A", "G_B", "D_A", "D_B")


def kinds() -> dict[str, tuple[Networks, TrainSettings, dict[str, Any]]]:
    """Trainings that differ in what processes have to agree on."""
    gan, distil = Gan(), replace(DISTIL, gan=0.5, adapters=True)
    return {
        "paper, with pools and noise": (networks(), replace(CALM, pool_size=3, instance_noise=0.2), {}),
        "distil": (
            gan.networks,
            replace(DISTILLED, batch=2, lr=CALM.lr, trained=ALL, distil=distil, average=0.9, validations=2),
            {"teachers": gan.teachers, "validation": gan.validation()},
        ),
    }


def near(losses: dict[str, float]) -> object:
    """Gradients are summed in another order; Adam doubles or trebles what comes of it, step by step."""
    return pytest.approx(losses, rel=1e-3, abs=1e-5)


def assert_close(found: Networks, wanted: Networks) -> None:
    """Weights to 1e-4. Biases that a norm takes out again follow the rounding of gradients that are zero."""
    others = weights(wanted)
    for name, weight in weights(found).items():
        atol = 1e-4 if name.endswith("weight") else 2 * 8 * CALM.lr
        torch.testing.assert_close(weight, others[name], rtol=0, atol=atol, msg=f"{name} differs")


@pytest.mark.parametrize("kind", kinds())
def test_two_processes_follow_the_losses_of_one_with_the_same_batch(tmp_path: Path, kind: str):
    made, settings, others = kinds()[kind]
    data, listener = pictures(tmp_path / "data"), Interrupter(99)
    one = train(made, data, settings, STEPS, tmp_path / "one", log_every=1, **others)
    two = train(made, data, settings, STEPS, tmp_path / "two", listener, log_every=1, processes=2, **others)
    assert two.steps == one.steps == 8
    for wanted, found in zip(log(tmp_path / "one"), log(tmp_path / "two"), strict=True):
        assert found == near(wanted)
    assert_close(two.networks, one.networks)
    names = [{path.name for path in (tmp_path / folder).iterdir()} for folder in ("one", "two")]
    assert names[0] == names[1]
    new = [("training on new pictures", 2, 0)] if settings.distil else []
    assert listener.opened == [("reading pictures", 8, 0), *new, ("training", 8, 2 if new else 0)]
    assert listener.left == 99 - 8


def test_tolerance_tells_half_of_the_batch_from_all_of_it(tmp_path: Path):
    """What the tolerance above must not let pass: a process that learns from its own share alone."""
    data = pictures(tmp_path / "data")
    train(networks(), data, CALM, STEPS, tmp_path / "two", log_every=1)
    train(networks(), data, replace(CALM, batch=1), STEPS, tmp_path / "one", log_every=1)
    pairs = zip(log(tmp_path / "one"), log(tmp_path / "two"), strict=True)
    assert all(one != near(two) for one, two in pairs)


def test_another_number_of_processes_goes_on_with_a_training(tmp_path: Path):
    data, parts = pictures(tmp_path / "data"), tmp_path / "parts"
    wanted = train(networks(), data, CALM, STEPS, tmp_path / "whole", log_every=1)
    with pytest.raises(Interrupted):
        train(networks(), data, CALM, STEPS, parts, Interrupter(3), save_seconds=0, log_every=1)
    last = Interrupter(99)
    got = train(networks(), data, CALM, STEPS, parts, last, log_every=1, processes=2)
    assert last.opened[-1] == ("training", 8, 3)
    assert_close(got.networks, wanted.networks)
    for whole, found in zip(log(tmp_path / "whole"), log(parts), strict=True):
        assert found == near(whole)


def test_loss_of_a_batch_is_the_mean_of_its_pictures_losses(tmp_path: Path):
    """Else shares of a batch could not be put together; distances are relative to each picture's own size."""
    gan, settings = Gan(), replace(DISTILLED, batch=3)
    data = TrainingPictures(pictures(tmp_path), settings.transform)
    drawn = data.drawn(0, 0, 3, seeded(0))

    def losses(share: slice) -> dict[str, float]:
        parts: dict[Domain, list[Drawn]] = {side: some[share] for side, some in drawn.items()}
        real: dict[Domain, torch.Tensor] = {side: data.pictures(side, some) for side, some in parts.items()}
        return gan.trainer(data, settings).step(real, 1e-3, seeded(0), parts)

    each = [losses(slice(i, i + 1)) for i in range(3)]
    whole = losses(slice(3))
    for name in ("pixels_A", "maps_A", "maps_B", "features_A", "features_B"):
        assert whole[name] == pytest.approx(sum(one[name] for one in each) / 3, rel=1e-4)


@pytest.mark.parametrize(("size", "batch", "fitting"), [(2, 1, 2), (2, 3, 4), (4, 6, 8), (3, 7, 9)])
def test_batch_that_cannot_be_shared_names_one_that_can(tmp_path: Path, size: int, batch: int, fitting: int):
    told = f"{size} processes share every batch, so --set batch must be a multiple of {size}, found {batch}; "
    settings = replace(TINY, batch=batch)
    with pytest.raises(UsageError, match=f"{told}use --set batch={fitting}$"):
        train(networks(), {}, settings, STEPS, tmp_path / "out", processes=size)
    assert not (tmp_path / "out").exists()
    ProcessGroup(0, size).check(fitting)


@pytest.mark.parametrize("processes", [0, -1, 65])
def test_number_of_processes_has_a_range(tmp_path: Path, processes: int):
    with pytest.raises(UsageError, match=f"--set processes must be 1 to 64, found {processes}"):
        train(networks(), {}, TINY, STEPS, tmp_path, processes=processes)


def test_shares_are_the_whole_batch_in_order():
    batch = list("abcdef")
    assert [part for rank in range(3) for part in batch[ProcessGroup(rank, 3).share(6)]] == batch


def test_one_process_sends_nothing():
    x = torch.ones(3)
    ALONE.average([x])
    assert ALONE.gathered(x) is x
    assert ALONE.agreed(-1) == -1
    assert torch.equal(x, torch.ones(3))


def test_every_process_needs_a_gpu_of_its_own():
    missing = torch.cuda.device_count() + 1
    with pytest.raises(UsageError, match=f"every process needs a GPU of its own: {missing} are needed"):
        check_devices("cuda", missing)
    with pytest.raises(UsageError, match="2 processes need --device cuda or cpu, found cuda:1"):
        check_devices("cuda:1", 2)
    check_devices("cpu", 64)


def test_rank_and_size_are_what_torchrun_says(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    monkeypatch.setenv("WORLD_SIZE", "4")  # other launchers set it too
    assert ProcessGroup.of_torchrun() == ALONE
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    for name, value in (("RANK", 3), ("LOCAL_RANK", 1), ("LOCAL_WORLD_SIZE", 2)):
        monkeypatch.setenv(name, str(value))
    assert ProcessGroup.of_torchrun() == ProcessGroup(3, 4, 1, 2)
