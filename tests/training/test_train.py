import math
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from PIL import Image

from ganprune.checkpoints import load_quartet
from ganprune.errors import CheckpointError, MissingNetwork, RunError, UsageError
from ganprune.images import Domain, load_pictures, to_float
from ganprune.models.cyclegan import (
    Discriminator,
    DiscriminatorWidths,
    Generator,
    GeneratorWidths,
    resnet_widths,
)
from ganprune.training import Budget, Networks, TrainingError, TrainSettings, train
from ganprune.training.loop import PATIENCE
from tests.tiny import resnet
from tests.training.kit import TINY, log, networks, pictures, same_bits, weights


def steps(n: int) -> Budget:
    return Budget(n, "steps")


def test_a_training_writes_what_it_promises_and_nothing_else(tmp_path: Path):
    data, out = pictures(tmp_path / "data"), tmp_path / "out"
    result = train(networks(), data, TINY, steps(12), out, log_every=5)
    nets = {f"latest_net_{name}.pth" for name in ("G_A", "G_B", "D_A", "D_B")}
    samples = {f"samples-{step}.png" for step in (0, 6, 12)}
    assert {path.name for path in out.iterdir()} == nets | samples | {
        "train.json",
        "train.jsonl",
        "curves.svg",
        ".ganprune",
    }
    assert result.steps == 12
    assert {path.name for path in result.files.values()} == nets
    assert [line["step"] for line in log(out)] == [5, 10, 12]
    losses = {"G_A", "G_B", "cycle_A", "cycle_B", "idt_A", "idt_B", "D_A", "D_B"}
    assert all(line.keys() == losses | {"step", "lr"} for line in log(out))
    assert [line["lr"] for line in log(out)] == pytest.approx([1e-3, 0.5e-3, 1e-3 / 6])


def test_slim_networks_keep_their_widths_and_move(tmp_path: Path):
    made = networks()
    before = weights(made)
    result = train(made, pictures(tmp_path), TINY, steps(3), tmp_path / "out")
    assert result.networks.G_A.widths == made.G_A.widths
    assert result.networks.D_B.widths == made.D_B.widths
    assert all(torch.equal(before[key], value) for key, value in weights(made).items())
    after = weights(result.networks)
    assert all(
        not torch.equal(before[f"{name} model.1.weight"], after[f"{name} model.1.weight"])
        for name in ("G_A", "G_B")
    )
    assert all(
        not torch.equal(before[f"{name} model.0.weight"], after[f"{name} model.0.weight"])
        for name in ("D_A", "D_B")
    )
    assert not any(p.requires_grad for _, net in result.networks.items() for p in net.parameters())
    assert not any(net.training for _, net in result.networks.items())


def test_a_training_from_nothing_is_a_checkpoint_like_any_other(tmp_path: Path):
    settings = replace(TINY, size=24, load_size=28, ngf=4, blocks=2, ndf=4)
    result = train(Networks.fresh(settings), pictures(tmp_path), settings, steps(3), tmp_path / "out")
    loaded = Networks.of(load_quartet(tmp_path / "out"))
    assert same_bits(loaded, result.networks)
    assert loaded.G_B.widths == resnet_widths(4, 2)
    assert isinstance(loaded.D_A, Discriminator)
    assert loaded.D_A.widths.filters == (4, 8, 16, 32)


def test_fresh_networks_follow_from_the_seed_with_normal_weights():
    one = Networks.fresh(TrainSettings(ngf=8, blocks=2, ndf=8, seed=1))
    torch.manual_seed(7)
    again = Networks.fresh(TrainSettings(ngf=8, blocks=2, ndf=8, seed=1))
    other = Networks.fresh(TrainSettings(ngf=8, blocks=2, ndf=8, seed=2))
    assert same_bits(one, again)
    first = weights(one)
    assert not torch.equal(first["G_A model.1.weight"], weights(other)["G_A model.1.weight"])
    assert not torch.equal(first["G_A model.1.weight"], first["G_B model.1.weight"])
    for name, value in first.items():
        if value.dim() == 1:
            assert not value.any(), name
        else:
            assert value.std() == pytest.approx(0.02, rel=0.1), name
            assert abs(value.mean()) < 0.003, name


