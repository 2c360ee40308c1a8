"""Reading a page back, as a browser would, and a server of a folder's files."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest.mock import patch


@contextmanager
def folder_served(folder: Path) -> Generator[str]:
    """The address of a folder's files."""
    handler = partial(SimpleHTTPRequestHandler, directory=folder)
    silent = patch.object(SimpleHTTPRequestHandler, "log_message")
    with silent, ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@dataclass
class Parsed(HTMLParser):
    """What a page is made of."""

    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    codes: dict[str, str] = field(default_factory=dict)
    """Content of script and style."""

    def __post_init__(self) -> None:
        super().__init__()
        self._in = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in = tag

    def handle_endtag(self, tag: str) -> None:
        self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in in ("script", "style"):
            self.codes[self._in] = self.codes.get(self._in, "") + data
        else:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.texts)

    def all(self, name: str) -> list[dict[str, str | None]]:
        """Attributes of all elements of a name."""
        return [attributes for tag, attributes in self.tags if tag == name]


def parse(page: str) -> Parsed:
    parsed = Parsed()
    parsed.feed(page)
    parsed.close()
    return parsed


def addresses(parsed: Parsed) -> list[str]:
    """Everything that a browser might fetch or go to."""
    names = ("src", "href", "action", "data", "poster", "srcset", "xlink:href", "formaction", "background")
    return [
        value or "" for _, attributes in parsed.tags for name, value in attributes.items() if name in names
    ]
