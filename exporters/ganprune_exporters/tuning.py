"""What a rewrite does to the time of a whole network on this machine."""

from collections.abc import Sequence
from time import perf_counter

import numpy as np
from onnx import ModelProto
from onnxruntime import InferenceSession

from ganprune.bench.statistics import Ratio, ratio_of_medians
from ganprune.onnx_files.sessions import session_of

ROUNDS = 15  # how often every graph is run, in turns
MARGIN = 0.01  # a graph counts as slower from this share on; less cannot be told from noise


def speedups(models: Sequence[ModelProto], size: int, rounds: int = ROUNDS) -> list[Ratio]:
    """How many times as fast as the first each graph runs, with its 95 % interval.

    One picture of size × size pixels, ONNX Runtime's CPU provider, one thread, all in this process in
    turns, each round beginning with the next of them.
    """
    sessions = [session_of(model, threads=1) for model in models]
    feeds = [_feed(session, size) for session in sessions]
    times = np.empty((len(models), rounds))
    for session, feed in zip(sessions, feeds, strict=True):
        session.run(None, feed)  # warm
    for turn in range(rounds):
        for i in np.roll(np.arange(len(models)), -turn).tolist():
            start = perf_counter()
            sessions[i].run(None, feeds[i])
            times[i, turn] = (perf_counter() - start) * 1000
    draws = np.random.default_rng(0)
    return [ratio_of_medians(times[0], row, draws) for row in times]


def _feed(session: InferenceSession, size: int) -> dict[str, np.ndarray]:
    (end,) = session.get_inputs()
    free = iter((1, size, size))  # batch, height and width, in whatever layout
    shape = [d if isinstance(d, int) else next(free) for d in end.shape]
    pictures = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return {end.name: pictures if "uint8" in end.type else pictures.astype(np.float32) / 127.5 - 1}