def test_training_brings_pictures_back_through_the_cycle(tmp_path: Path):
    data = pictures(tmp_path, A=1, B=1)
    settings = replace(TINY, lr=2e-3, flip=False, load_size=16)

    def lost(nets: Networks) -> float:
        with torch.no_grad():
            real = {domain: to_float(load_pictures(data[domain], 16)) for domain in data}
            A, B = nets.G_B(nets.G_A(real["A"])), nets.G_A(nets.G_B(real["B"]))
            return float((A - real["A"]).abs().mean() + (B - real["B"]).abs().mean())

    start = networks()
    result = train(start, data, settings, steps(80), tmp_path / "out")
    assert lost(result.networks) < 0.6 * lost(start)


@pytest.mark.parametrize("mode", ["crop", "scale_width", "scale_width_and_crop", "none"])
def test_every_way_of_preprocessing_trains(tmp_path: Path, mode: str):
    data = pictures(tmp_path, size=26)
    settings = TrainSettings(size=16, load_size=20, preprocess=mode, pool_size=2)  # type: ignore[arg-type]
    assert train(networks(), data, settings, steps(4), tmp_path / "out").steps == 4


def test_epochs_count_the_larger_domain(tmp_path: Path):
    result = train(
        networks(), pictures(tmp_path, A=3, B=5), replace(TINY, batch=2), Budget(2, "epochs"), tmp_path / "o"
    )
    assert result.steps == 5


def test_a_budget_of_nothing_gives_the_networks_back(tmp_path: Path):
    made = networks()
    result = train(made, pictures(tmp_path), TINY, Budget.parse("0"), tmp_path / "out")
    assert (result.steps, same_bits(result.networks, made)) == (0, True)


def test_sample_grids_show_input_translation_and_reconstruction(tmp_path: Path):
    data, made = pictures(tmp_path / "data"), networks()
    shown: dict[Domain, list[torch.Tensor]] = {
        domain: list(load_pictures(data[domain][:2], 32)) for domain in data
    }
    result = train(made, data, TINY, steps(2), tmp_path, samples=shown)
    with Image.open(tmp_path / "samples-2.png") as sheet:
        sheet.load()
    assert sheet.size == (6 * 32 + 5 * 4, 20 + 2 * 32 + 4)

    def cell(row: int, column: int) -> torch.Tensor:
        x, y = 36 * column, 20 + 36 * row
        pixels = sheet.crop((x, y, x + 32, y + 32)).tobytes()
        return torch.frombuffer(bytearray(pixels), dtype=torch.uint8).reshape(32, 32, 3).permute(2, 0, 1)

    G_A, G_B = result.networks.G_A, result.networks.G_B
    for row in range(2):
        for first, pictures_of, there, back in ((0, shown["A"], G_A, G_B), (3, shown["B"], G_B, G_A)):
            real = to_float(pictures_of[row])[None]
            with torch.no_grad():
                wanted = (real, there(real), back(there(real)))
            assert torch.equal(cell(row, first), pictures_of[row])
            for column in (1, 2):
                assert (to_float(cell(row, first + column)) - wanted[column][0]).abs().max() < 0.017


def test_curves_of_all_losses_are_drawn(tmp_path: Path):
    train(networks(), pictures(tmp_path), TINY, steps(9), tmp_path / "out", log_every=2)
    svg = ElementTree.parse(tmp_path / "out/curves.svg").getroot()
    texts = {text.text for text in svg.iter("{http://www.w3.org/2000/svg}text")}
    assert {"adversarial", "learning rate", "G_A", "idt_B"} <= texts
    width, height = map(float, svg.attrib["viewBox"].split()[2:])
    paths = [path.attrib.get("d", "") for path in svg.iter("{http://www.w3.org/2000/svg}path")]
    drawn = [re.findall(r"[ML] (\S+) (\S+)", path) for path in paths if "z" not in path]  # no frames
    curves = [[(float(x), float(y)) for x, y in points] for points in drawn if len(points) == 5]
    assert len(curves) >= 9
    for curve in curves:
        assert [x for x, _ in curve] == sorted(x for x, _ in curve)
        assert all(0 <= x <= width and 0 <= y <= height for x, y in curve)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_losses_that_overflow_stop_the_training_and_keep_good_weights(tmp_path: Path, precision):
    settings = replace(TINY, lr=1e30, precision=precision)
    with pytest.raises(TrainingError) as caught:
        train(networks(), pictures(tmp_path), settings, steps(50), tmp_path / "out", save_seconds=0)
    message = str(caught.value)
    found = re.search(r"in step (\d+) the .* is (nan|inf|not finite); the weights after (\d+) steps", message)
    assert found, message
    failed, good = int(found[1]), int(found[3])
    assert 1 <= good == failed - 1
    assert (
        f"{tmp_path / 'out'}/iter_{good}_net_*.pth; train again with a smaller --set lr=F (now 1e+30)"
        in message
    )
    assert ("or --set precision=float32" in message) == (precision == "bfloat16")
    kept = Networks.of(load_quartet(tmp_path / f"out/iter_{good}_net_G_A.pth"))
    assert all(value.isfinite().all() for value in weights(kept).values())
    assert not (tmp_path / "out/latest_net_G_A.pth").exists()


