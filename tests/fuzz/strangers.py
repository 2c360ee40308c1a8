"""Pictures, ONNX files, archives, requests to the page server and answers to downloads, from strangers."""

import io
import socket
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from functools import cache, partial
from http.client import HTTPConnection
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import onnx
from hypothesis import strategies as st

from ganprune.download.fetch import Patience, Transfer, fetch
from ganprune.download.unpack import unpack
from ganprune.errors import DamagedPicture, DataError, DownloadError, InputError
from ganprune.images import open_picture
from ganprune.images.reading import FORMATS
from ganprune.report.server import HOST, _Handler
from ganprune_cli.inspecting import inspect_onnx
from tests.checkpoints.mutations import damaged, damages
from tests.download.site import Site, pictures, served, tarred, zipped
from tests.fuzz.program import time_limit
from tests.fuzz.values import ESCAPES, odd
from tests.images.pictures import draw
from tests.onnx_graphs import conv, uint8_last

Attempt = Callable[[], object]


def _told(attempt: Attempt, name: str, *kinds: type[Exception]) -> str:
    """How it ended: well, or with one line about ``name`` of one of these kinds."""
    try:
        with time_limit():
            attempt()
    except kinds as error:
        told = str(error)
        assert name in told, told
        assert "\n" not in told, told
        assert len(told) < 1000, told
        return type(error).__name__
    return "read"


@cache
def _pictures() -> tuple[bytes, ...]:
    files = [io.BytesIO() for _ in FORMATS]
    for file, name in zip(files, FORMATS, strict=True):
        draw(0, 24, 16).save(file, format=name)
    return tuple(file.getvalue() for file in files)


@st.composite
def picture_files(draw: st.DrawFn) -> bytes:
    """A picture of any format with damage, or a beginning of one with anything behind."""
    content, other = (draw(st.sampled_from(_pictures())) for _ in range(2))
    if draw(st.integers(0, 4)):
        return damaged(content, draw(damages), other)
    return content[: draw(st.integers(0, 60))] + draw(st.binary(max_size=200))


def read_picture(folder: Path, content: bytes) -> str:
    """A picture comes out, or it is damaged."""
    (folder / "made.png").write_bytes(content)
    return _told(lambda: open_picture(folder / "made.png"), "made.png", DamagedPicture)


@cache
def _models() -> tuple[bytes, ...]:
    with tempfile.TemporaryDirectory() as name:
        made = [write(Path(name) / "made.onnx").read_bytes() for write in (conv, uint8_last)]
    return tuple(made)


@st.composite
def onnx_files(draw: st.DrawFn) -> bytes:
    """A network with damaged bytes, or with fields that contradict each other."""
    content = draw(st.sampled_from(_models()))
    if draw(st.booleans()):
        return damaged(content, draw(damages), draw(st.sampled_from(_models())))
    model = onnx.load_model_from_string(content)
    number = st.integers(-3, 9) | st.sampled_from((2**31, 2**40, 2**62))
    for _ in range(draw(st.integers(1, 3))):
        node = draw(st.sampled_from(list(model.graph.node)))
        match draw(st.integers(0, 6)):
            case 0:
                node.op_type = draw(
                    st.sampled_from(("InstanceNormalization", "Loop", "If", "ConvTranspose", ""))
                )
            case 1:
                node.input[:] = draw(
                    st.lists(st.sampled_from(("", "w", "w0", "input", "output")), max_size=4)
                )
            case 2:
                node.attribute.append(onnx.helper.make_attribute("pads", draw(st.lists(number, min_size=1))))
            case 3:
                model.graph.initializer[0].dims[:] = draw(st.lists(number, max_size=5))
            case 4:
                dims = model.graph.input[0].type.tensor_type.shape.dim
                draw(st.sampled_from(list(dims))).dim_value = draw(number)
            case 5:
                model.graph.input[0].type.tensor_type.elem_type = draw(st.integers(0, 40))
            case _:
                for name in ("params", "macs_true", "macs_paper", "height", "width"):
                    model.metadata_props.add(key=f"ganprune.{name}", value=draw(st.sampled_from("0²9-x")))
    return model.SerializeToString()


def read_onnx_file(folder: Path, content: bytes) -> str:
    """What a network is comes out, or one line."""
    (folder / "made.onnx").write_bytes(content)
    return _told(lambda: inspect_onnx(folder / "made.onnx", None), "made.onnx", InputError)


