"""Generators of other schools than CycleGAN's, from their files to ONNX, as CycleGAN's are."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

import ganprune
from ganprune.bench import BenchSettings
from ganprune.checkpoints import load_generator
from ganprune.errors import UsageError
from ganprune.images import load_pictures, to_float
from ganprune.metrics import pictures_in
from tests.cli.conftest import Place
from tests.cli.kit import ganprune as run_ganprune
from tests.cli.test_own_module import UNTRAINED
from tests.metrics.kit import keras_file
from tests.models.schools import GENERATORS, trained

QUICK = BenchSettings(threads=(1,), runs=(2, 3), seconds=1)


def saved(folder: Path, school: str) -> Path:
    make, _ = GENERATORS[school]
    torch.save(trained(make).state_dict(), folder / "latest_net_G.pth")
    return folder / "latest_net_G.pth"


@pytest.mark.parametrize("school", ["pix2pix", "PyTorch-GAN", "CUT", "aladdinpersson"])
def test_a_lone_generator_is_compressed_without_an_option_but_the_pictures(
    school: str, place: Place, here: Path
) -> None:
    path = saved(here, school)
    found = ganprune.compress(path, place.data, output=here / "run", bench=QUICK, **UNTRAINED)
    slim, original = found.slim["A"].state_dict(), torch.load(path, weights_only=True)
    added = {name for name in slim if "num_batches" not in name} - set(original)
    for name in added:  # a block that was taken out adds a constant, and nothing else of it is left
        block = name.removesuffix("constant")
        assert [other for other in slim if other.startswith(block)] == [name]
        assert any(other.startswith(block) for other in original)
    assert sum(t.numel() for t in slim.values()) < sum(t.numel() for t in original.values())
    size = found.settings.pictures.size
    x = torch.rand(1, 3, size, size) * 2 - 1
    session = onnxruntime.InferenceSession(found.files["G_A"], providers=["CPUExecutionProvider"])
    (made,) = session.run(None, {"input": x.numpy()})
    torch.testing.assert_close(torch.from_numpy(np.asarray(made)), found.slim["A"](x), atol=1e-4, rtol=0)
    assert torch.equal(load_generator(here / "run" / "latest_net_G_A.pth")(x), found.slim["A"](x))
    # Without training, the refitted network is what comes out; it is nearer than the one that was only cut.
    cut, refitted = (
        load_generator(here / "run" / f"{name}_G_A.safetensors") for name in ("pruned", "refitted")
    )
    shown = to_float(load_pictures(pictures_in(place.data / "trainA"), size))
    wanted, made = found.originals["A"](shown), found.slim["A"](shown)
    assert torch.equal(refitted(shown), made)
    assert not torch.equal(cut(shown), made)
    if school != "pix2pix":  # whose random statistics no map has, so there is no nearer
        assert (made - wanted).square().mean() < (cut(shown) - wanted).square().mean()
    if school == "CUT":
        judged = run_ganprune(
            "evaluate", "run", "--features", keras_file(here / "f.safetensors"), "--json", "--threads", 1
        )
        assert judged.code == 0, judged.err
        assert judged.json["directions"][0]["rows"][-1]["lost"] > 0


def test_pictures_of_any_size_are_padded_to_what_a_u_net_takes(here: Path) -> None:
    path, (height, width) = saved(here, "pix2pix"), (37, 50)
    Image.fromarray(np.full((height, width, 3), 90, np.uint8)).save(here / "grey.png")
    done = run_ganprune("translate", path, here / "grey.png", "-o", here / "out", "--preprocess", "none")
    assert done.code == 0, done.err
    with Image.open(here / "out" / "grey_fake_B.png") as made:
        assert made.size == (width, height)


def test_a_size_that_a_u_net_cannot_take_is_refused(place: Place, here: Path) -> None:
    path = saved(here, "pix2pix, instance norm")
    with pytest.raises(UsageError, match="--size must be a multiple of 64, by which these"):
        ganprune.compress(path, place.data, size=32)
