"""Slim generators that learn from the originals: the terms, the training."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ganprune.errors import UsageError
from ganprune.images import Domain
from ganprune.metrics.normalise import caffe
from ganprune.system.device import cpu_threads
from ganprune.training import (
    Budget,
    DistilSettings,
    Networks,
    Teacher,
    TeacherCache,
    TrainingPictures,
    TrainSettings,
    TranslatedMaps,
    Vgg16,
    train,
)
from ganprune.training.distillation import discriminator_layers, distillation_losses, evenly, with_maps
from ganprune.training.teacher_cache import AtOnce
from tests.tiny import random_pictures, seeded
from tests.training.gan import DISTIL, DOMAINS, SETTINGS, STEPS, Gan
from tests.training.kit import Interrupted, Interrupter, log, pictures, same_bits, vgg_tensors, weights

TRUNK = ["model.9", "model.10", "model.11"]
ENDS = ["model.9", "model.11"]


def test_maps_are_those_of_the_blocks_and_the_picture_is_the_generators(gan: Gan):
    net, x = gan.whole["A"], random_pictures(2, 3, 16, 16, dtype=torch.float32)
    seen: list[Tensor] = []
    hooks = [net.model[i].register_forward_hook(lambda *a: seen.append(a[2].clone())) for i in (9, 10, 11)]
    wanted = net(x)
    for hook in hooks:
        hook.remove()
    picture, maps = with_maps(net, x, TRUNK)
    assert torch.equal(picture, wanted)
    assert all(torch.equal(a, b) for a, b in zip(maps, seen, strict=True))


def test_gradients_are_in_the_order_of_their_maps(tmp_path: Path, gan: Gan):
    data = TrainingPictures(pictures(tmp_path), SETTINGS.transform)
    drawn = data.drawn(0, 0, 1, seeded(0))["A"]
    original = TeacherCache(data, "A", gan.teachers["A"], SETTINGS)(drawn)

    def ordered(x: Tensor) -> Tensor:
        return x.detach().contiguous(memory_format=torch.channels_last)

    made, several = with_maps(gan.slim["A"], data.pictures("A", drawn), ENDS)
    fake, *maps = (ordered(part).requires_grad_(True) for part in (made, *several))
    terms = distillation_losses(
        "A", TranslatedMaps(fake, maps), TranslatedMaps(ordered(original.picture), original.maps), DISTIL,
        {"features": lambda picture: [picture]}, {},
    )  # fmt: skip
    assert len(terms) == 3
    for term in terms.values():
        seen = maps if term is terms["maps_A"] else (fake,)
        for gradient in torch.autograd.grad(term, seen, retain_graph=True):
            assert gradient.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("blocks", "places", "wanted"),
    [(9, 4, [0, 3, 6, 9]), (9, 1, [9]), (9, 2, [0, 9]), (2, 9, [0, 1, 2]), (6, 3, [0, 3, 6]), (-1, 3, [])],
)
def test_places_spread_evenly(blocks: int, places: int, wanted: list[int]):
    assert evenly(range(blocks + 1), places) == wanted


def test_taps_are_the_trunk_before_the_first_block_and_behind_each(gan: Gan):
    teacher = gan.teachers["A"]
    taps = teacher.taps(99)
    assert [tap.module for tap in taps] == TRUNK
    assert [tap.module for tap in teacher.taps(2)] == ENDS
    for tap in taps:
        assert (tap.channels, len(tap.kept)) == (16, gan.slim["A"].widths.trunk)


def test_layers_of_a_discriminator_are_the_first_ones_and_end_in_the_patch_map(gan: Gan):
    D, x = gan.discriminators["A"], random_pictures(1, 3, 16, 16, dtype=torch.float32)
    before = x.clone()
    layers = discriminator_layers(D, x, 9)
    assert len(layers) == 3
    for n in (1, 2, 3):
        first = discriminator_layers(D, x, n)
        assert len(first) == n
        assert all(torch.equal(a, b) for a, b in zip(first, layers, strict=False))
    assert torch.equal(layers[-1], D(x))
    assert torch.equal(layers[0], nn.functional.leaky_relu(D.model[0](x), 0.2))
    assert torch.equal(x, before)


@pytest.mark.parametrize("adapters", [False, True])
def test_a_step_follows_the_terms_as_written(tmp_path: Path, gan: Gan, adapters: bool):
    distil = DistilSettings(pixels=3, maps=2, places=2, features=0.5, layers=2, gan=0.7, adapters=adapters)
    settings = replace(SETTINGS, distil=distil, trained=("G_A", "G_B", "D_A", "D_B"), flip=False)
    data = TrainingPictures(pictures(tmp_path), settings.transform)
    trainer = gan.trainer(data, settings)
    drawn = data.drawn(0, 0, 1, seeded(0))
    real: dict[Domain, Tensor] = {side: data.pictures(side, parts) for side, parts in drawn.items()}
    found = trainer.step(real, 1e-3, seeded(0), drawn)
    for net in (*gan.whole.values(), *gan.discriminators.values()):
        net.requires_grad_(False)
    for side in DOMAINS:
        slim, whole, D = gan.slim[side], gan.whole[side], gan.discriminators[side]
        fake, maps = with_maps(slim, real[side], ENDS)
        wanted, wanted_maps = with_maps(whole, real[side], ENDS)
        kept = gan.teachers[side].taps(1)[0].kept
        pairs = [(a, b[:, kept]) for a, b in zip(maps, wanted_maps, strict=True)]
        if adapters:  # at first the other channels are taken for zeros
            pairs = [
                (torch.zeros_like(b).index_copy(1, kept, a), b)
                for a, b in zip(maps, wanted_maps, strict=True)
            ]
        layers = zip(discriminator_layers(D, fake, 2), discriminator_layers(D, wanted, 2), strict=True)
        terms = {
            f"pixels_{side}": 3 * (fake - wanted).abs().mean(),
            f"maps_{side}": 2 * sum((a - b).square().mean() / b.square().mean() for a, b in pairs) / 2,
            f"features_{side}": 0.5 * sum((a - b).abs().mean() / b.abs().mean() for a, b in layers) / 2,
            f"G_{side}": 0.7 * (D(fake) - 1).square().mean(),
        }
        for name, value in terms.items():
            assert found[name] == pytest.approx(float(value), rel=2e-2), name
    assert {"D_A", "D_B", "spread_G_A", "spread_G_B"} < found.keys()
    assert trainer.state.step == 1


def test_vgg_is_compared_where_a_teacher_has_it(tmp_path: Path, gan: Gan):
    data = TrainingPictures(pictures(tmp_path), SETTINGS.transform)
    drawn = data.drawn(0, 0, 1, seeded(0))
    real: dict[Domain, Tensor] = {side: data.pictures(side, parts) for side, parts in drawn.items()}
    vgg = Vgg16(vgg_tensors(), caffe).requires_grad_(False)
    sighted: dict[Domain, Teacher] = {s: replace(t, vgg=vgg) for s, t in gan.teachers.items()}
    for teachers, weight, seen in ((gan.teachers, 4.0, False), (sighted, 4.0, True), (sighted, 0.0, False)):
        settings = replace(SETTINGS, distil=replace(DISTIL, vgg=weight))
        found = gan.trainer(data, settings, teachers).step(real, 0.0, seeded(0), drawn)
        assert {"vgg_A", "vgg_B"} <= found.keys() or not seen
        assert seen or not {"vgg_A", "vgg_B"} & found.keys()
    before = {name: tensor.clone() for name, tensor in vgg.state_dict().items()}
    result = train(gan.networks, pictures(tmp_path), SETTINGS, STEPS, tmp_path / "run", teachers=sighted)
    assert result.steps == 12
    assert all(torch.equal(before[name], tensor) for name, tensor in vgg.state_dict().items())


def test_the_originals_and_their_discriminators_stay_as_they_are(tmp_path: Path, gan: Gan):
    before = [net.state_dict() for nets in (gan.whole, gan.discriminators, gan.slim) for net in nets.values()]
    before = [{key: value.clone() for key, value in state.items()} for state in before]
    distil = replace(DISTIL, features=1.0, gan=1.0)
    settings = replace(SETTINGS, distil=distil, trained=("G_A", "G_B", "D_A", "D_B"))
    train(gan.networks, pictures(tmp_path), settings, STEPS, tmp_path / "out", teachers=gan.teachers)
    after = [net.state_dict() for nets in (gan.whole, gan.discriminators, gan.slim) for net in nets.values()]
    assert all(torch.equal(a[key], b[key]) for a, b in zip(before, after, strict=True) for key in a)


@pytest.mark.parametrize("term", ["pixels", "maps", "features"])
def test_each_term_alone_brings_the_slim_generators_nearer(tmp_path: Path, gan: Gan, term: str):
    off = {"pixels": 0.0, "maps": 0.0, "features": 0.0}
    settings = replace(SETTINGS, distil=replace(DISTIL, **off | {term: 5.0}))  # type: ignore[arg-type]
    folder = tmp_path / "out"
    train(
        gan.networks, pictures(tmp_path), settings, Budget(60, "steps"), folder, teachers=gan.teachers,
        log_every=20,
    )  # fmt: skip
    lines = log(folder)
    for side in DOMAINS:
        assert lines[-1][f"{term}_{side}"] < 0.9 * lines[0][f"{term}_{side}"]


@pytest.mark.parametrize(
    "changed",
    [
        {"average": 0.9, "validations": 4},
        {"distil": replace(DISTIL, adapters=True), "precision": "bfloat16"},
        {"distil": replace(DISTIL, gan=0.5, features=0.1), "trained": ("G_A", "G_B", "D_A", "D_B")},
        {"load_size": 24, "batch": 2},
        {"trained": ("G_B",), "validations": 3},
    ],
    ids=str,
)
def test_an_interrupted_distillation_ends_with_the_same_bits(tmp_path: Path, gan: Gan, changed):
    interrupted_distillation(tmp_path, gan, replace(SETTINGS, **changed))


def test_an_interrupted_distillation_of_affine_instance_norm_does_too(tmp_path: Path):
    interrupted_distillation(tmp_path, Gan("affine-instance"), replace(SETTINGS, average=0.9, validations=4))


def interrupted_distillation(tmp_path: Path, gan: Gan, settings: TrainSettings) -> None:
    data = pictures(tmp_path / "data")
    teachers: dict[Domain, Teacher] = {
        side: teacher for side, teacher in gan.teachers.items() if f"G_{side}" in settings.trained
    }

    def run(folder: Path, reporter: Interrupter | None = None):
        return train(
            gan.networks, data, settings, STEPS, folder, reporter or Interrupter(99),
            teachers=teachers, validation=gan.validation(), save_seconds=0, log_every=3,
        )  # fmt: skip

    wanted = run(tmp_path / "whole")
    for more in (5, 4):
        with pytest.raises(Interrupted):
            run(tmp_path / "parts", Interrupter(more))
    got = run(tmp_path / "parts")
    assert same_bits(got.networks, wanted.networks)
    assert log(tmp_path / "parts") == log(tmp_path / "whole")
    moved = weights(gan.networks), weights(got.networks)
    for name in ("G_A", "G_B", "D_A", "D_B"):
        stayed = all(torch.equal(moved[0][k], moved[1][k]) for k in moved[0] if k.startswith(name))
        assert stayed == (name not in settings.trained)
    if settings.validations:
        texts = [(tmp_path / part / "validation.jsonl").read_text() for part in ("parts", "whole")]
        assert texts[0] == texts[1]


def test_halves_at_once_come_to_the_bits_of_one_after_the_other(tmp_path: Path, gan: Gan):
    settings, data = replace(SETTINGS, average=0.9), pictures(tmp_path / "data")
    found: list[Networks] = []
    for threads in (1, 2):  # with two, each half has one
        with cpu_threads(threads):
            out = tmp_path / str(threads)
            found.append(train(gan.networks, data, settings, STEPS, out, teachers=gan.teachers).networks)
    assert same_bits(*found)


def test_what_one_half_raises_is_raised():
    with cpu_threads(2), pytest.raises(ZeroDivisionError):
        AtOnce(DOMAINS, "cpu")(lambda side: 1 / (side == "A"))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"pixels": -1}, "--set pixels must be finite and 0 or more, found -1"),
        ({"pixels": 0, "maps": 0, "features": 0}, "one of --set distil-pixels, distil-maps and"),
        ({"places": 0}, "--set places must be 1 or more, found 0"),
    ],
)
def test_settings_out_of_range_are_refused(changed: dict[str, float], message: str):
    with pytest.raises(UsageError, match=message):
        DistilSettings(**changed)  # type: ignore[arg-type]


def test_an_adversarial_term_needs_discriminators_that_learn():
    with pytest.raises(UsageError, match="needs discriminators that learn"):
        replace(SETTINGS, distil=replace(DISTIL, gan=1.0))
