"""A run's report and the page that translates, on this machine's loopback address.

Nothing is looked up in folders: there is a fixed table of addresses, made when the server starts, and
everything else is not found. Requests that name another host are refused, so that no web page can reach the
server through a name of its own (DNS rebinding).
"""

import json
from collections.abc import Callable, Mapping
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ganprune.errors import InputError, UsageError
from ganprune.figures.of_run import comparisons_of
from ganprune.figures.style import png_bytes
from ganprune.onnx_files.cost import picture_input, read_onnx
from ganprune.report.page import REPORT
from ganprune.report.vendor import FILES
from ganprune.runs import Run

HOST = "127.0.0.1"
_KINDS = {
    ".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript",
    ".mjs": "text/javascript", ".wasm": "application/wasm", ".json": "application/json",
    ".onnx": "application/octet-stream", ".png": "image/png",
}  # fmt: skip
_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",  # these two let WebAssembly have threads
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

Routes = Mapping[str, Callable[[], bytes]]
"""Address → its content, read when it is asked for."""


def page_server(run: Run, runtime: Path, port: int = 0) -> ThreadingHTTPServer:
    """A server on the loopback address that has not begun yet. port: 0 takes any free one.

    runtime: the folder of onnxruntime-web, see `ganprune.report.vendor`. The run's report must be there.
    Raises `UsageError` where the port is taken or out of range.
    """
    if not 0 <= port <= 65535:
        raise UsageError(f"--port must be 0 to 65535, found {port}")
    table = routes(run, runtime)
    try:
        return ThreadingHTTPServer((HOST, port), partial(_Handler, table))
    except OSError as error:
        raise UsageError(
            f"--port {port} cannot be used ({error.strerror}); give another, or 0 for any"
        ) from None


def routes(run: Run, runtime: Path) -> Routes:
    """Everything that there is to ask for. Raises `UsageError` where the run has no ONNX file."""
    pages = files("ganprune.report") / "browser"
    samples = _samples(run)
    table: dict[str, Callable[[], bytes]] = {
        "/": (pages / "index.html").read_bytes,
        "/translate.css": (pages / "translate.css").read_bytes,
        "/translate.js": (pages / "translate.js").read_bytes,
        "/report.html": (run / REPORT).read_bytes,
    }
    for address, png in samples.items():
        table[address] = partial(bytes, png)
    for name in FILES:
        table[f"/ort/{name}"] = (runtime / name).read_bytes
    listed = models(run, samples)
    for model in listed:
        table[model["url"]] = (run / f"{model['name']}.onnx").read_bytes
    table["/models.json"] = json.dumps(listed).encode
    return table


def models(run: Run, samples: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """What the page needs to know of every network of a run: slim ones first, in their plain form.

    Files that take no pictures are left out, and those that take others than grey or RGB, which no browser
    has. Raises `UsageError` where none is left.
    """
    found, odd = list[dict[str, Any]](), set[int]()
    paths = sorted(
        run.folder.glob("*.onnx"), key=lambda p: (p.stem.startswith("original"), "." in p.stem, p.stem)
    )
    for path in paths:
        try:
            takes = picture_input(read_onnx(path), path)
        except InputError:
            continue
        last = takes.channels_last
        channels = takes.dims[3 if last else 1] or 3
        if channels not in (1, 3):
            odd.add(channels)
            continue
        sample = f"/sample-{path.stem.removeprefix('original_').partition('.')[0]}.png"
        found.append({
            "name": path.stem, "url": f"/models/{quote(path.name)}", "bytes": path.stat().st_size,
            "dtype": takes.dtype, "channels_last": last, "channels": channels,
            "height": takes.dims[1 if last else 2], "width": takes.dims[2 if last else 3],
            "sample": sample if sample in samples else None,
        })  # fmt: skip
    if odd and not found:
        raise UsageError(
            f"a browser has grey and RGB pictures, the networks of {run.folder} take "
            f"{' and '.join(map(str, sorted(odd)))} channels; translate .npy files with `ganprune translate`"
        )
    if not found:
        raise UsageError(
            f"{run.folder} holds no ONNX file; make some with `ganprune export --onnx {run.folder}`"
        )
    return found


def _samples(run: Run) -> dict[str, bytes]:
    """One validation picture of each domain; none where the run's pictures are lost."""
    try:
        rows = comparisons_of(run)
    except InputError:
        return {}
    return {f"/sample-G_{row.side}.png": png_bytes(row.input) for row in reversed(rows)}


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD from a table."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "ganprune", ""

    def __init__(self, table: Routes, *rest: Any) -> None:
        self._table = table
        super().__init__(*rest)

    def do_GET(self) -> None:
        """Send what the address stands for."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        """The same without its content."""
        self._answer(with_body=False)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a library does not print."""

    def _answer(self, *, with_body: bool) -> None:
        port = self.connection.getsockname()[1]
        address = self.path.partition("?")[0]
        if self.headers.get("Host") not in (f"{HOST}:{port}", f"localhost:{port}"):
            status, kind, body = 403, ".html", b"only for this machine"
        elif (content := self._table.get(address)) is None:
            status, kind, body = 404, ".html", b"not found"
        else:
            try:
                status, kind, body = 200, Path(address).suffix or ".html", content()
            except OSError:  # deleted since
                status, kind, body = 404, ".html", b"not found"
        self.send_response(status)
        self.send_header("Content-Type", _KINDS[kind])
        self.send_header("Content-Length", str(len(body)))
        if address != "/report.html":  # which has a stricter one within
            self.send_header("Content-Security-Policy", _POLICY)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)
