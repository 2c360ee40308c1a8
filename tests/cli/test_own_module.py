"""A generator of an architecture that no reader knows, from its checkpoint to its files."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import onnxruntime
import pytest
import torch
from torch import nn

import ganprune
from ganprune.bench import BenchSettings
from ganprune.checkpoints import Own, Quartet, load_generator, load_quartet, read_metadata
from ganprune.checkpoints.own import fitted
from ganprune.errors import CheckpointError, RunError, UsageError
from ganprune.models.traits import channels_of
from ganprune_exporters import benching
from tests.cli.conftest import Place
from tests.cli.kit import Outcome
from tests.cli.kit import ganprune as run_ganprune
from tests.metrics.kit import keras_file
from tests.own.small_unet import Judge, SmallUNet
from tests.tiny import fill

FILE = Path(__file__).parents[1] / "own" / "small_unet.py"
FACTORY = f"{FILE}:SmallUNet"
QUICK: dict[str, Any] = {
    "population": 4, "generations": 1, "pictures": 2, "refit_pictures": 2, "size": 32, "threads": 1,
    "align": 1, "target_macs": 0.5, "budget": "2steps",
}  # fmt: skip
BENCH = BenchSettings(threads=(1,), runs=(2, 3), seconds=1)
UNTRAINED: dict[str, Any] = QUICK | {"budget": "0"}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    net = SmallUNet()
    fill(net, 1)
    path = tmp_path_factory.mktemp("own") / "weights.pth"
    torch.save({f"module.{name}": tensor for name, tensor in net.state_dict().items()}, path)
    return path


def command(*words: object) -> Outcome:
    return run_ganprune(*map(str, words))


def test_it_is_compressed_exported_and_timed(place: Place, here: Path, weights: Path) -> None:
    found = ganprune.compress(
        weights, place.data, generator=FACTORY, output=here / "run",
        bench=BenchSettings(threads=(1,), runs=(2, 3), seconds=1), **QUICK,
    )  # fmt: skip
    (slim,), (original,) = found.slim.values(), found.originals.values()
    assert type(slim).__name__ == type(original).__name__ == "SmallUNet"
    assert sum(p.numel() for p in slim.parameters()) < sum(p.numel() for p in original.parameters())
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    session = onnxruntime.InferenceSession(here / "run" / "G_A.onnx", providers=["CPUExecutionProvider"])
    (made,) = session.run(None, {"input": x.numpy()})
    torch.testing.assert_close(torch.from_numpy(made), slim(x), atol=1e-4, rtol=0)
    again = load_generator(here / "run" / "latest_net_G_A.pth", Own.of(FACTORY))
    assert torch.equal(again(x), slim(x))
    report = (here / "run" / "report.html").read_text(encoding="utf-8")
    assert "filters kept" in report
    # What else can be done with the run.
    exported = command("export", "--onnx", here / "run", "-o", here / "files", "--generator", FACTORY)
    assert exported.code == 0, exported.err
    assert (here / "files" / "G_A.onnx").is_file()
    shown = command(
        "translate", here / "run", place.data / "testA", "-o", here / "made", "--generator", FACTORY
    )
    assert shown.code == 0, shown.err
    features = keras_file(here / "features.safetensors")
    judged = command("evaluate", here / "run", "--features", features, "--generator", FACTORY, "--json")
    assert judged.code == 0, judged.err
    for words in (
        ("export", "--onnx", here / "run", "-o", here / "others"),
        ("evaluate", here / "run", "--features", features),
        ("translate", here / "run", place.data / "testA", "-o", here / "others"),
    ):
        told = command(*words)
        assert told.code == 3
        assert f"give --generator {FACTORY}" in " ".join(told.err.split())
    page = command("report", here / "run")
    assert page.err.splitlines()[-1].endswith(f"PICTURES -o translated --generator {FACTORY}")


def test_inspect_tells_groups_and_the_command_to_run(weights: Path) -> None:
    told = command("inspect", weights, "--generator", FACTORY)
    assert told.code == 0, told.err
    assert "SmallUNet, filters 8–16" in told.out
    assert "groups: G_A: stem 8, down 12, trunk 16, up1 12 (trunk: what" in " ".join(told.out.split())
    assert f"next: ganprune compress {weights} --generator {FACTORY} --data DIR" in told.err
    grouped = command("inspect", weights, "--generator", f"{FILE}:grouped")
    assert "kept whole: G_A: deep.1: group_norm" in grouped.out, grouped.err
    unread = command("inspect", weights)
    assert unread.code == 3
    assert "'enter.0.weight' (8×3×3×3)" in unread.err
    assert "--generator FILE.py:FACTORY" in unread.err


def test_bench_times_a_checkpoint_of_it(here: Path, weights: Path) -> None:
    with patch.object(benching, "export_all", side_effect=KeyboardInterrupt) as export:
        command("bench", weights, "--generator", FACTORY)
    assert [type(network).__name__ for network in export.call_args.args[1].values()] == ["SmallUNet"]


def test_its_discriminator_may_be_of_ones_own_too(place: Place, here: Path, weights: Path) -> None:
    judge = Judge()
    fill(judge, 5)
    net = here / "net"
    net.mkdir()
    shutil.copy(weights, net / "latest_net_G.pth")
    torch.save(judge.state_dict(), net / "latest_net_D.pth")
    own = ("--generator", FACTORY, "--discriminator", f"{FILE}:Judge")
    told = command("inspect", net, *own)
    assert told.code == 0, told.err
    assert "Judge" in told.out
    words = (
        "compress",
        net,
        "--data",
        place.data,
        "--config",
        place.config,
        "--set",
        "loss=disa",
        "--dry-run",
    )
    assert command(*words, *own).code == 0
    assert "--discriminator FILE.py:FACTORY" in command(*words, *own[:2]).err


def test_pictures_are_translated_by_it_and_the_command_to_run_next_names_it(
    place: Place, here: Path, weights: Path
) -> None:
    shown = command("translate", weights, place.data / "testA", "-o", here / "drawn", "--generator", FACTORY)
    assert shown.code == 0, shown.err
    assert f"next: ganprune compress {weights} --generator {FACTORY} --data DIR" in shown.err


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("small_unet.py", "--generator must be FILE.py:FACTORY, found 'small_unet.py'"),
        ("gone.py:Net", "gone.py does not exist; give the file that defines Net"),
        (f"{FILE}:Net", "defines no function or class Net"),
        (f"{FILE}:broken", r"broken\(\) raised RuntimeError: no weights here"),
        (f"{FILE}:number", r"number\(\) returned int, an nn.Module was needed"),
    ],
)
def test_a_factory_that_cannot_be_used_is_refused_in_one_line(given: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Own.of(given)


def test_tensors_that_are_not_the_modules_are_named(weights: Path, tmp_path: Path) -> None:
    held = torch.load(weights, weights_only=True)
    torch.save({name: t for name, t in held.items() if "bottom" not in name}, tmp_path / "less.pth")
    with pytest.raises(CheckpointError, match=r"less\.pth: does not fit SmallUNet: lacks bottom\.0\.weight"):
        load_generator(tmp_path / "less.pth", Own.of(FACTORY))
    held["module.rise.0.weight"] = held["module.rise.0.weight"][:, 1:]
    torch.save(held, tmp_path / "odd.pth")
    with pytest.raises(CheckpointError, match="SmallUNet with these tensors raises RuntimeError"):
        load_generator(tmp_path / "odd.pth", Own.of(FACTORY))


def test_it_is_found_among_other_networks_of_a_flat_file(weights: Path, tmp_path: Path) -> None:
    state = {name.removeprefix("module."): t for name, t in torch.load(weights).items()}
    held = {f"generators.photo.{name}": t for name, t in state.items()} | {
        "judge.0.weight": torch.ones(1, 3, 4, 4)
    }
    torch.save({"state_dict": held, "meta": {"epoch": 3}}, tmp_path / "one.pth")
    x = torch.rand(1, 3, 32, 32)
    found = load_generator(tmp_path / "one.pth", Own.of(FACTORY))
    assert torch.equal(found(x), load_generator(weights, Own.of(FACTORY))(x))
    torch.save(held | {f"generators.mask.{name}": t for name, t in state.items()}, tmp_path / "two.pth")
    told = "holds several networks that fit, generators.photo and generators.mask"
    with pytest.raises(CheckpointError, match=told):
        load_generator(tmp_path / "two.pth", Own.of(FACTORY))


def test_files_of_old_versions_of_pytorch_fit_it(tmp_path: Path) -> None:
    """Without counts of batch norm, with statistics of instance norm."""
    layers = nn.Conv2d(3, 4, 3, 1, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 3, 3, 1, 1), nn.InstanceNorm2d(3)
    module = nn.Sequential(*layers).eval()
    state = {name: t for name, t in module.state_dict().items() if not name.endswith("tracked")}
    torch.save(state | {"3.running_mean": torch.ones(3), "3.running_var": torch.ones(3)}, tmp_path / "G.pth")
    quartet, x = load_quartet(tmp_path / "G.pth", own=Own.of(module)), torch.rand(1, 3, 8, 8)
    assert quartet.G_A is not None
    assert torch.equal(quartet.G_A(x), module(x))
    assert "dropped running statistics that instance norm does not use" in quartet.notes[0]


def test_pictures_of_another_size_are_refused_and_other_values_told(tmp_path: Path) -> None:
    larger = nn.Sequential(nn.Conv2d(3, 12, 3, 1, 1), nn.PixelShuffle(2))
    torch.save(larger.state_dict(), tmp_path / "G.pth")
    for read in (
        lambda: load_generator(tmp_path / "G.pth", Own.of(larger)),
        lambda: Quartet.of_modules(larger),
    ):
        with pytest.raises(
            CheckpointError, match="Sequential makes 64×64 pixels of 32×32; a network that keeps"
        ):
            read()
    bytes = nn.Sequential(nn.Conv2d(3, 3, 3, 1, 1))
    torch.nn.init.constant_(bytes[0].bias, 127.5)  # pyright: ignore[reportArgumentType]
    torch.save(bytes.state_dict(), tmp_path / "G.pth")
    (note, _) = load_quartet(tmp_path / "G.pth", own=Own.of(bytes)).notes
    assert "G.pth: it makes values up to 128 of a grey picture" in note


def test_batch_norms_on_single_pixels_are_cut_and_not_trained(place: Place, here: Path) -> None:
    """As at the bottom of a U-Net that is as deep as its pictures allow."""
    net = nn.Sequential(
        nn.Conv2d(3, 8, 4, 4), nn.ReLU(), nn.Conv2d(8, 8, 8, 8), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Upsample(scale_factor=32), nn.Conv2d(8, 3, 3, padding=1), nn.Tanh(),
    )  # fmt: skip
    fill(net, 1)
    made = ganprune.compress(net, place.data, output=here / "run", bench=False, **UNTRAINED)
    assert made.files["G_A"].is_file()
    with pytest.raises(UsageError, match="pictures of 32 pixels come to maps of a single pixel"):
        ganprune.compress(net, place.data, output=here / "trained", bench=False, **QUICK)


def test_a_module_is_as_good_as_the_file_that_makes_it(weights: Path) -> None:
    x = torch.rand(1, 3, 32, 32)
    mine = load_generator(weights, Own.of(SmallUNet()))
    assert torch.equal(mine(x), load_generator(weights, Own.of(FACTORY))(x))
    assert isinstance(mine, nn.Module)


class Backwards(nn.Module):
    """The layer that runs last is registered first."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.leave, self.enter = nn.Conv2d(6, channels, 1), nn.Conv2d(channels, 6, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.leave(torch.relu(self.enter(x))))


