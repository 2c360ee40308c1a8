"""Short videos of given frames."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray


def write_video(
    path: Path,
    frames: Sequence[NDArray[np.uint8]],
    rate: int = 10,
    codec: str = "libx264",
    sound: bool = False,
) -> Path:
    """A video of frames [h, w, 3]; sound: a second of silence beside them."""
    height, width = frames[0].shape[:2]
    with av.open(path, "w") as file:
        stream: Any = file.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        if codec == "libx264":
            stream.options = {"crf": "5"}
        audio: Any = file.add_stream("aac", rate=8000, layout="mono") if sound else None
        for frame in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        file.mux(stream.encode(None))
        if audio is not None:
            for i in range(8):
                silence = av.AudioFrame.from_ndarray(np.zeros((1, 1000), np.float32), "fltp", "mono")
                silence.sample_rate, silence.pts, silence.time_base = 8000, 1000 * i, Fraction(1, 8000)
                file.mux(audio.encode(silence))
            file.mux(audio.encode(None))
    return path
