"""Which of ONNX Runtime's execution providers computes, and in which numbers."""

from dataclasses import dataclass
from importlib.util import find_spec
from json import dumps
from typing import Literal

from ganprune.bench.machine import computes_bfloat16
from ganprune.errors import UsageError
from ganprune.settings.bench import CPU, Arithmetic
from ganprune.system.installed import version_of

OPENVINO = "OpenVINOExecutionProvider"

_PLUGINS = {OPENVINO: "onnxruntime_ep_openvino"}
"""Providers that may come in a package of their own, beside onnxruntime, and its module."""
_PACKAGES = {OPENVINO: ("onnxruntime-ep-openvino", "onnxruntime-openvino")}
"""Where such a provider's version is told."""


@dataclass(frozen=True, slots=True)
class Engine:
    """What runs the networks."""

    provider: str  # as ONNX Runtime spells it
    arithmetic: Literal["float32", "bfloat16"]  # numbers that float layers are computed in
    plugin: str | None = None
    """Module of the package that brings the provider; None: it is part of ONNX Runtime."""

    def options(self, threads: int) -> dict[str, str]:
        """What the provider is told; ONNX Runtime's own takes its threads from the session."""
        if self.provider != OPENVINO:
            return {}
        hint = "bf16" if self.arithmetic == "bfloat16" else "f32"
        numbers = {"INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
        return {"load_config": dumps({"CPU": numbers})}

    def __str__(self) -> str:
        if self.provider == CPU:
            return self.provider
        versions = {name: version_of(name, "") for name in _PACKAGES.get(self.provider, ())}
        found = [f"{name} {number}" for name, number in versions.items() if number]
        return f"{self.provider} ({', '.join([*found, self.arithmetic])})"


def installed_providers() -> tuple[str, ...]:
    """Names of the providers that can be asked for here, those of installed plug-ins too."""
    import onnxruntime

    own: list[str] = onnxruntime.get_available_providers()
    plugins = [name for name, module in _PLUGINS.items() if name not in own and find_spec(module)]
    return (*own, *plugins)


def engine_for(provider: str, arithmetic: Arithmetic = "auto") -> Engine:
    """What was asked for, where it is there. Raises `UsageError` where it is not."""
    import onnxruntime

    there = installed_providers()
    if provider not in there:
        hint = "; pip install 'ganprune[openvino]' brings it" if provider == OPENVINO else ""
        raise UsageError(f"--provider must be one of {', '.join(there)}, found {provider}{hint}")
    if arithmetic == "bfloat16" and provider != OPENVINO:
        raise UsageError(f"--set precision=bfloat16 needs --provider {OPENVINO}, found {provider}")
    chosen = arithmetic
    if chosen == "auto":
        chosen = "bfloat16" if provider == OPENVINO and computes_bfloat16() else "float32"
    own = provider in onnxruntime.get_available_providers()
    return Engine(provider, chosen, None if own else _PLUGINS[provider])