@pytest.mark.parametrize("channels", [1, 2])
def test_a_module_may_register_its_layers_in_any_order(channels: int) -> None:
    net = Backwards(channels)
    assert channels_of(fitted(net, net.state_dict())) == (channels, channels)


def test_a_trained_module_is_compressed_as_it_is(place: Place, here: Path) -> None:
    net = SmallUNet()
    fill(net, 2)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    quick = BenchSettings(threads=(1,), runs=(2, 3), seconds=1)
    found = ganprune.compress(net, place.data, output=here / "run", bench=quick, **UNTRAINED)
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert net.training
    assert type(found.slim["A"]) is SmallUNet
    assert sum(p.numel() for p in found.slim["A"].parameters()) < sum(p.numel() for p in net.parameters())
    again = ganprune.compress(net, place.data, output=here / "run", bench=quick, **UNTRAINED)
    x = torch.rand(1, 3, 32, 32)
    assert torch.equal(again.slim["A"](x), found.slim["A"](x))
    fill(net, 3)
    with pytest.raises(RunError, match="was made from another checkpoint"):
        ganprune.compress(net, place.data, output=here / "run", bench=quick, **UNTRAINED)


def test_what_maps_no_pictures_is_refused(place: Place) -> None:
    with pytest.raises(UsageError, match=r"needed a module that maps pictures .* Linear raised"):
        ganprune.compress(nn.Linear(3, 3), place.data)


