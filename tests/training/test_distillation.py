"""Slim generators that learn from the originals: the terms, the lessons, the training."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ganprune.device import cpu_threads
from ganprune.errors import UsageError
from ganprune.genome import Layout
from ganprune.images import Domain, to_float
from ganprune.metrics.normalise import caffe
from ganprune.networks import Discriminator, DiscriminatorWidths, Generator, resnet_widths
from ganprune.rebuild import rebuilt
from ganprune.training import (
    Budget,
    DistilSettings,
    Lessons,
    Networks,
    Teacher,
    TrainingPictures,
    TrainSettings,
    TrainState,
    Validation,
    Vgg16,
    train,
)
from ganprune.training.distillation import distillation_losses, judged_layers, trunk_places, with_maps
from ganprune.training.taught import AtOnce, Taught
from tests.tiny import fill, random_pictures, seeded
from tests.training.kit import Interrupted, Interrupter, log, pictures, same_bits, vgg_tensors, weights

SIDES: tuple[Domain, ...] = ("A", "B")
DISTIL = DistilSettings(places=2)
SETTINGS = TrainSettings(
    size=16, seed=3, pool_size=3, lr=2e-3, beta1=0.9, decay=0.9, trained=("G_A", "G_B"), distil=DISTIL
)
STEPS = Budget(12, "steps")


class Gan:
    """A CycleGAN of two blocks, and slim generators cut out of it."""

    def __init__(self) -> None:
        self.whole: dict[Domain, Generator] = {side: Generator(resnet_widths(4, 2)) for side in SIDES}
        self.judges: dict[Domain, Discriminator] = {
            side: Discriminator(DiscriminatorWidths((4, 6))) for side in SIDES
        }
        self.slim: dict[Domain, Generator] = {}
        self.teachers: dict[Domain, Teacher] = {}
        for seed, side in enumerate(SIDES):
            fill(self.whole[side], seed)
            fill(self.judges[side], 10 + seed)
            layout = Layout.of(self.whole[side].widths)
            genome = torch.rand(layout.length, generator=seeded(seed)) < 0.6
            for piece in layout.genes.values():
                genome[piece.start] = True
            self.slim[side] = rebuilt(self.whole[side], layout, genome)
            kept = layout.kept(genome)["trunk"]
            self.teachers[side] = Teacher(self.whole[side], kept, self.judges[side])

    @property
    def networks(self) -> Networks:
        return Networks(self.slim["A"], self.slim["B"], self.judges["A"], self.judges["B"])

    def validation(self) -> Validation:
        held_out: dict[Domain, Tensor] = {
            side: random_pictures(2, 3, 16, 16, seed=70 + i) for i, side in enumerate(SIDES)
        }
        return Validation(held_out, self.whole, self.judges)


@pytest.fixture
def gan() -> Gan:
    return Gan()


def test_maps_are_those_of_the_blocks_and_the_picture_is_the_generators(gan: Gan):
    net, x = gan.whole["A"], random_pictures(2, 3, 16, 16, dtype=torch.float32)
    seen: list[Tensor] = []
    hooks = [net.model[i].register_forward_hook(lambda *a: seen.append(a[2].clone())) for i in (9, 10, 11)]
    wanted = net(x)
    for hook in hooks:
        hook.remove()
    picture, maps = with_maps(net, x, (0, 1, 2))
    assert torch.equal(picture, wanted)
    assert all(torch.equal(a, b) for a, b in zip(maps, seen, strict=True))


def test_gradients_are_in_the_order_of_their_maps(tmp_path: Path, gan: Gan):
    data = TrainingPictures(pictures(tmp_path), SETTINGS.transform)
    drawn = data.drawn(0, 0, 1, seeded(0))["A"]
    lesson = Lessons(data, "A", gan.teachers["A"], DISTIL, "cpu", "float32")(drawn)

    def ordered(x: Tensor) -> Tensor:
        return x.detach().contiguous(memory_format=torch.channels_last)

    made, several = with_maps(gan.slim["A"], data.pictures("A", drawn), (0, 2))
    fake, *maps = (ordered(part).requires_grad_(True) for part in (made, *several))
    terms = distillation_losses(
        "A", fake, maps, ordered(lesson.picture), lesson.maps, DISTIL,
        {"features": lambda picture: [picture]}, {}, (0, 2),
    )  # fmt: skip
    assert len(terms) == 3
    for term in terms.values():
        seen = maps if term is terms["maps_A"] else (fake,)
        for gradient in torch.autograd.grad(term, seen, retain_graph=True):
            assert gradient.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("blocks", "places", "wanted"),
    [(9, 4, (0, 3, 6, 9)), (9, 1, (9,)), (9, 2, (0, 9)), (2, 9, (0, 1, 2)), (6, 3, (0, 3, 6))],
)
def test_places_spread_over_the_trunk(blocks: int, places: int, wanted: tuple[int, ...]):
    assert trunk_places(blocks, places) == wanted


def test_judged_layers_are_the_first_ones_and_end_in_the_patch_map(gan: Gan):
    judge, x = gan.judges["A"], random_pictures(1, 3, 16, 16, dtype=torch.float32)
    before = x.clone()
    layers = judged_layers(judge, x, 9)
    assert len(layers) == 3
    for n in (1, 2, 3):
        first = judged_layers(judge, x, n)
        assert len(first) == n
        assert all(torch.equal(a, b) for a, b in zip(first, layers, strict=False))
    assert torch.equal(layers[-1], judge(x))
    assert torch.equal(layers[0], nn.functional.leaky_relu(judge.model[0](x), 0.2))
    assert torch.equal(x, before)


@pytest.mark.parametrize("memory", [0, 3000, 1 << 30])
def test_a_lesson_is_the_part_of_what_the_original_makes_of_the_whole(tmp_path: Path, gan: Gan, memory: int):
    settings = replace(SETTINGS, load_size=24)
    data = TrainingPictures(pictures(tmp_path), settings.transform)
    teachers = gan.teachers.items()
    lessons = {s: Lessons(data, s, t, DISTIL, "cpu", "float32", memory) for s, t in teachers}
    for step in range(6):
        for side, drawn in data.drawn(0, step, 2, seeded(step)).items():
            lesson = lessons[side](drawn)
            for i, one in enumerate(drawn):
                assert one.cut.top % 4 == one.cut.left % 4 == 0
                x = to_float(data.whole(side, one.index))[None]
                picture, maps = with_maps(gan.whole[side].eval(), x, lessons[side].places)
                torch.testing.assert_close(lesson.picture[i], one.cut(picture[0]), rtol=0, atol=1e-3)
                for found, whole in zip(lesson.maps, maps, strict=True):
                    kept = whole[0, gan.teachers[side].kept]
                    assert found.shape[2:] == (4, 4)
                    half_a_level = (kept.amax((1, 2)) - kept.amin((1, 2)))[:, None, None] / 510
                    assert ((found[i] - one.cut(kept, 4)).abs() <= 1.01 * half_a_level).all()


@pytest.mark.parametrize("adapters", [False, True])
def test_a_step_follows_the_terms_as_written(tmp_path: Path, gan: Gan, adapters: bool):
    distil = DistilSettings(pixels=3, maps=2, places=2, features=0.5, layers=2, gan=0.7, adapters=adapters)
    settings = replace(SETTINGS, distil=distil, trained=("G_A", "G_B", "D_A", "D_B"), flip=False)
    data = TrainingPictures(pictures(tmp_path), settings.transform)
    taught = Taught(data, gan.networks, gan.teachers, settings)
    state = TrainState.start(gan.networks, settings, taught.adapters)
    drawn = data.drawn(0, 0, 1, seeded(0))
    real: dict[Domain, Tensor] = {side: data.pictures(side, parts) for side, parts in drawn.items()}
    found = taught.step(state, drawn, real, 1e-3, seeded(0))
    for net in (*gan.whole.values(), *gan.judges.values()):
        net.requires_grad_(False)
    for side in SIDES:
        slim, whole, judge = gan.slim[side], gan.whole[side], gan.judges[side]
        fake, maps = with_maps(slim, real[side], (0, 2))
        wanted, wanted_maps = with_maps(whole, real[side], (0, 2))
        kept = gan.teachers[side].kept
        pairs = [(a, b[:, kept]) for a, b in zip(maps, wanted_maps, strict=True)]
        if adapters:  # at first the other channels are taken for zeros
            pairs = [
                (torch.zeros_like(b).index_copy(1, kept, a), b)
                for a, b in zip(maps, wanted_maps, strict=True)
            ]
        layers = zip(judged_layers(judge, fake, 2), judged_layers(judge, wanted, 2), strict=True)
        terms = {
            f"pixels_{side}": 3 * (fake - wanted).abs().mean(),
            f"maps_{side}": 2 * sum((a - b).square().mean() / b.square().mean() for a, b in pairs) / 2,
            f"features_{side}": 0.5 * sum((a - b).abs().mean() / b.abs().mean() for a, b in layers) / 2,
            f"G_{side}": 0.7 * (judge(fake) - 1).square().mean(),
        }
        for name, value in terms.items():
            assert found[name] == pytest.approx(float(value), rel=2e-2), name
    assert {"D_A", "D_B", "spread_A", "spread_B"} < found.keys()
    assert state.step == 1


def test_vgg_is_compared_where_a_teacher_has_it(tmp_path: Path, gan: Gan):
    data = TrainingPictures(pictures(tmp_path), SETTINGS.transform)
    drawn = data.drawn(0, 0, 1, seeded(0))
    real: dict[Domain, Tensor] = {side: data.pictures(side, parts) for side, parts in drawn.items()}
    vgg = Vgg16(vgg_tensors(), caffe).requires_grad_(False)
    sighted: dict[Domain, Teacher] = {s: replace(t, vgg=vgg) for s, t in gan.teachers.items()}
    for teachers, weight, seen in ((gan.teachers, 4.0, False), (sighted, 4.0, True), (sighted, 0.0, False)):
        settings = replace(SETTINGS, distil=replace(DISTIL, vgg=weight))
        taught = Taught(data, gan.networks, teachers, settings)
        state = TrainState.start(gan.networks, settings, taught.adapters)
        found = taught.step(state, drawn, real, 0.0, seeded(0))
        assert {"vgg_A", "vgg_B"} <= found.keys() or not seen
        assert seen or not {"vgg_A", "vgg_B"} & found.keys()
    before = {name: tensor.clone() for name, tensor in vgg.state_dict().items()}
    result = train(gan.networks, pictures(tmp_path), SETTINGS, STEPS, tmp_path / "run", teachers=sighted)
    assert result.steps == 12
    assert all(torch.equal(before[name], tensor) for name, tensor in vgg.state_dict().items())


def test_the_originals_and_their_judges_stay_as_they_are(tmp_path: Path, gan: Gan):
    before = [net.state_dict() for nets in (gan.whole, gan.judges, gan.slim) for net in nets.values()]
    before = [{key: value.clone() for key, value in state.items()} for state in before]
    distil = replace(DISTIL, features=1.0, gan=1.0)
    settings = replace(SETTINGS, distil=distil, trained=("G_A", "G_B", "D_A", "D_B"))
    train(gan.networks, pictures(tmp_path), settings, STEPS, tmp_path / "out", teachers=gan.teachers)
    after = [net.state_dict() for nets in (gan.whole, gan.judges, gan.slim) for net in nets.values()]
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
    for side in SIDES:
        assert lines[-1][f"{term}_{side}"] < 0.9 * lines[0][f"{term}_{side}"]


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"average": 0.9, "validations": 4},
        {"distil": replace(DISTIL, adapters=True), "precision": "bfloat16"},
        {"distil": replace(DISTIL, gan=0.5, features=0.1), "trained": ("G_A", "G_B", "D_A", "D_B")},
        {"load_size": 24, "batch": 2},
        {"trained": ("G_B",), "validations": 3},
    ],
    ids=str,
)
def test_an_interrupted_distillation_ends_with_the_same_bits(tmp_path: Path, gan: Gan, changed):
    settings, data = replace(SETTINGS, **changed), pictures(tmp_path / "data")
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


def test_the_best_of_all_validated_weights_are_the_result(tmp_path: Path, gan: Gan):
    settings = replace(SETTINGS, average=0.9, validations=6, lr=0.05, decay=0.0)  # wild steps
    held_out, folder = gan.validation(), tmp_path / "out"
    result = train(
        gan.networks, pictures(tmp_path), settings, STEPS, folder, teachers=gan.teachers, validation=held_out
    )
    lines = [json.loads(line) for line in (folder / "validation.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4, 6, 8, 10, 12]
    best = json.loads((folder / "train.json").read_text())["best"]
    figures = held_out.figures(result.networks)
    for side in SIDES:
        name = f"L_GenA_{side}"
        smallest = min(line[key] for line in lines for key in (name, f"average_{name}"))
        assert best[f"G_{side}"]["score"] == pytest.approx(smallest, rel=1e-5)
        assert figures[name] == pytest.approx(smallest, rel=1e-4)
    assert (folder / "last_net_G_A.pth").exists()


def test_patience_ends_a_training_that_gets_no_better(tmp_path: Path, gan: Gan):
    settings = replace(SETTINGS, validations=6, patience=2, lr=1e-30)  # moves nothing
    result = train(
        gan.networks, pictures(tmp_path), settings, Budget(60, "steps"), tmp_path / "out",
        teachers=gan.teachers, validation=gan.validation(),
    )  # fmt: skip
    lines = (tmp_path / "out/validation.jsonl").read_text().splitlines()
    assert result.steps == 30
    assert json.loads(lines[-1])["step"] == result.steps
    again = train(
        gan.networks, pictures(tmp_path), settings, Budget(60, "steps"), tmp_path / "out",
        teachers=gan.teachers, validation=gan.validation(),
    )  # fmt: skip
    assert again.steps == result.steps
    assert same_bits(again.networks, result.networks)


@pytest.mark.parametrize(
    ("seconds", "once", "steps", "pace"),
    [
        (2.0, 10, 4, 0.5),  # over before all lessons are computed
        (3.0, 10, 10, 0.1),  # five steps of 0.5 s compute them, five more take 0.1 s each
        (30.0, 10, 280, 0.1),
        (3.0, 0, 6, 0.5),  # no room to keep any
    ],
)
def test_a_time_counts_lessons_once(
    tmp_path: Path,
    gan: Gan,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    once: int,
    steps: int,
    pace: float,
):
    data = TrainingPictures(pictures(tmp_path), SETTINGS.transform)
    monkeypatch.setattr(Lessons, "ahead", lambda _: (0.2, once // 2))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    taught = Taught(data, gan.networks, gan.teachers, SETTINGS)
    assert taught.steps_in(seconds, 0.5) == pytest.approx((steps, pace))


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
        AtOnce(SIDES, "cpu")(lambda side: 1 / (side == "A"))


def test_lessons_foresee_what_is_left_to_compute(tmp_path: Path, gan: Gan):
    data = TrainingPictures(pictures(tmp_path, A=5, B=3), SETTINGS.transform)
    one = data.drawn(0, 0, 1, seeded(0))
    kept = len(gan.teachers["A"].kept)
    size = 2 * 3 * 16 * 16 + 2 * 2 * kept * 4 * 4  # bytes: a picture in float16, two maps in bfloat16
    for memory, wanted in ((1 << 30, 7), (3 * size, 2), (0, 0)):
        lessons = Lessons(data, "A", gan.teachers["A"], DISTIL, "cpu", "float32", memory)
        lessons(one["A"])
        seconds, left = lessons.ahead()
        assert seconds > 0
        assert left == min(wanted, 4)


def test_averages_follow_the_weights(gan: Gan):
    state = TrainState.start(gan.networks, replace(SETTINGS, average=0.75))
    name, key = "G_A", "model.1.weight"
    parameter = dict(state.networks.G_A.named_parameters())[key]
    wanted, history = parameter.detach().clone(), []
    for step in range(1, 40):
        with torch.no_grad():
            parameter.add_(1.0)
        state.count_step(0.75)
        keep = min(0.75, step / (step + 9))
        wanted = keep * wanted + (1 - keep) * parameter.detach()
        history.append((state.averages[name][key] - wanted).abs().max())
    assert max(history) < 1e-4
    averaged = state.averaged()
    assert torch.equal(averaged.G_A.state_dict()[key], state.averages[name][key])
    assert torch.equal(state.networks.G_A.state_dict()[key], parameter)


def test_validation_of_the_originals_themselves_finds_no_distance(gan: Gan):
    whole = Networks(gan.whole["A"], gan.whole["B"], gan.judges["A"], gan.judges["B"])
    figures = gan.validation().figures(whole)
    assert all(figures[f"{term}_{side}"] == 0 for term in ("L_GenA", "L_DisA") for side in SIDES)
    assert all(figures[f"L_cyc_{side}"] > 0 for side in SIDES)
    slim = gan.validation().figures(gan.networks)
    assert all(slim[f"L_GenA_{side}"] > 0 for side in SIDES)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"pixels": -1}, "--distil-pixels must be ≥ 0, found -1"),
        ({"pixels": 0, "maps": 0, "features": 0}, "one of --distil-pixels, --distil-maps and"),
        ({"places": 0}, "--distil-places must be 1 or more, found 0"),
    ],
)
def test_settings_out_of_range_are_refused(changed: dict[str, float], message: str):
    with pytest.raises(UsageError, match=message):
        DistilSettings(**changed)  # type: ignore[arg-type]


def test_an_adversarial_term_needs_discriminators_that_learn():
    with pytest.raises(UsageError, match="needs discriminators that learn"):
        replace(SETTINGS, distil=replace(DISTIL, gan=1.0))