def test_a_generator_of_one_colour_stops_the_training(tmp_path: Path):
    made = networks()
    with torch.no_grad():
        for parameter in resnet(made.G_B).model[-2].parameters():
            parameter.zero_()
    settings = replace(TINY, lr=1e-12)
    with pytest.raises(
        TrainingError, match=rf"in step {PATIENCE} G_B gave one colour {PATIENCE} times in a row; the weights"
    ):
        train(made, pictures(tmp_path), settings, steps(50), tmp_path / "out", save_seconds=0)
    kept = Networks.of(load_quartet(tmp_path / "out/iter_0_net_G_A.pth"))
    assert same_bits(kept, made)


def test_another_training_in_the_folder_is_refused(tmp_path: Path):
    data, out = pictures(tmp_path / "data"), tmp_path / "out"
    train(networks(), data, TINY, steps(2), out)
    with pytest.raises(
        RunError, match=r"training with --set lr=0.001 \(now 0.5\), --set gan-mode=lsgan \(now"
    ):
        train(networks(), data, replace(TINY, lr=0.5, gan_mode="vanilla"), steps(2), out)
    with pytest.raises(RunError, match="a budget of 2 steps; give the same again to go on with it, or use"):
        train(networks(), data, TINY, steps(3), out)
    with pytest.raises(RunError, match="with other pictures;"):
        train(networks(), pictures(tmp_path / "data", A=6), TINY, steps(2), out)
    with pytest.raises(RunError, match="with other networks to begin with;"):
        train(replace(networks(), G_B=networks().G_A), data, TINY, steps(2), out)
    (out / "train.json").write_text("{")
    with pytest.raises(RunError, match=r"train.json is damaged .* delete .*out to train anew"):
        train(networks(), data, TINY, steps(2), out)


def test_networks_that_see_other_channels_of_one_domain_are_refused(tmp_path: Path):
    grey = Generator(GeneratorWidths(4, 4, 4, (4,), 4, 4, in_channels=1))
    with pytest.raises(
        CheckpointError, match="pictures of A have different numbers of channels: G_A 1, G_B 3, D_B 3"
    ):
        train(replace(networks(), G_A=grey), pictures(tmp_path), TINY, steps(2), tmp_path / "out")


@pytest.mark.parametrize(("layers", "size"), [(4, 24), (5, 48)])
def test_pictures_too_small_for_the_discriminators_are_refused(tmp_path: Path, layers: int, size: int):
    data, enough = pictures(tmp_path, size=52), replace(TINY, size=size, load_size=52)
    deep = replace(networks(), D_B=Discriminator(DiscriminatorWidths((2,) * layers)))
    assert train(deep, data, enough, steps(1), tmp_path / "enough").steps == 1
    with pytest.raises(UsageError, match=f"a discriminator needs pictures of at least {size}×{size}"):
        train(deep, data, replace(enough, size=size - 4), steps(1), tmp_path / "small")
    few, settings = pictures(tmp_path / "few", size=size - 4), TrainSettings(size=16, preprocess="none")
    with pytest.raises(UsageError, match=f"found {size - 4} pixels; give a larger --size"):
        train(deep, few, settings, steps(1), tmp_path / "none")


def test_a_checkpoint_without_discriminators_cannot_be_trained_on(tmp_path: Path):
    train(networks(), pictures(tmp_path), TINY, steps(1), tmp_path / "out")
    (tmp_path / "out/latest_net_D_A.pth").unlink()
    with pytest.raises(MissingNetwork, match="needed D_A"):
        Networks.of(load_quartet(tmp_path / "out"))


def test_losses_are_means_over_the_steps_since_the_last_line(tmp_path: Path):
    data = pictures(tmp_path / "data")
    train(networks(), data, TINY, steps(6), tmp_path / "each", log_every=1)
    train(networks(), data, TINY, steps(6), tmp_path / "third", log_every=3)
    each, third = log(tmp_path / "each"), log(tmp_path / "third")
    for i, line in enumerate(third):
        for name in ("G_A", "cycle_B", "D_B"):
            mean = math.fsum(one[name] for one in each[3 * i : 3 * i + 3]) / 3
            assert line[name] == pytest.approx(mean, abs=2e-6)
