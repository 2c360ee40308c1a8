"""A server that answers what huggingface_hub asks of Hugging Face, for one repository of given files."""

import hashlib
import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

REPO = "someone/horse2zebra"
COMMITS = {"main": "a" * 40, "v1": "b" * 40}
"""Revision → commit."""


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, files: Mapping[str, bytes], asked: list[str], *rest: Any) -> None:
        self._files, self._asked = files, asked
        super().__init__(*rest)

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self._asked.append(path)
        api, plain = f"/api/models/{REPO}/", f"/{REPO}/resolve/"
        if path.startswith(f"{api}revision/"):
            commit = COMMITS.get(path.removeprefix(f"{api}revision/"))
            return self._json({"id": REPO, "sha": commit} if commit else None, "RevisionNotFound")
        if path.startswith(f"{api}tree/"):
            return self._json([
                {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                for name, data in self._files.items()
            ])  # fmt: skip
        if path.startswith(plain):
            commit, _, name = path.removeprefix(plain).partition("/")
            return self._file(commit, self._files[name])
        return self._json(None, "RepoNotFound")

    do_HEAD = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""

    def _json(self, value: object, error: str = "") -> None:
        self.send_response(404 if value is None else 200)
        if value is None:
            self.send_header("X-Error-Code", error)
        self._end(json.dumps(value or {"error": error}).encode(), "application/json")

    def _file(self, commit: str, data: bytes) -> None:
        self.send_response(200)
        self.send_header("X-Repo-Commit", commit)
        self.send_header("ETag", f'"{hashlib.sha1(data).hexdigest()}"')
        self._end(data, "application/octet-stream")

    def _end(self, data: bytes, kind: str) -> None:
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)


@contextmanager
def serving(files: Mapping[str, bytes]) -> Generator[tuple[str, list[str]]]:
    """Its address, and what it was asked for."""
    asked = list[str]()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, files, asked)) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()
        thread.join()
