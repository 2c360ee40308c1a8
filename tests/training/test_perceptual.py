"""VGG16's maps as what slim generators are compared by."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d

from ganprune.errors import CheckpointError, InputError, UsageError
from ganprune.training import DistilSettings, TranslatedMaps, load_vgg16
from ganprune.training.distillation import distillation_losses
from ganprune.training.perceptual import Window
from tests.tiny import random_pictures
from tests.training.kit import VGG_WIDTHS, vgg_tensors


def saved(folder: Path, tensors: dict[str, Tensor]) -> Path:
    save_file(tensors, folder / "vgg.safetensors")
    return folder / "vgg.safetensors"


@pytest.mark.parametrize("own", [False, True])
def test_maps_follow_the_published_network(tmp_path: Path, own: bool) -> None:
    tensors = vgg_tensors()
    network = load_vgg16(saved(tmp_path, tensors | ({"classifier.0.bias": torch.zeros(1)} if own else {})))
    pictures = random_pictures(2, 3, 16, 24, dtype=torch.float32)
    bytes_of = (pictures + 1) * 127.5
    if own:  # torchvision: 0…1, RGB, ImageNet's mean and deviation
        mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        x = (bytes_of / 255 - mean.view(1, 3, 1, 1)) / deviation.view(1, 3, 1, 1)
    else:  # Caffe: 0…255, BGR, less the mean
        x = bytes_of[:, [2, 1, 0]] - torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
    wanted: list[Tensor] = []
    for place in VGG_WIDTHS:
        weight, bias = tensors[f"features.{place}.weight"], tensors[f"features.{place}.bias"]
        x = conv2d(x, weight, bias, padding=1).relu()
        if place in (2, 7, 14):
            wanted.append(x)
        if place in (2, 7):
            x = max_pool2d(x, 2)
    found = network(pictures)
    assert [m.shape[1:] for m in found] == [(5, 16, 24), (4, 8, 12), (4, 4, 6)]
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b)


def test_the_term_is_the_mean_of_relative_differences_and_reaches_the_pictures(tmp_path: Path) -> None:
    network = load_vgg16(saved(tmp_path, vgg_tensors()))
    fake = random_pictures(1, 3, 16, 16, dtype=torch.float32).requires_grad_(True)
    wanted = random_pictures(1, 3, 16, 16, seed=1, dtype=torch.float32)
    target, settings = TranslatedMaps(wanted, []), DistilSettings(maps=0, vgg=0.5)
    terms = distillation_losses("A", TranslatedMaps(fake, []), target, settings, {"vgg": network}, {})
    pairs = zip(network(fake), network(wanted), strict=True)
    expected = sum((a - b).abs().mean() / b.abs().mean() for a, b in pairs) / 3
    assert set(terms) == {"pixels_A", "vgg_A"}
    assert terms["vgg_A"].item() == pytest.approx(0.5 * float(torch.as_tensor(expected).detach()))
    terms["vgg_A"].backward()
    assert fake.grad is not None
    assert fake.grad.abs().sum() > 0
    assert all(p.grad is None for p in network.parameters())
    same = distillation_losses("A", target, target, settings, {"vgg": network}, {})
    assert float(same["vgg_A"]) == 0


def test_another_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        load_vgg16(tmp_path / "none.pth")
    tensors = vgg_tensors()
    del tensors["features.12.weight"]
    with pytest.raises(InputError, match=r"needed VGG16 with torchvision's names .*features\.12\.weight"):
        load_vgg16(saved(tmp_path, tensors))
    tensors = vgg_tensors() | {"features.5.weight": torch.zeros(6, 9, 3, 3)}
    with pytest.raises(InputError, match="needed VGG16"):
        load_vgg16(saved(tmp_path, tensors))
    tensors = vgg_tensors() | {"features.5.bias": torch.full((6,), float("nan"))}
    with pytest.raises(InputError, match="found NaN or Inf"):
        load_vgg16(saved(tmp_path, tensors))
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(CheckpointError):
        load_vgg16(tmp_path / "text.pth")


def test_the_real_file_has_the_published_widths(real_data: Path) -> None:
    network = load_vgg16(real_data / "features/vgg16_to_conv3_3.safetensors")
    maps = network(torch.zeros(1, 3, 32, 32))
    assert [m.shape[1:] for m in maps] == [(64, 32, 32), (128, 16, 16), (256, 8, 8)]


def test_windows_wander_evenly_over_the_picture_and_never_leave_it() -> None:
    rows, columns = torch.meshgrid(torch.arange(40.0), torch.arange(60.0), indexing="ij")
    pictures = torch.stack([rows, columns, rows + columns])[None]
    seen, corners = torch.zeros(40, 60), set[tuple[int, int]]()
    window = Window(32, "cpu")
    for step in range(400):
        window.move(step)
        part = window(pictures)
        assert part.shape == (1, 3, 32, 32)
        top, left = int(part[0, 0, 0, 0]), int(part[0, 1, 0, 0])
        seen[top : top + 32, left : left + 32] += 1
        corners.add((top, left))
    assert seen.min() > 0
    assert len(corners) > 0.6 * 9 * 29
    assert torch.equal(Window(128, "cpu")(pictures), pictures)
    with pytest.raises(UsageError, match="vgg-window must be 32 or more, found 16"):
        DistilSettings(vgg_window=16)