@st.composite
def archives(draw: st.DrawFn) -> bytes:
    """A zip or tar.gz of pictures with damage, or with members of any names."""
    pack = draw(st.sampled_from((zipped, tarred)))
    if draw(st.booleans()):
        return damaged(pack(pictures()), draw(damages), zipped(pictures("h/")))
    names = st.sampled_from(
        (*ESCAPES, "trainA/0.png", "trainA", "a/" * 200 + "b", "trainA/\0", "x" * 300, "")
    )
    return pack(draw(st.dictionaries(names | st.text(max_size=5), st.binary(max_size=9), max_size=4)))


def unpack_archive(folder: Path, content: bytes) -> str:
    """Files appear inside of the folder alone, or none and one line."""
    (folder / "archive").write_bytes(content)
    told = _told(lambda: unpack(folder / "archive", folder / "out"), "", DataError)
    assert {path.name for path in folder.iterdir()} <= {"archive", "out"}
    return told


requests = st.lists(
    st.sampled_from((
        b"GET ", b"HEAD ", b"POST ", b"/", b"/a.png", b"/fetch", b"/../../etc/passwd", b"/%2e%2e/x", b"?x",
        b" HTTP/1.1", b" HTTP/9", b"\0",
        b"\r\n", b"Host: 127.0.0.1:PORT", b"Host: evil",
        b"Origin: http://127.0.0.1:PORT", b"Content-Length: 99999999999", b"Range: bytes=0-",
        b"LONG",
    )) | st.binary(max_size=4),
    max_size=12,
).map(b"".join)  # fmt: skip


@contextmanager
def page() -> Generator[int]:
    """A page server with two pages; its port."""
    table = {"/": lambda: b"<p>", "/a.png": lambda: b"png"}
    with ThreadingHTTPServer((HOST, 0), partial(_Handler, table, {"/fetch": lambda: b""})) as server:
        server.handle_error = lambda request, client_address: None  # clients that hang up
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def ask(port: int, request: bytes) -> str:
    """The server gives its own pages or none, and answers the next one as ever."""
    with time_limit(), socket.create_connection((HOST, port), timeout=60) as client:
        answer = b""
        try:
            long = request.replace(b"PORT", str(port).encode()).replace(b"LONG", bytes(70_000))
            client.sendall(long + b"\r\n\r\n")
            client.shutdown(socket.SHUT_WR)
            while part := client.recv(1 << 16):
                answer += part
        except TimeoutError:
            raise
        except OSError:  # it hung up, which it may; that it does not answer is a fault
            pass
    assert b"root:" not in answer
    connection = HTTPConnection(HOST, port, timeout=60)
    connection.request("GET", "/a.png")
    assert connection.getresponse().read() == b"png"
    connection.close()
    return (answer.split(b" ")[1:2] or [b"nothing"])[0].decode("ascii", "replace")[:3]


BODY = bytes(range(256)) * 40

answers = st.fixed_dictionaries({
    "ranges": st.booleans(), "length": st.booleans(),
    "validator": st.sampled_from(("ETag", "weak", "Last-Modified", "nothing")),
    "cuts": st.lists(st.integers(0, len(BODY)), max_size=4),
    "answers": st.lists(st.sampled_from((200, 204, 302, 404, 416, 500, 503)), max_size=3),
    "moved": st.dictionaries(st.just("f"), st.sampled_from(("f", "file:///etc/passwd", "ftp://x", "http://["))),
    "note": odd,
})  # fmt: skip
"""How a server behaves, and what lies in the place of the note of an earlier call."""


def download(site: Site, folder: Path, case: dict[str, Any]) -> str:
    """All of the file comes, or one line."""
    site.files["f"] = BODY
    for name, value in case.items():
        if name != "note":
            setattr(site, name, list(value) if isinstance(value, list) else value)
    transfer = Transfer(site.url("f"), folder / "f.partial")
    (folder / "f.partial").write_bytes(BODY[:100])
    with suppress(ValueError):
        (folder / "f.partial.json").write_text(repr(case["note"]), encoding="utf-8")
    told = _told(
        lambda: fetch(transfer, Patience(attempts=2, timeout=20, pause=0)), site.url("f"), DownloadError
    )
    if told == "read" and case["length"]:
        assert transfer.partial.read_bytes() == BODY
    return told


__all__ = [
    "answers", "archives", "ask", "download", "onnx_files", "page", "picture_files", "read_onnx_file",
    "read_picture", "requests", "served", "unpack_archive",
]  # fmt: skip
