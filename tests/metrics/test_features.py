"""Feature networks against a second way of writing them, and files that hold none."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from ganprune.errors import CheckpointError, DataError, InputError, UsageError
from ganprune.images import open_picture
from ganprune.metrics import features_of, load_features
from tests.images.pictures import write
from tests.metrics.kit import keras_file, random_uint8, torchvision_file
from tests.metrics.reference import bicubic, mobilenet, same_tensorflow, same_torch, squeezenet

MEAN = torch.tensor((0.485, 0.456, 0.406)).double().view(1, 3, 1, 1)
SD = torch.tensor((0.229, 0.224, 0.225)).double().view(1, 3, 1, 1)
CAFFE = torch.tensor((103.939, 116.779, 123.68)).double().view(1, 3, 1, 1)


def near(found: torch.Tensor, expected: torch.Tensor) -> None:
    assert found.dtype == torch.float64
    assert expected.std() > 1e-3
    torch.testing.assert_close(found, expected, rtol=2e-4, atol=2e-5)


def test_keras_mobilenet_is_padded_right_and_bottom_with_its_epsilon(tmp_path: Path) -> None:
    file, pictures = keras_file(tmp_path / "m.safetensors"), random_uint8(3)
    weights = load_file(file)
    expected = [
        mobilenet(weights, bicubic(picture) / 127.5 - 1, same_tensorflow, 1e-3) for picture in pictures
    ]
    near(features_of(load_features(file, threads=1), pictures, 2), torch.cat(expected))


def test_torchvision_mobilenet_is_recognised_by_its_classifier(tmp_path: Path) -> None:
    file, pictures = torchvision_file(tmp_path / "m.pth"), random_uint8(2)
    weights = torch.load(file)
    expected = [
        mobilenet(weights, (bicubic(picture) / 255 - MEAN) / SD, same_torch, 1e-5) for picture in pictures
    ]
    near(features_of(load_features(file, threads=1), pictures), torch.cat(expected))


def test_keras_squeezenet_sees_bgr_less_means(tmp_path: Path) -> None:
    file, pictures = keras_file(tmp_path / "s.safetensors", "squeezenet1_1"), random_uint8(2)
    expected = [squeezenet(load_file(file), bicubic(picture).flip(1) - CAFFE) for picture in pictures]
    near(features_of(load_features(file, threads=1), pictures), torch.cat(expected))


def test_torchvision_squeezenet_sees_normalised_rgb(tmp_path: Path) -> None:
    file, pictures = torchvision_file(tmp_path / "s.pth", "squeezenet1_1"), random_uint8(2)
    expected = [squeezenet(torch.load(file), (bicubic(picture) / 255 - MEAN) / SD) for picture in pictures]
    near(features_of(load_features(file, threads=1), pictures), torch.cat(expected))


def test_files_of_any_sizes_keep_their_order(tmp_path: Path) -> None:
    network = load_features(keras_file(tmp_path / "m.safetensors"), threads=1)
    sizes = [(40, 32), (40, 32), (60, 50), (40, 32), (300, 224)]
    paths = [write(tmp_path / f"{i}.png", i, *size) for i, size in enumerate(sizes)]
    together = features_of(network, paths, 2)
    alone = torch.cat([features_of(network, [path]) for path in paths])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-6)


def test_name_tells_weights_and_resizing(tmp_path: Path) -> None:
    names = {load_features(keras_file(tmp_path / f"{seed}.safetensors", seed=seed)).name for seed in (0, 1)}
    assert len(names) == 2
    for name in names:
        assert name.startswith("mobilenet_v2 by Keras ")
        assert name.endswith(", 224×224 PIL bicubic")


def test_other_networks_and_incomplete_ones_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "m.safetensors"
    with pytest.raises(UsageError, match=r"found no file .*m.safetensors; .*download --from"):
        load_features(file)
    tensors = {name: value.clone() for name, value in load_file(keras_file(file)).items()}  # no longer mapped
    save_file({name: value for name, value in tensors.items() if name != "features.9.conv.2.weight"}, file)
    with pytest.raises(InputError, match=r"does not fit \w+: lacks 9.conv.2.weight"):
        load_features(file)
    save_file(tensors | {"features.9.conv.2.weight": torch.zeros(3, 5, 1, 1)}, file)
    with pytest.raises(InputError, match="needed a whole network"):
        features_of(load_features(file), random_uint8(1))
    save_file({"features.0.weight": torch.zeros(64, 3, 3, 3)}, file)
    with pytest.raises(InputError, match=r"needed the tensors of MobileNetV2 .* found 1 others"):
        load_features(file)
    file.write_bytes(b"nothing of the kind")
    with pytest.raises(CheckpointError, match="no checkpoint"):
        load_features(file)


def test_no_pictures_and_unreadable_ones_are_refused(tmp_path: Path) -> None:
    network = load_features(keras_file(tmp_path / "m.safetensors"), threads=1)
    with pytest.raises(DataError, match="needed pictures to compute features of, found none"):
        features_of(network, [])
    (tmp_path / "bad.png").write_text("no picture")
    with pytest.raises(DataError, match=r"bad.png cannot be read"):
        features_of(network, [tmp_path / "bad.png"])


class _Inception(nn.Module):
    """In place of torch-fidelity's network: features are the sums of the channels."""

    def __init__(self, name: str, features: list[str], feature_extractor_weights_path: str) -> None:
        super().__init__()
        assert features == ["2048"]
        self.weights = torch.load(feature_extractor_weights_path, weights_only=True)
        if "fc.weight" not in self.weights:
            raise RuntimeError("Missing key(s): fc.weight")

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor]:
        assert x.dtype == torch.uint8
        return (x.float().sum((2, 3)),)


