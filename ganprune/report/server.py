"""A run's report and the page that translates, on this machine's loopback address.

Nothing is looked up in folders: there is a fixed table of addresses, made when the server starts, and
everything else is not found. Requests that name another host are refused, so that no web page can reach the
server through a name of its own (DNS rebinding), and so are those to do something that another page sends.
"""

import json
from collections.abc import Callable, Mapping
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from ganprune.errors import GanpruneError, InputError, UsageError
from ganprune.figures.of_run import comparisons_of
from ganprune.figures.style import COLOURS, png_bytes
from ganprune.report import vendor
from ganprune.report.networks import domain_names, networks_of
from ganprune.report.page import REPORT
from ganprune.runs import Run

HOST = "127.0.0.1"
_KINDS = {
    ".html": "text/html; charset=utf-8", ".txt": "text/plain; charset=utf-8",
    ".css": "text/css; charset=utf-8", ".js": "text/javascript",
    ".mjs": "text/javascript", ".wasm": "application/wasm", ".json": "application/json",
    ".onnx": "application/octet-stream", ".png": "image/png",
}  # fmt: skip
_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src blob:; connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",  # these two let WebAssembly have threads
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}

Routes = Mapping[str, Callable[[], bytes]]
"""Address → its content, read when it is asked for; for POST: what is then done, and what is answered."""


def page_server(run: Run, runtime: Path, port: int = 0) -> ThreadingHTTPServer:
    """A server on the loopback address that has not begun yet. port: 0 takes any free one.

    runtime: the folder of onnxruntime-web, see `ganprune.report.vendor`; what it lacks is fetched when the
    page is told to. The run's report must be there.
    Raises `UsageError` where the port is taken or out of range.
    """
    if not 0 <= port <= 65535:
        raise UsageError(f"--port must be 0 to 65535, found {port}")
    table = routes(run, runtime)
    one = Lock()
    tasks = {f"/fetch/{engine}": partial(_bring, engine, runtime, one) for engine in vendor.ENGINES}
    try:
        return ThreadingHTTPServer((HOST, port), partial(_Handler, table, tasks))
    except OSError as error:
        raise UsageError(
            f"--port {port} cannot be used ({error.strerror}); give another, or 0 for any"
        ) from None


def routes(run: Run, runtime: Path) -> Routes:
    """Everything that there is to ask for. Raises `UsageError` where the run has no ONNX file."""
    pages, samples = files("ganprune.report") / "browser", _samples(run)
    table: dict[str, Callable[[], bytes]] = {
        "/": (pages / "index.html").read_bytes,
        "/translate.css": _stylesheet,
        "/report.html": (run / REPORT).read_bytes,
    }
    for name in ("translate.js", "network.js", "sources.js"):
        table[f"/{name}"] = (pages / name).read_bytes
    for address, png in samples.items():
        table[address] = partial(bytes, png)
    for name in vendor.FILES:
        table[f"/ort/{name}"] = (runtime / name).read_bytes
    listed = networks_of(run, samples)
    for model in listed:
        table[model["url"]] = (run / f"{model['name']}.onnx").read_bytes
    known = {"models": listed, "domains": domain_names(run), "runtime": f"{vendor.PACKAGE} {vendor.VERSION}",
             "mirror": urlsplit(vendor.MIRROR).netloc}  # fmt: skip
    table["/page.json"] = lambda: json.dumps(known | {"engines": _engines(runtime)}).encode()
    return table


def _engines(runtime: Path) -> dict[str, int]:
    """How many bytes are still to be fetched for each engine."""
    return {e: sum(vendor.FILES[name].bytes for name in vendor.missing(e, runtime)) for e in vendor.ENGINES}


def _bring(engine: str, runtime: Path, one: Lock) -> bytes:
    with one:  # two tabs may ask at once: the second finds all there
        vendor.bring(engine, runtime, vendor.MIRROR)
    return b""


def _stylesheet() -> bytes:
    """The page's, with the report's colours before it."""
    light, dark = ("; ".join(f"--{name}: {pair[i]}" for name, pair in COLOURS.items()) for i in (0, 1))
    themes = f":root {{ {light} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n"
    return themes.encode() + (files("ganprune.report") / "browser" / "translate.css").read_bytes()


def _samples(run: Run) -> dict[str, bytes]:
    """One validation picture of each domain; none where the run's pictures are lost."""
    try:
        rows = comparisons_of(run)
    except InputError:
        return {}
    return {f"/sample-G_{row.side}.png": png_bytes(row.input) for row in reversed(rows)}


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD from one table, POST from another."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "ganprune", ""

    def __init__(self, pages: Routes, tasks: Routes, *rest: Any) -> None:
        self._pages, self._tasks = pages, tasks
        super().__init__(*rest)

    def do_GET(self) -> None:
        """Send what the address stands for."""
        self._answer(self._pages)

    def do_HEAD(self) -> None:
        """The same without its content."""
        self._answer(self._pages, with_body=False)

    def do_POST(self) -> None:
        """Do what the address stands for. Only the page itself may ask: browsers tell whose script does."""
        own = self.headers.get("Origin") == f"http://{self.headers.get('Host')}"
        self._answer(self._tasks if own else {})
        self.close_connection = True  # whatever was sent along is not read

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a library does not print."""

    def _answer(self, table: Routes, *, with_body: bool = True) -> None:
        port = self.connection.getsockname()[1]
        address = self.path.partition("?")[0]
        if self.headers.get("Host") not in (f"{HOST}:{port}", f"localhost:{port}"):
            status, kind, body = 403, ".html", b"only for this machine"
        elif (content := table.get(address)) is None:
            status, kind, body = 404, ".html", b"not found"
        else:
            try:
                status, kind, body = 200, Path(address).suffix or ".html", content()
            except OSError:  # deleted since
                status, kind, body = 404, ".html", b"not found"
            except GanpruneError as error:
                status, kind, body = 502, ".txt", str(error).encode()
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
