"""A video, frame by frame: order, times, size and sound."""

import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from torch import Tensor

from ganprune.errors import InputError, UsageError
from ganprune.reporting import SILENT
from ganprune.translation import TranslateSettings, translate_video
from ganprune.translation.preparation import Preparation
from tests.translation.kit import Recorder, source_of
from tests.videos import write_video

AS_THEY_ARE = TranslateSettings(prepare=Preparation("none"))


def frames_of(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as file:
        return [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]


def times_of(path: Path) -> list[float]:
    with av.open(str(path)) as file:
        return [float(frame.pts * frame.time_base) for frame in file.decode(video=0)]  # type: ignore[operator]


def greys(*values: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    return [np.full((height, width, 3), value, np.uint8) for value in values]


@pytest.mark.parametrize("batch", [1, 4])
def test_frames_are_translated_in_their_order_and_size(tmp_path: Path, batch: int) -> None:
    shades = [20, 200, 60, 160, 100, 240, 0, 130, 80, 180]
    video = write_video(tmp_path / "clip.mp4", greys(*shades))
    settings = TranslateSettings(prepare=Preparation("none"), batch=batch)
    done = translate_video(source_of(), video, tmp_path / "out", settings)
    made = frames_of(tmp_path / "out/clip_fake_B.mp4")
    assert (done.pictures, done.files) == (10, 1)
    assert [frame.shape for frame in made] == [(48, 64, 3)] * 10
    assert [int(frame.mean()) for frame in made] == pytest.approx([255 - shade for shade in shades], abs=4)
    assert times_of(tmp_path / "out/clip_fake_B.mp4") == pytest.approx([i / 10 for i in range(10)])


def test_colours_come_out_as_the_network_gives_them(tmp_path: Path) -> None:
    def red(pictures: Tensor) -> Tensor:
        return torch.tensor([0.6, -0.4, -0.8])[:, None, None].expand_as(pictures)

    video = write_video(tmp_path / "clip.mp4", greys(50, 100))
    translate_video(source_of(red), video, tmp_path / "out", AS_THEY_ARE)
    mean = frames_of(tmp_path / "out/clip_fake_B.mp4")[0].mean((0, 1))
    assert mean == pytest.approx([204, 76, 25], abs=4)


def test_uneven_times_and_odd_sizes_are_kept(tmp_path: Path) -> None:
    times = [0, 1, 5, 6, 30]
    with av.open(str(tmp_path / "clip.mkv"), "w") as file:
        stream: Any = file.add_stream("ffv1", rate=100)
        stream.width, stream.height, stream.pix_fmt = 51, 33, "bgr0"
        for time, frame in zip(times, greys(0, 50, 100, 150, 200, height=33, width=51), strict=True):
            made = av.VideoFrame.from_ndarray(frame, format="rgb24")
            made.pts, made.time_base = time, Fraction(1, 100)
            file.mux(stream.encode(made))
        file.mux(stream.encode(None))
    translate_video(source_of(), tmp_path / "clip.mkv", tmp_path / "out", AS_THEY_ARE)
    assert times_of(tmp_path / "out/clip_fake_B.mp4") == pytest.approx([time / 100 for time in times])
    assert {frame.shape for frame in frames_of(tmp_path / "out/clip_fake_B.mp4")} == {(33, 51, 3)}


def test_phones_videos_are_turned_upright(tmp_path: Path) -> None:
    wide = np.zeros((48, 64, 3), np.uint8)
    wide[:, :32] = 200  # its left half becomes the upper one
    video = write_video(tmp_path / "clip.mp4", [wide] * 3)
    data = bytearray(video.read_bytes())
    matrix = data.index(b"tkhd") + 44
    turned = (0, 1 << 16, 0, -1 << 16, 0, 0, 48 << 16, 0, 1 << 30)
    data[matrix : matrix + 36] = b"".join(number.to_bytes(4, "big", signed=True) for number in turned)
    video.write_bytes(data)
    translate_video(source_of(lambda x: x), video, tmp_path / "out", AS_THEY_ARE)
    (upright, *_) = frames_of(tmp_path / "out/clip_fake_B.mp4")
    assert upright.shape == (64, 48, 3)
    assert [int(upright[:24].mean()), int(upright[40:].mean())] == pytest.approx([200, 0], abs=4)
    stored = TranslateSettings(prepare=Preparation("none"), upright=False)
    translate_video(source_of(lambda x: x), video, tmp_path / "stored", stored)
    assert frames_of(tmp_path / "stored/clip_fake_B.mp4")[0].shape == (48, 64, 3)


def test_the_network_sees_the_size_it_wants_and_the_video_keeps_its_own(tmp_path: Path) -> None:
    seen = list[torch.Size]()

    def network(pictures: Tensor) -> Tensor:
        seen.append(pictures.shape)
        return -pictures

    video = write_video(tmp_path / "clip.mp4", greys(10, 20))
    settings = TranslateSettings(("fake", "real", "rec"), Preparation("resize", 32, 32))
    done = translate_video(source_of(network), video, tmp_path / "out", settings)
    assert seen == [(1, 3, 32, 32), (1, 3, 32, 32)]
    assert done.files == 3
    shapes = {path.name: frames_of(path)[0].shape for path in (tmp_path / "out").glob("*.mp4")}
    assert shapes == dict.fromkeys(("clip_fake_B.mp4", "clip_rec_A.mp4", "clip_real_A.mp4"), (48, 64, 3))


def test_sound_is_copied(tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.mp4", greys(*range(10)), sound=True)
    translate_video(source_of(), video, tmp_path / "out", AS_THEY_ARE)

    def sound(path: Path) -> list[bytes]:
        with av.open(str(path)) as file:
            return [bytes(packet) for packet in file.demux(audio=0) if packet.size]

    assert sound(tmp_path / "out/clip_fake_B.mp4") == sound(video) != []


def test_sound_that_mp4_does_not_hold_is_told_of(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "clip.mkv"), "w") as file:
        stream: Any = file.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        audio: Any = file.add_stream("pcm_s16le", rate=8000, layout="mono")
        for frame in greys(1, 2):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        silence.sample_rate = 8000
        file.mux(audio.encode(silence))
        file.mux(stream.encode(None))
    told = Recorder()
    translate_video(source_of(), tmp_path / "clip.mkv", tmp_path / "out", AS_THEY_ARE, told)
    assert told.news == ["without its sound: MP4 holds no pcm_s16le; convert that to AAC to keep it"]
    assert len(frames_of(tmp_path / "out/clip_fake_B.mp4")) == 2


def test_progress_counts_frames(tmp_path: Path) -> None:
    told = Recorder()
    video = write_video(tmp_path / "clip.mp4", greys(*range(7)))
    translate_video(source_of(), video, tmp_path / "out", AS_THEY_ARE, told)
    assert told.tasks == {"translate frames": (7, 7)}


def test_an_interruption_leaves_no_file(tmp_path: Path) -> None:
    calls = list[int]()

    def network(pictures: Tensor) -> Tensor:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return pictures

    video = write_video(tmp_path / "clip.mp4", greys(*range(6)))
    with pytest.raises(KeyboardInterrupt):
        translate_video(source_of(network), video, tmp_path / "out", AS_THEY_ARE)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_that_is_there_is_not_replaced_unasked(tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.mp4", greys(1, 2))
    target = tmp_path / "out/clip_fake_B.mp4"
    target.parent.mkdir()
    target.write_text("mine")
    with pytest.raises(UsageError, match=r"1 of 1 files to be written are already there, .*clip_fake_B\.mp4"):
        translate_video(source_of(), video, tmp_path / "out", AS_THEY_ARE)
    left = TranslateSettings(prepare=Preparation("none"), existing="resume")
    assert translate_video(source_of(), video, tmp_path / "out", left).skipped == 1
    assert target.read_text() == "mine"
    replaced = TranslateSettings(prepare=Preparation("none"), existing="overwrite")
    translate_video(source_of(), video, tmp_path / "out", replaced)
    assert len(frames_of(target)) == 2


def test_what_is_no_video_is_refused_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"no video" * 100)
    with pytest.raises(InputError, match=r"clip\.mp4: needed a video that FFmpeg reads, it says: Inv"):
        translate_video(source_of(), tmp_path / "clip.mp4", tmp_path / "out", AS_THEY_ARE)
    with av.open(str(tmp_path / "sound.mp4"), "w") as file:
        audio: Any = file.add_stream("aac", rate=8000, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
        silence.sample_rate = 8000
        file.mux(audio.encode(silence))
        file.mux(audio.encode(None))
    with pytest.raises(InputError, match=r"sound\.mp4: needed a video, found none inside"):
        translate_video(source_of(), tmp_path / "sound.mp4", tmp_path / "out", AS_THEY_ARE)
    assert not (tmp_path / "out").exists()


def test_damage_within_is_told_of_and_nothing_kept(tmp_path: Path) -> None:
    rough = [np.random.default_rng(i).integers(0, 255, (48, 64, 3), dtype=np.uint8) for i in range(30)]
    video = write_video(tmp_path / "clip.mp4", rough)
    data = bytearray(video.read_bytes())
    data[2000 : len(data) - 4000] = bytes(len(data) - 6000)
    video.write_bytes(data)
    with pytest.raises(InputError, match=r"clip\.mp4: needed a video that can be decoded, found damage"):
        translate_video(source_of(), video, tmp_path / "out", AS_THEY_ARE)
    assert list((tmp_path / "out").iterdir()) == []


def test_without_the_extra_a_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = write_video(tmp_path / "clip.mp4", greys(1))
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UsageError, match=r"pip install 'ganprune\[video\]'"):
        translate_video(source_of(), video, tmp_path / "out", AS_THEY_ARE, SILENT)


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.mp4", greys(1))
    with pytest.raises(InputError, match=r"found others in the translation of .*clip\.mp4"):
        translate_video(source_of(lambda x: x / 0 * 0), video, tmp_path / "out", AS_THEY_ARE)