def test_other_processes_know_the_module_too(place: Place, here: Path, weights: Path) -> None:
    given: dict[str, Any] = QUICK | {"generator": FACTORY, "bench": BENCH}
    alone = ganprune.compress(weights, place.data, output=here / "alone", **given)
    together = ganprune.compress(
        weights, place.data, output=here / "together", workers=2, processes=2, tune_batch=2, **given
    )
    assert type(together.slim["A"]).__name__ == "SmallUNet"
    genomes = [json.loads(read_metadata(run.folder / "G_A.safetensors")["kept"]) for run in (alone, together)]
    assert genomes[0] == genomes[1]


def test_every_command_on_checkpoints_takes_the_module(place: Place, here: Path, weights: Path) -> None:
    own, made = ("--generator", FACTORY), ("--set", f"generator={FACTORY}")
    small = (
        "--set",
        "population=4",
        "--set",
        "generations=1",
        "--set",
        "pictures=2",
        "--size",
        32,
        "--set",
        "align=1",
    )
    front = command("front", weights, *own, "--data", place.data, *small, "--points", "0.6", "-o", "front")
    assert front.code == 0, front.err
    assert front.err.splitlines()[-1] == f"next: ganprune export --onnx front/points/0.6 {' '.join(own)}"
    slim = command(
        "compress", weights, *own, "--data", place.data, *small, "--budget", 0, "--no-bench", "-o", "run"
    )
    assert slim.code == 0, slim.err
    assert slim.err.splitlines()[-1] == f"next: ganprune translate run PICTURES -o translated {' '.join(own)}"
    words = ("--data", place.data, "--budget", "1steps", "--set", "ndf=4", "--size", 32, "--set", "threads=1")
    trained = command("train", "--discriminators-for", weights, *made, *words, "-o", "whole")
    assert trained.code == 0, trained.err
    assert f"ganprune compress whole {' '.join(own)} --data" in trained.err.splitlines()[-1]
    alone = command("train", *made, *words, "-o", "other")
    assert alone.code == 2
    assert "give it with --discriminators-for or --from" in alone.err
    (here / "one.toml").write_text(
        '[compare]\nbench-seconds = 0\n[settings]\npictures = 2\nsize = 32\nalign = 1\nbudget = "0"\n'
        'loss = "gena"\ndirection = "AtoB"\nlambda-cycle = 0\nthreads = 1\ntarget-macs = 0.5\n'
        '[cells.uniform]\nmethod = "uniform"\n'
    )
    planned = command("compare", weights, *own, "--data", place.data, "--config", "one.toml", "--dry-run")
    assert planned.code == 0, planned.err