def test_inception_weights_go_to_torch_fidelity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fidelity = SimpleNamespace(FeatureExtractorInceptionV3=_Inception)
    monkeypatch.setattr("ganprune.metrics.inception.module_of_extra", lambda _: fidelity)
    file, pictures = tmp_path / "inception.pth", random_uint8(2)
    torch.save({"Conv2d_1a_3x3.conv.weight": torch.zeros(1), "fc.weight": torch.zeros(1)}, file)
    network = load_features(file, threads=1)
    assert network.name.startswith("inception_v3 by torch-fidelity ")
    assert network.name.endswith("299×299 TensorFlow 1 bilinear")
    assert torch.equal(features_of(network, pictures), pictures.double().sum((2, 3)))
    torch.save({"Conv2d_1a_3x3.conv.weight": torch.zeros(1)}, file)
    with pytest.raises(InputError, match="needed the weights of torch-fidelity's Inception, found others"):
        load_features(file)


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    with pytest.raises(UsageError, match=r"install it: pip install 'ganprune\[metrics\]'"):
        load_features("inception")


def test_torchvision_of_another_torch_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torch_fidelity").mkdir()
    broken = 'raise RuntimeError("operator torchvision::nms does not exist")'
    (tmp_path / "torch_fidelity" / "__init__.py").write_text(broken)
    monkeypatch.delitem(sys.modules, "torch_fidelity", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsageError, match=r"torchvision does not go with torch .*nms does not exist"):
        load_features("inception")


def test_torch_fidelitys_own_network_gives_2048_features(tmp_path: Path) -> None:
    inception = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3", exc_type=ImportError)
    original = inception.FeatureExtractorInceptionV3
    file = tmp_path / "inception.pth"
    shell = nn.Module.__new__(original)  # its weights, without the download of its constructor
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inception, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(original, "load_state_dict", lambda *_: None)
        shell = original("inception", ["2048"])
    torch.save(shell.state_dict(), file)
    pictures = random_uint8(2, 64)
    with torch.no_grad():
        expected = shell(pictures)[0].double()
    network = load_features(file, threads=1)
    assert expected.shape == (2, 2048)
    torch.testing.assert_close(features_of(network, pictures), expected)


@pytest.mark.parametrize("kind", ["mobilenet_v2", "squeezenet1_1"])
def test_published_weights_agree_with_the_second_writing(kind: str, real_data: Path) -> None:
    file = real_data / f"features/{kind}.safetensors"
    paths = sorted((real_data / "horse2zebra/testA").iterdir())[:2]
    weights, expected = load_file(file), list[torch.Tensor]()
    for path in paths:
        x = bicubic(open_picture(path))
        expected.append(
            mobilenet(weights, x / 127.5 - 1, same_tensorflow, 1e-3)
            if kind == "mobilenet_v2"
            else squeezenet(weights, x.flip(1) - CAFFE)
        )
    torch.testing.assert_close(
        features_of(load_features(file, threads=1), paths), torch.cat(expected), rtol=1e-4, atol=1e-4
    )
