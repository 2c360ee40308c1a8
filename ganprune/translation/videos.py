"""A video translated frame by frame: order, times, size and sound are kept.

PyAV, of the extra ``video``, reads whatever FFmpeg reads and writes H.264 in MP4.
"""

import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganprune.errors import InputError, UsageError
from ganprune.images import to_float, to_uint8
from ganprune.images.values import as_rgb, resized
from ganprune.reporting import SILENT, Reporter
from ganprune.storage.files import atomic_path
from ganprune.translation.memory import check_memory, free_memory
from ganprune.translation.run import TranslateSettings, TranslationSummary, in_tiles, translations
from ganprune.translation.source import Source
from ganprune.translation.targets import Kind, plan

_SOUND = frozenset({"aac", "mp3", "opus", "ac3", "eac3", "flac", "alac"})
"""What MP4 files hold and players play; it is copied as it is."""
_BT709 = 1  # FFmpeg's number of the colours of HD video, for matrix, primaries and transfer
_FORMATS = {1: "gray", 3: "rgb24"}  # FFmpeg's names of what networks of so many channels are shown


def translate_video(
    source: Source,
    video: Path,
    output: Path,
    settings: TranslateSettings | None = None,
    reporter: Reporter = SILENT,
) -> TranslationSummary:
    """Translate the frames of a video file and write ``<name>_fake_B.mp4`` into ``output``.

    Every frame keeps its time, and the video its height and width: where frames are resized for the network,
    what it makes of them is resized back. Sound is copied where MP4 holds its kind; else a line says so. The
    files, one for each kind of ``settings.save``, appear whole or not at all. The summary counts frames.

    Raises `UsageError` without PyAV, for networks of other than 1 or 3 channels, for frames that need more
    memory than there is, and as `ganprune.translation.targets.plan`; `InputError` for what is no video, or a
    damaged one, and where the network gives numbers that are not finite.
    """
    settings = settings or TranslateSettings()
    if source.channels[0] not in _FORMATS:
        raise UsageError(
            f"videos have 1 or 3 channels, found that {source.network} takes {source.channels[0]}; translate "
            ".npy files of its pictures"
        )
    (job,) = plan(video, output, source.direction, settings.save, settings.existing, source.channels)
    if not job.targets:
        return TranslationSummary(1, 0, 0, 1, (), 0.0)
    source = in_tiles(source, settings.tile)
    started, frames = time.monotonic(), 0
    with _reading(video) as read, ExitStack() as files:
        partials: dict[Kind, Path] = {
            kind: files.enter_context(atomic_path(path, over="any"))  # `plan` has refused those there
            for kind, path in job.targets.items()
        }
        # of those that are entered last, the first to be left: a video must be closed before it gets its name
        writing = files.enter_context(_writing(partials, read, reporter))
        with reporter.task("translate frames", read.number) as task:
            for batch in read.batches(
                settings.batch, settings.upright, _FORMATS[source.channels[0]], writing
            ):
                _translate(source, video, batch, settings, writing)
                frames += len(batch)
                task.advance(len(batch))
        if not frames:
            raise InputError(f"{video}: needed a video, found no frame that can be decoded; make it again")
    return TranslationSummary(frames, frames, len(job.targets), 0, (), time.monotonic() - started)


class _Reading:
    """An open video: its stream, its sound, and how many frames it seems to have."""

    def __init__(self, path: Path, container: Any) -> None:
        self._path, self._container = path, container
        if not container.streams.video:
            raise InputError(f"{path}: needed a video, found none inside; give a file that holds one")
        self.video = container.streams.video[0]
        self.video.thread_type = "AUTO"
        self.sound = next(iter(container.streams.audio), None)
        self.rate: Fraction = self.video.average_rate or self.video.guessed_rate or Fraction(25)
        seconds = (container.duration or 0) / 1_000_000
        self.number: int = self.video.frames or round(seconds * self.rate)

    def batches(
        self, size: int, upright: bool, pixels: str, writing: "_Writing"
    ) -> Generator[list[tuple[Tensor, Any]]]:
        """Frames as uint8 [c, h, w], each with what tells its time; sound goes to what is written."""
        waiting, number = list[tuple[Tensor, Any]](), 0
        for found in self._decoded():
            if not hasattr(found, "to_ndarray"):
                writing.sound(found)
                continue
            if found.pts is None:
                found.pts, found.time_base = number, 1 / self.rate
            number += 1
            picture = found.to_ndarray(format=pixels)
            turns = round((getattr(found, "rotation", 0) or 0) / 90) if upright else 0
            turned = np.ascontiguousarray(np.rot90(picture, turns))
            frame = torch.from_numpy(turned[None] if turned.ndim == 2 else turned.transpose(2, 0, 1).copy())
            if waiting and frame.shape != waiting[0][0].shape:
                raise InputError(
                    f"{self._path}: needed frames of one size, found {_size(waiting[0][0])} and "
                    f"{_size(frame)}; convert it to one size first"
                )
            waiting.append((frame, found))
            if len(waiting) == size:
                yield waiting
                waiting = []
        if waiting:
            yield waiting

    def _decoded(self) -> Generator[Any]:
        """Frames of the video, and packets of the sound, in the file's order."""
        from av.error import FFmpegError

        streams = [stream for stream in (self.video, self.sound) if stream is not None]
        packets = self._container.demux(*streams)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                found = list(packet.decode()) if packet.stream is self.video else [packet]
            except FFmpegError as error:
                raise InputError(
                    f"{self._path}: needed a video that can be decoded, found damage ({_reason(error)}); "
                    "make or copy it again"
                ) from None
            yield from found