class AsFound(nn.Module):
    """As code out there is written: `view` of all values of a map and of a weight, a map that is kept, and a
    part that is called as networks are."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.leave = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 1)
        self.g = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.PReLU(8), nn.Conv2d(8, 8, 1))
        self.scale = nn.Conv2d(8, 8, 1)
        self.seen: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.g(torch.relu(self.enter(x)))
        x = x / x.view(len(x), -1).std(1).view(-1, 1, 1, 1)
        self.seen = [torch.sigmoid(self.scale(x))]
        return torch.tanh(self.leave(x * self.seen[0] * self.enter.weight.view(8, -1).std(1).mean()))


def test_code_as_it_is_found_is_searched_trained_and_exported(place: Place, here: Path) -> None:
    net = AsFound()
    fill(net, 1)
    net(torch.zeros(1, 3, 8, 8)).mean().backward()  # whose map has a gradient behind it
    made = ganprune.compress(net, place.data, output=here / "run", bench=False, **QUICK)
    assert made.files["G_A"].is_file()
    again = load_generator(here / "run" / "latest_net_G_A.pth", Own.of(net))
    x = torch.rand(1, 3, 32, 32)
    assert torch.equal(again(x), made.slim["A"](x))


@pytest.mark.parametrize(
    ("around", "entry"),
    [
        (lambda raw, mean: raw, ""),
        (lambda raw, mean: [raw], "0"),
        (lambda raw, mean: raw | {"total_ops": torch.ones(1), "enter.total_params": torch.ones(1)}, ""),
        (lambda raw, mean: {"a": {"b": {"weights": raw}}, "epoch": 3}, "weights"),
        (lambda raw, mean: {"params": raw, "params_ema": mean}, "params_ema"),
        (lambda raw, mean: {"model": raw, "model_ema": mean}, "model_ema"),
        (lambda raw, mean: {"model": raw, "ema": {"shadow": mean, "decay": 0.9}}, "shadow"),
    ],
)
def test_it_is_found_by_its_names_wherever_it_lies_in_a_file(
    tmp_path: Path, around: Callable[..., object], entry: str
) -> None:
    net = AsFound()
    fill(net, 1)
    raw = net.state_dict()
    torch.save(around(raw, {name: 2 * tensor for name, tensor in raw.items()}), tmp_path / "all.pth")
    quartet = load_quartet(tmp_path, own=Own.of(net))  # the only one in its folder
    assert quartet.G_A is not None
    average = "ema" in entry or "shadow" in entry
    assert torch.equal(quartet.G_A.get_parameter("leave.bias"), raw["leave.bias"] * (2 if average else 1))
    assert any(f"averages over the training are read: {entry}" in note for note in quartet.notes) == average
    assert any(f"({entry})" in note for note in quartet.notes) == bool(entry)
