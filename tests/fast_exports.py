"""Exports share what they would otherwise do again, which most of a run of all tests was spent on.

A graph is traced once in a process. tests/exporters/test_export.py, of whose claims tracing is a part, traces
each time.
"""

import hashlib
import io
from functools import cache
from importlib import import_module

import torch
from onnx import ModelProto

from ganprune.models.cyclegan import Generator
from ganprune_exporters import trace as tracing
from ganprune_exporters.settings import ExportSettings

LARGEST = 4 << 20
"""Bytes of a graph that is kept; tests hardly use larger ones twice."""
trace = tracing.trace
"""As it is: for tests of what it does."""
_TRACED: dict[str, bytes] = {}


def share() -> None:
    """Have all exports of this process share: called before anything else imports the exporters."""
    # The names are PyTorch's own: where one is missing, as in other versions, tests are slower.
    try:
        registry = import_module("torch.onnx._internal.exporter._registration").ONNXRegistry
        registry.from_torchlib = staticmethod(cache(registry.from_torchlib))
        utils, name = import_module("torch._export.utils"), "_collect_all_valid_cia_ops_for_namespace"
        setattr(utils, name, cache(getattr(utils, name)))
    except (ImportError, AttributeError):
        pass
    tracing.trace = _traced_once


def _traced_once(generator: Generator, settings: ExportSettings) -> ModelProto:
    """`trace`, of the same generator with the same settings once."""
    whole = io.BytesIO()
    torch.save(generator, whole)
    seen = (settings.size, settings.dynamic, settings.opset)  # all that `trace` reads of them
    key = hashlib.sha256(whole.getvalue() + repr(seen).encode()).hexdigest()
    if key not in _TRACED:
        graph = trace(generator, settings).SerializeToString()
        if len(graph) > LARGEST:
            return ModelProto.FromString(graph)
        _TRACED[key] = graph
    return ModelProto.FromString(_TRACED[key])
