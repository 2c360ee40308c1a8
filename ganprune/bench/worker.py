"""The program of a network's own process: it loads one ONNX file, and runs it when told to.

It is run as a script and imports nothing of ganprune, so that it starts at once and holds little but the
runtime. Messages arrive on stdin and answers leave on stdout, a JSON object a line. The first message says
what to load and is followed by the pictures' bytes. A process that waits for a message takes no CPU time; it
ends at once, whatever it computes, when its stdin closes: when it is no longer needed, or when the process
that started it is gone for any reason.
"""

import json
import os
import sys
from bisect import bisect
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from statistics import median
from threading import Thread
from time import perf_counter
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

Message = tuple[dict[str, Any], bytes]  # what was told, and the bytes that followed it

_STATUS = Path("/proc/self/status")


def main() -> None:
    """The whole life of the process."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)  # what libraries print must not mix with the answers
        messages = SimpleQueue[Message]()
        Thread(target=_listen, args=(sys.stdin.buffer, messages), daemon=True).start()
        network: Session | None = None
        while True:
            message, tail = messages.get()
            answer: dict[str, Any]
            try:
                if message["do"] == "load":
                    network = Session(message, tail)
                    answer = {"load_ms": network.load_ms, "provider": network.provider}
                else:
                    assert network is not None
                    answer = network.answer(message)
            except Unsupported as error:
                answer = {"unsupported": str(error)}
            except Exception as error:  # ONNX Runtime's own errors have no common base but this
                answer = {"error": " ".join(str(error).split()) or type(error).__name__}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


def _listen(stream: BinaryIO, messages: "SimpleQueue[Message]") -> None:
    """Pass on what arrives; end the process when the stream does."""
    while line := stream.readline():
        message = json.loads(line)
        messages.put((message, stream.read(message.get("bytes", 0))))
    os._exit(0)


class Unsupported(Exception):
    """The provider is there, but not for this machine."""


class Session:
    """One file in the runtime."""

    def __init__(self, order: dict[str, Any], pixels: bytes) -> None:
        pictures = np.frombuffer(pixels, order["dtype"]).reshape(order["shape"])
        self._feeds: list[dict[str, NDArray[Any]]] = [{order["input"]: picture} for picture in pictures]
        self._order = order
        import_module("onnxruntime")
        self._before = _resident("VmRSS")
        start = perf_counter()
        self._session = _session(order)
        self.load_ms = (perf_counter() - start) * 1000
        self.provider: str = self._session.get_providers()[0]

    def answer(self, message: dict[str, Any]) -> dict[str, Any]:
        """Do what a message says."""
        if message["do"] == "run":
            feed = self._feeds[message["picture"] % len(self._feeds)]
            start = perf_counter()
            self._session.run(None, feed)
            return {"ms": (perf_counter() - start) * 1000}
        if message["do"] == "memory":
            peak = _resident("VmHWM")
            known = peak is not None and self._before is not None
            return {"process": peak, "network": peak - self._before if known else None}  # pyright: ignore
        return {"operators": self._profile(message["runs"], message["log"])}

    def _profile(self, runs: int, log: str) -> dict[str, float]:
        """Milliseconds a run that each kind of operator takes, in a session of its own that keeps a log."""
        session = _session(self._order, log)
        for i in range(1 + runs):
            session.run(None, self._feeds[i % len(self._feeds)])
        return operators_of(json.loads(Path(session.end_profiling()).read_text(encoding="utf-8")))


def operators_of(events: list[dict[str, Any]]) -> dict[str, float]:
    """Milliseconds a run of each kind of operator, of the runtime's log.

    The median of all runs but the first, which is slower.
    """
    starts = sorted(event["ts"] for event in events if event["name"] == "model_run")
    spent: dict[str, list[float]] = {}
    for event in events:
        if event["cat"] == "Node" and event["name"].endswith("_kernel_time"):
            row = spent.setdefault(event["args"]["op_name"], [0.0] * len(starts))
            row[bisect(starts, event["ts"]) - 1] += event["dur"] / 1000
    return {kind: median(row[1:]) for kind, row in spent.items()}


def _session(order: dict[str, Any], log: str | None = None) -> Any:
    """The file in the runtime. log: where to write what each operator takes; None: nowhere."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = order["threads"]
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 4  # what goes wrong is raised, not logged
    # Threads spin while they wait for the next operator, which is fast; after a run they must not go on with
    # it, and slow the process whose turn it is.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    if log is not None:
        options.enable_profiling = True
        options.profile_file_prefix = log
    if order["plugin"] is None:
        providers = [(order["provider"], order["options"])]
        return onnxruntime.InferenceSession(order["path"], options, providers=providers)
    _register(onnxruntime, order["plugin"])
    devices = [device for device in onnxruntime.get_ep_devices() if device.ep_name == order["provider"]]
    cpus = [device for device in devices if device.device.type == onnxruntime.OrtHardwareDeviceType.CPU]
    if not cpus:
        raise Unsupported("it finds no CPU that it supports")
    options.add_provider_for_devices(cpus[:1], order["options"])
    return onnxruntime.InferenceSession(order["path"], options)


def _register(onnxruntime: Any, plugin: str) -> None:
    """Make a provider known that comes in a package of its own; it may be called again."""
    module = import_module(plugin)
    known = {device.ep_name for device in onnxruntime.get_ep_devices()}
    if module.get_ep_name() not in known:
        onnxruntime.register_execution_provider_library(plugin, module.get_library_path())


def _resident(field: str) -> int | None:
    """Bytes of memory that the process has (VmRSS) or has had at most (VmHWM); None where nobody tells.

    Not ``ru_maxrss``: on Linux it starts at what the process that started this one had.
    """
    if _STATUS.is_file():
        lines = _STATUS.read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return None


if __name__ == "__main__":
    main()
