"""The proof that a file computes what the generator computes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor

from ganprune.networks import DOWNSAMPLING, Generator
from ganprune_exporters.settings import ExportSettings
from ganprune_exporters.trace import INPUT, OUTPUT


def noise(shape: Sequence[int], seed: int = 0) -> Tensor:
    """Pictures of uniform noise in [-1, 1], the same for the same seed."""
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def batches(pictures: Tensor, settings: ExportSettings) -> list[Tensor]:
    """What to compare on: the pictures one by one; where sizes are free, a batch of another size too."""
    ones = list(pictures.split(1))
    if not settings.dynamic:
        return ones
    height, width = settings.size + DOWNSAMPLING, settings.size // 2 // DOWNSAMPLING * DOWNSAMPLING
    return [*ones, noise((2, pictures.shape[1], height, width))]


def differences(path: Path, generator: Generator, pictures: Sequence[Tensor]) -> list[float]:
    """Largest absolute difference between ONNX Runtime's and PyTorch's output for each batch.

    ``pictures``: [n, c, h, w] in [-1, 1]. A difference is NaN where outputs hold NaN or differ in size.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised, not logged
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    found: list[float] = []
    for batch in pictures:
        onnx_output = np.asarray(session.run([OUTPUT], {INPUT: batch.numpy()})[0])
        with torch.inference_mode():
            torch_output = generator(batch).numpy()
        same = onnx_output.shape == torch_output.shape
        found.append(float(np.abs(onnx_output - torch_output).max()) if same else float("nan"))
    return found
