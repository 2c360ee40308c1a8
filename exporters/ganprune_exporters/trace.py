"""PyTorch to ONNX, the first step of an export."""

import logging
import warnings

import torch
from onnx import ModelProto
from torch import nn
from torch.export import Dim

from ganprune.channels import graph_of
from ganprune_exporters.opsets import TRACED
from ganprune_exporters.settings import ExportSettings

INPUT, OUTPUT = "input", "output"  # what the graph calls its two ends

_LOGGER = logging.getLogger("torch.onnx._internal.exporter._registration")
"""Says at every export that torchvision, which no generator needs, is not installed."""


def trace(generator: nn.Module, settings: ExportSettings) -> ModelProto:
    """The generator as a float32 graph, NCHW, weights as initializers; nothing is run.

    The input is 1×c×size×size, or with ``dynamic`` of any batch, and of heights and widths
    that are multiples of the network's stride.
    """
    pixels = (settings.size, settings.size)
    graph = graph_of(generator)
    channels = graph.inputs
    if settings.dynamic:
        # Two pictures, because a batch of one would be taken for a constant.
        picture = torch.zeros(2, channels, *pixels)
        height, width = (graph.stride * Dim(name, min=2) for name in ("height", "width"))
        free = ({0: Dim("batch"), 2: height, 3: width},)
    else:
        picture, free = torch.zeros(1, channels, *pixels), None
    with warnings.catch_warnings():
        # PyTorch copies a structure of its own that it has deprecated.
        warnings.filterwarnings("ignore", ".*LeafSpec.*", FutureWarning)
        # A module that keeps a map of its last pass: whether that matters is found when files are verified.
        warnings.filterwarnings("ignore", "The tensor attribute", UserWarning)
        _LOGGER.addFilter(_is_not_about_torchvision)
        try:
            program = torch.onnx.export(
                generator, (picture,), dynamo=True, opset_version=max(settings.opset, TRACED),
                input_names=[INPUT], output_names=[OUTPUT], dynamic_shapes=free, verbose=False,
            )  # fmt: skip
        finally:
            _LOGGER.removeFilter(_is_not_about_torchvision)
    assert program is not None  # None is the answer of the old exporter only
    return program.model_proto


def _is_not_about_torchvision(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith("torchvision is not installed")
