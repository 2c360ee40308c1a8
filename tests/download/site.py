"""A web site on this machine that can misbehave, and things to put on it."""

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import torch
from PIL import Image

from ganprune.models.cyclegan import resnet_widths
from tests.tiny import random_generator

DATE = "Tue, 01 Jul 2025 10:00:00 GMT"


@dataclass
class Site:
    """What is served, how, and what was asked for."""

    port: int = 0
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    ranges: bool = True
    """Whether a part of a file can be asked for."""
    validator: str = "ETag"
    """What versions are told by: ETag, weak, Last-Modified or nothing."""
    length: bool = True
    """Whether the length is told."""
    cuts: list[int] = field(default_factory=list[int])
    """How many bytes of the body the next answers send before they hang up."""
    answers: list[int] = field(default_factory=list[int])
    """Status codes of the next answers."""
    moved: dict[str, str] = field(default_factory=dict[str, str])
    """Redirects."""
    hangs: list[int] = field(default_factory=list[int])
    """As `cuts`, but the answers hang there until `released`."""
    released: Event = field(default_factory=Event)
    asked: list[str | None] = field(default_factory=list[str | None])
    """The Range of every request."""

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}"


def _handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers["Range"]
            site.asked.append(wanted)
            name = self.path.lstrip("/").partition("?")[0]
            if site.answers and (status := site.answers.pop(0)) != 200:
                self.send_error(status)
                return
            if name in site.moved:
                self.send_response(302)
                self.send_header("Location", site.moved[name])
                self.end_headers()
                return
            if name not in site.files:
                self.send_error(404)
                return
            body = site.files[name]
            etag = f'"{hashlib.sha256(body).hexdigest()[:12]}"'
            named = {
                "ETag": {"ETag": etag}, "weak": {"ETag": f"W/{etag}"},
                "Last-Modified": {"Last-Modified": DATE}, "nothing": {},
            }[site.validator]  # fmt: skip
            start = 0
            if wanted and site.ranges and self.headers["If-Range"] in (None, *named.values()):
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
                if start >= len(body):
                    self.send_error(416)
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            else:
                self.send_response(200)
            for key, value in named.items():
                self.send_header(key, value)
            if site.length:
                self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            rest = body[start:]
            if site.hangs:
                self.wfile.write(rest[: site.hangs.pop(0)])
                self.wfile.flush()
                site.released.wait(30)
                return
            self.wfile.write(rest[: site.cuts.pop(0)] if site.cuts else rest)

        def log_message(self, format: str, *args: Any) -> None:
            del format, args

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the tests."""


@contextmanager
def served(**behaviour: Any) -> Generator[Site]:
    site = Site(**behaviour)
    with _Server(("127.0.0.1", 0), _handler(site)) as server:
        site.port = server.server_port
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield site
        finally:
            site.released.set()
            server.shutdown()
            thread.join()


def network(ngf: int = 4) -> bytes:
    """A generator as torch.save writes it."""
    file = io.BytesIO()
    torch.save(random_generator(resnet_widths(ngf, 1), 1, torch.float32).state_dict(), file)
    return file.getvalue()


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 30, 60)).save(file, "PNG")
    return file.getvalue()


def pictures(
    top: str = "", folders: tuple[str, ...] = ("trainA", "trainB", "testA", "testB")
) -> dict[str, bytes]:
    """Members of a data set's archive, two pictures a folder."""
    return {f"{top}{folder}/{i}.png": picture() for folder in folders for i in range(2)}


def zipped(members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return file.getvalue()


def tarred(members: Mapping[str, bytes | tarfile.TarInfo]) -> bytes:
    """A tar.gz; members may be headers of their own making."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return file.getvalue()