class _Writing:
    """Open files of translated frames, one a kind."""

    def __init__(self, files: Mapping[Kind, Any], read: _Reading, reporter: Reporter) -> None:
        self._files, self._read = files, read
        self._streams = dict[Kind, Any]()
        self._sounds = dict[Kind, Any]()
        self._early = list[Any]()
        if read.sound is not None and read.sound.codec_context.name not in _SOUND:
            codec = read.sound.codec_context.name
            reporter.info(f"without its sound: MP4 holds no {codec}; convert that to AAC to keep it")
        elif read.sound is not None:
            for kind, file in files.items():
                self._sounds[kind] = file.add_stream_from_template(read.sound)

    def frame(self, kind: Kind, picture: Tensor, original: Any) -> None:
        """A picture uint8 [3, h, w] at the time of an original frame."""
        import av

        height, width = picture.shape[1:]
        if kind not in self._streams:
            stream: Any = self._files[kind].add_stream("libx264", rate=self._read.rate, options={"crf": "18"})
            # two rows and columns share their colours where there is an even number of both
            stream.width, stream.height = width, height
            stream.pix_fmt = "yuv420p" if height % 2 == width % 2 == 0 else "yuv444p"
            stream.time_base = stream.codec_context.time_base = original.time_base
            stream.codec_context.colorspace = stream.codec_context.color_primaries = _BT709
            stream.codec_context.color_trc = _BT709
            self._streams[kind] = stream
            self._play(kind, self._early)
        stream = self._streams[kind]
        frame: Any = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture.permute(1, 2, 0).numpy()))
        frame = frame.reformat(format=stream.pix_fmt, dst_colorspace="ITU709")
        frame.pts, frame.time_base = original.pts, original.time_base
        self._files[kind].mux(stream.encode(frame))

    def sound(self, packet: Any) -> None:
        """A packet of the original's sound."""
        if packet.dts is None:  # the end
            return
        if (
            not self._streams
        ):  # a file begins with a list of all its streams: those of pictures are not known yet
            self._early.append(packet)
        for kind in self._streams:
            self._play(kind, [packet])

    def _play(self, kind: Kind, packets: Sequence[Any]) -> None:
        for packet in packets if kind in self._sounds else ():
            packet.stream = self._sounds[kind]
            self._files[kind].mux(packet)

    def finish(self) -> None:
        """Write what the encoders have kept back."""
        for kind, stream in self._streams.items():
            self._files[kind].mux(stream.encode(None))


@contextmanager
def _reading(path: Path) -> Generator[_Reading]:
    try:
        import av
        from av.error import FFmpegError
    except ImportError:
        raise UsageError(
            f"{path} is a video, which PyAV reads, found none; install it: pip install 'ganprune[video]'"
        ) from None
    try:
        container = av.open(str(path))
    except FFmpegError as error:
        raise InputError(
            f"{path}: needed a video that FFmpeg reads, it says: {_reason(error)}; give another file"
        ) from None
    with container:
        yield _Reading(path, container)


@contextmanager
def _writing(paths: Mapping[Kind, Path], read: _Reading, reporter: Reporter) -> Generator[_Writing]:
    import av

    with ExitStack() as files:
        opened: dict[Kind, Any] = {
            kind: files.enter_context(av.open(str(path), "w", format="mp4")) for kind, path in paths.items()
        }
        writing = _Writing(opened, read, reporter)
        yield writing
        writing.finish()


def _translate(
    source: Source,
    video: Path,
    batch: list[tuple[Tensor, Any]],
    settings: TranslateSettings,
    writing: _Writing,
) -> None:
    """Translate frames of one shape, and write them."""
    prepare = settings.prepare
    whole = batch[0][0].shape[1:]
    prepared = [prepare(frame) for frame, _ in batch]
    height, width = prepared[0].shape[1:]
    free = free_memory(source.device)
    check_memory(video, prepared[0].shape, source.bytes_a_pixel, len(batch), settings.tile, free)
    x = torch.stack([to_float(prepare.padded(frame)) for frame in prepared])
    for kind, made in translations(source, x, settings.save, video).items():
        for picture, (_, original) in zip(made[..., :height, :width], batch, strict=True):
            writing.frame(kind, resized(as_rgb(to_uint8(picture)), *whole), original)


def _size(frame: Tensor) -> str:
    return f"{frame.shape[2]}×{frame.shape[1]}"


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or " ".join(str(error).split())
