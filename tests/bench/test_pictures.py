from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from ganprune.bench import bench, candidates_of
from ganprune.bench.pictures import MOST_PICTURES, inputs_for, pictures_at
from ganprune.bench.process import NetworkProcess
from ganprune.errors import DataError, InputError, UsageError
from ganprune.images import load_pictures, to_float
from ganprune.onnx_files.cost import PictureInput
from tests import onnx_graphs
from tests.bench.kit import QUICK


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(5).integers(256, size=(20, 28, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_float_inputs_are_what_every_other_command_makes_of_a_picture(photo: Path) -> None:
    takes = PictureInput("a.onnx", "input", "float32", (2, 3, 16, 16))
    (found,) = inputs_for(takes, (2, 3, 16, 16), (photo,), 0)
    wanted = to_float(load_pictures([photo], 16)).numpy()
    assert found.dtype == np.float32
    assert np.array_equal(found, np.concatenate([wanted, wanted]))


def test_uint8_inputs_may_be_channels_last_and_of_any_shape(photo: Path) -> None:
    takes = PictureInput("a.onnx", "picture", "uint8", (1, None, None, 3))
    (found,) = inputs_for(takes, (1, 12, 24, 3), (photo,), 0)
    wanted = np.asarray(Image.open(photo).resize((24, 12), Image.Resampling.BICUBIC))
    assert found.dtype == np.uint8
    assert np.array_equal(found[0], wanted)


def test_noise_is_the_same_for_the_same_seed_and_in_range() -> None:
    takes = PictureInput("a.onnx", "input", "float32", (1, 3, 16, 16))
    first, again, other = (inputs_for(takes, (1, 3, 16, 16), (), seed) for seed in (1, 1, 2))
    assert first.shape == (1, 1, 3, 16, 16)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert -1 <= first.min() < -0.9 < 0.9 < first.max() <= 1


def test_the_process_gets_the_pictures_to_the_bit_in_turns(tmp_path: Path, photo: Path) -> None:
    path, seen = onnx_graphs.conv(tmp_path / "a.onnx"), list[int]()
    run = NetworkProcess.run

    def listened(process: NetworkProcess, picture: int = 0) -> float:
        seen.append(picture)
        return run(process, picture)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NetworkProcess, "run", listened)
        report = bench(candidates_of((path,)), replace(QUICK, input=photo))
    assert seen == [0, 0, 1, 2, 3, 4]
    assert report.settings.to_json().get("input") == str(photo)
    session = onnxruntime.InferenceSession(path)
    assert session.get_inputs()[0].shape == [1, 3, 16, 16]


def test_folders_give_their_first_pictures_and_nothing_else(tmp_path: Path, photo: Path) -> None:
    for i in range(MOST_PICTURES + 3):
        (tmp_path / f"{i:02}.JPG").touch()
    (tmp_path / ".hidden.png").touch()
    (tmp_path / "notes.txt").touch()
    found = pictures_at(tmp_path)
    assert [path.name for path in found] == [f"{i:02}.JPG" for i in range(MOST_PICTURES)]
    assert pictures_at(photo) == (photo,)
    assert pictures_at(None) == ()


def test_what_is_no_picture_is_refused(tmp_path: Path, photo: Path) -> None:
    with pytest.raises(UsageError, match=r"--input .*nowhere does not exist; give a picture or a folder"):
        pictures_at(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"--input .*empty needs pictures \(bmp .*\), found nothing;"):
        pictures_at(tmp_path / "empty")
    path = onnx_graphs.conv(tmp_path / "a.onnx")
    with pytest.raises(DataError, match=r"a\.onnx cannot be read as a picture"):
        bench(candidates_of((path,)), replace(QUICK, input=path))
    many = onnx_graphs.conv(tmp_path / "many.onnx", dims=(1, 7, 16, 16))
    with pytest.raises(DataError, match=r"an RGB picture; networks of 7 channels take \.npy files"):
        bench(candidates_of((many,)), replace(QUICK, input=photo))
