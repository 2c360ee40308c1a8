"""``ganprune report --serve``: what it needs, where it listens, how it ends."""

import threading
import urllib.request
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from ganprune.report import vendor
from tests.cli.kit import ganprune


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the page keeps what it fetches: nothing so far, which keeps no page from being served."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    return vendor.runtime_folder()


def test_pages_are_served_until_ctrl_c(run: Path, runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[tuple[int, bytes]] = []

    def interrupted(server: ThreadingHTTPServer, poll_interval: float) -> None:
        """Serve two pages, then behave as if Ctrl-C were pressed."""
        thread = threading.Thread(target=plain, args=(server, 0.01))
        thread.start()
        for page in ("report.html", "sample-G_B.png"):
            with urllib.request.urlopen(f"http://127.0.0.1:{server.server_address[1]}/{page}") as answer:
                answers.append((answer.status, answer.read()))
        server.shutdown()
        thread.join()
        raise KeyboardInterrupt

    plain: Callable[[ThreadingHTTPServer, float], None] = ThreadingHTTPServer.serve_forever
    monkeypatch.setattr(ThreadingHTTPServer, "serve_forever", interrupted)
    (run / "report.html").unlink()  # made first
    done = ganprune("report", run, "--serve", "--port", "0")
    assert done.code == 0, done.err
    assert done.out.startswith("translate in the browser: http://127.0.0.1:")
    assert "Ctrl-C ends it" in done.err
    assert [status for status, _ in answers] == [200, 200]
    assert answers[0][1].startswith(b"<!doctype html>")
    assert answers[1][1].startswith(b"\x89PNG")
    assert not runtime.exists()  # nothing is fetched unasked
