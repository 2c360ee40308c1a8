"""CycleGANs between pictures of other channels than RGB, by every command, without an option for it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image
from torch import nn

import ganprune
from ganprune.checkpoints import load_generator, load_quartet
from ganprune.errors import UsageError
from ganprune.images import load_pictures, to_float, to_uint8
from ganprune.images.reading import stored_picture
from ganprune.models.cyclegan import DiscriminatorWidths, resnet_widths
from ganprune.report.networks import networks_of
from ganprune.runs import Run
from tests.cli.kit import QUICK, SMALL_TRAINING, TINY, timed_briefly
from tests.cli.kit import ganprune as command
from tests.metrics.kit import keras_file
from tests.tiny import random_generator, random_judge, seeded

SMALL: dict[str, Any] = TINY | {
    "generations": 1,
    "budget": "2steps",
    "direction": "AtoB",
    "target-macs": 0.5,
    "align": 1,
}


def write_domain(folder: Path, channels: int, seed: int, count: int) -> None:
    """Pictures of random patches: grey or RGB PNG files, or .npy files of floats, words and bytes in turn."""
    folder.mkdir(parents=True)
    patches = torch.randint(256, (count, 6, 6, channels), generator=seeded(seed), dtype=torch.uint8).numpy()
    for i, patch_ in enumerate(patches):
        pixels = patch_.repeat(6, 0).repeat(6, 1)
        if channels in (1, 3):
            Image.fromarray(pixels.squeeze(2) if channels == 1 else pixels).save(folder / f"{i}.png")
            continue
        kinds = (pixels.astype(np.float32) / 127.5 - 1, pixels.astype(np.uint16) * 257, pixels)
        np.save(folder / f"{i}.npy", kinds[i % 3])


def write_data(root: Path, A: int, B: int) -> Path:
    for seed, name in enumerate(("trainA", "trainB", "testA", "testB")):
        write_domain(root / name, A if name.endswith("A") else B, seed, 2 if name.startswith("test") else 4)
    return root


def write_net(folder: Path, A: int, B: int) -> Path:
    """A CycleGAN between pictures of A and of B channels."""
    folder.mkdir()
    networks: dict[str, nn.Module] = {
        "G_A": random_generator(resnet_widths(4, 1, A, B), 1, torch.float32),
        "G_B": random_generator(resnet_widths(4, 1, B, A), 2, torch.float32),
        "D_A": random_judge(DiscriminatorWidths((4, 8), B), 3),
        "D_B": random_judge(DiscriminatorWidths((4, 8), A), 4),
    }
    for name, net in networks.items():
        torch.save(net.state_dict(), folder / f"latest_net_{name}.pth")
    return folder


def check_run(run: Path, data: Path, A: int, B: int) -> None:
    """Its ONNX file and `translate` give what its slim generator does; its pictures can be looked at."""
    slim = load_generator(run / "G_A.safetensors")
    x = to_float(load_pictures(sorted((data / "testA").iterdir())[:1], 32, channels=A))
    wanted = slim(x)
    assert wanted.shape == (1, B, 32, 32)
    session = onnxruntime.InferenceSession(run / "G_A.onnx", providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"input": x.numpy()})
    torch.testing.assert_close(torch.from_numpy(np.asarray(found)), wanted, atol=1e-4, rtol=0)
    for source in (run, run / "G_A.onnx"):
        out = Path(f"translated-{source.name}")
        shown = command("translate", source, data / "testA", "-o", out)
        assert shown.code == 0, shown.err
        if A == 5:
            assert np.abs(np.load(out / "0_fake_B.npy") - wanted[0].permute(1, 2, 0).numpy()).max() < 1e-4
        else:
            drawn = np.asarray(stored_picture(out / "0_fake_B.png")).reshape(32, 32, B)
            assert np.abs(drawn - to_uint8(wanted)[0].permute(1, 2, 0).numpy().astype(int)).max() <= 1
    reported = command("report", run)
    assert reported.code == 0, reported.err
    assert stored_picture(run / "pictures.png").mode == "RGB"
    assert "data:image/jpeg" in (run / "report.html").read_text()


@pytest.mark.parametrize(("A", "B"), [(1, 1), (5, 2)], ids=["grey", "5 and 2"])
def test_a_cyclegan_is_trained_compressed_and_used_without_an_option(here: Path, A: int, B: int) -> None:
    data = write_data(here / "data", A, B)
    trained = command("train", "--data", data, "-o", "net", "--budget", "2steps", *SMALL_TRAINING)
    assert trained.code == 0, trained.err
    assert f"generators between pictures of {A} (A) and {B} (B) channels" in trained.err
    assert load_quartet(here / "net").channels == {"A": A, "B": B}
    words = [word for key, value in SMALL.items() for word in ("--set", f"{key}={value}")]
    with timed_briefly():
        made = command("compress", "net", "--data", data, *words, "-o", "run")
    assert made.code == 0, made.err
    check_run(here / "run", data, A, B)


@pytest.mark.parametrize(("A", "B"), [(1, 3), (5, 2)], ids=["grey to colours", "5 to 2"])
def test_a_generator_and_a_discriminator_that_sees_both_are_compressed_on_pairs(
    here: Path, A: int, B: int
) -> None:
    (here / "net").mkdir()
    G = random_generator(resnet_widths(4, 1, A, B), 1, torch.float32)
    torch.save(G.state_dict(), "net/latest_net_G.pth")
    torch.save(random_judge(DiscriminatorWidths((4, 8), A + B), 2).state_dict(), "net/latest_net_D.pth")
    data = write_data(here / "data", A, B)
    where = ["--data", data]
    if A == 1:  # both in one file, which has colours
        for part in ("train", "test"):
            (here / "joined" / part).mkdir(parents=True)
            for path in (data / f"{part}A").iterdir():
                left, right = (Image.open(data / f"{part}{side}" / path.name) for side in "AB")
                both = np.concatenate([np.asarray(half.convert("RGB")) for half in (left, right)], 1)
                Image.fromarray(both).save(here / "joined" / part / path.name)
        where = ["--data", here / "joined"]
    words = [word for key, value in SMALL.items() for word in ("--set", f"{key}={value}")]
    with timed_briefly():
        made = command("compress", "net", *where, *words, "--set", "distil-gan=0.5", "-o", "run")
    assert made.code == 0, made.err
    assert "--set paired=true (as it was trained)" in made.err
    check_run(here / "run", data, A, B)
    features = keras_file(here / "m.safetensors")
    found = command("evaluate", "run", "--features", features, "--threads", 1, "--json")
    assert found.code == 0, found.err
    rows = {row["pictures"]: row for row in found.json["directions"][0]["rows"]}
    files = [sorted((data / f"test{side}").iterdir()) for side in "AB"]
    x, y = (load_pictures(paths, 32, channels=n) for paths, n in zip(files, (A, B), strict=True))
    with torch.inference_mode():
        wanted = (to_uint8(G(to_float(x))).double() - to_uint8(y).double()).abs().mean()
    assert rows["original"]["truth_l1"] == pytest.approx(float(wanted), rel=1e-3)


def test_grey_becomes_colour_and_back_from_python(here: Path) -> None:
    net, data = write_net(here / "net", 1, 3), write_data(here / "data", 1, 3)
    options = {key.replace("-", "_"): value for key, value in SMALL.items()}
    found = ganprune.compress(net, data, output=here / "run", bench=QUICK(), **options)
    assert found.files["G_A"].is_file()
    check_run(here / "run", data, 1, 3)
    assert {model["name"] for model in networks_of(Run(here / "run"), {})} >= {"G_A", "original_G_A"}
    # Of both directions, what is shown to a network is what it takes.
    shown = command("translate", net, data / "testA", "-o", "both", "--save", "fake,real,rec", "--size", "32")
    assert shown.code == 0, shown.err
    modes = {path.name[2:]: stored_picture(path).mode for path in (here / "both").iterdir()}
    assert modes == {"fake_B.png": "RGB", "real_A.png": "L", "rec_A.png": "L"}


def test_a_file_of_bytes_is_exported_timed_and_a_run_evaluated(here: Path) -> None:
    net, data = write_net(here / "net", 5, 2), write_data(here / "data", 5, 2)
    lone = net / "latest_net_G_A.pth"
    exported = command("export", "--onnx", lone, "--uint8", "-o", "bytes", "--data", data, "--size", 32)
    assert exported.code == 0, exported.err
    (file,) = (here / "bytes").glob("*.onnx")
    timed = command("bench", "--cpu", file, "--input", data / "testA", "--set", "runs=2,3")
    assert timed.code == 0, timed.err
    options: dict[str, Any] = {key.replace("-", "_"): value for key, value in SMALL.items()}
    options["budget"] = "0"
    ganprune.compress(net, data, output=here / "run", bench=QUICK(), **options)
    features = keras_file(here / "features.safetensors")
    told = command("evaluate", "run", "--features", features, "--set", "bootstrap=0", "--json")
    assert told.code == 0, told.err
    (direction,) = told.json["directions"]
    rows = {row["pictures"]: row for row in direction["rows"]}
    assert rows["inputs"]["psnr"] < rows["slim"]["psnr"] < float("inf")
    assert "features are of RGB: of pictures of 5 channels they see the first three" in told.err
    with pytest.raises(
        UsageError, match=r"a browser has grey and RGB pictures, the networks of .* take 5 ch"
    ):
        networks_of(Run(here / "run"), {})


REFUSED: dict[str, tuple[Callable[[Path, Path], tuple[object, ...]], int, str]] = {
    "no channels": (
        lambda net, data: ("train", "--data", data, "--set", "input-nc=0"), 2,
        "--set input-nc must be 1 to 512, found 0",
    ),
    "channels of a checkpoint": (
        lambda net, data: ("train", "--from", net, "--data", data, "--set", "output-nc=3"), 2,
        "--set output-nc is decided by the generator that is there; leave it out",
    ),
    "an identity loss in training": (
        lambda net, data: ("train", "--data", data, "--set", "lambda-identity=0.5"), 2,
        "--set lambda-identity needs as many channels in A as in B, found 5 and 2; leave it out",
    ),
    "an identity loss in the search": (
        lambda net, data: ("compress", net, "--data", data, "--set", "lambda-identity=1"), 2,
        "--set lambda-identity needs as many channels in A as in B, found 5 and 2; leave it out",
    ),
    "pictures of other channels": (
        lambda net, data: ("compress", net, "--data-a", data / "trainB", "--data-b", data / "trainA"), 3,
        "0.npy (an array of 36×36×2; needed height×width×5)",
    ),
    "picture files for five channels": (
        lambda net, data: ("translate", net, data / "a.png", "-o", "out"), 3,
        "a.png cannot be read as a picture (a grey picture; networks of 5 channels take .npy files)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_in_one_line(here: Path, case: str) -> None:
    net, data = write_net(here / "net", 5, 2), write_data(here / "data", 5, 2)
    Image.new("L", (36, 36)).save(data / "a.png")
    words, code, told = REFUSED[case]
    outcome = command(*words(net, data))
    assert (outcome.code, outcome.out) == (code, "")
    (line,) = (line for line in outcome.err.splitlines() if line.startswith("error: "))
    assert told in line
