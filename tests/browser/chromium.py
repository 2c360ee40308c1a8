"""A headless Chromium, driven over its DevTools protocol through a pair of pipes; nothing but the browser
itself is needed. GANPRUNE_CHROMIUM names it where it is not on the PATH."""

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from select import select
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PATIENCE = 120.0
"""Seconds that anything may take."""


def find() -> str | None:
    """The browser's command; None where there is none."""
    given = os.environ.get("GANPRUNE_CHROMIUM")
    return given or next((found for name in NAMES if (found := shutil.which(name))), None)


CONTRAST = """(() => {
  const channel = (v) => v <= 10.31475 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4;
  const light = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).reduce(
    (sum, v, i) => sum + [0.2126, 0.7152, 0.0722][i] * channel(Number(v)), 0);
  const ground = (e) => {
    const colour = getComputedStyle(e).backgroundColor;
    return colour.startsWith("rgba(0, 0, 0, 0") ? ground(e.parentElement) : colour;
  };
  const texts = [...document.querySelectorAll("main *")].filter(e => e.getClientRects().length &&
    [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()));
  return Math.min(...texts.map(e => {
    const ink = getComputedStyle(e)[e instanceof SVGElement ? "fill" : "color"];
    const [a, b] = [light(ink), light(ground(e))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  }));
})()"""
"""The least contrast of a text that is seen, as WCAG reckons it."""


class Page:
    """One tab. `errors`: what went wrong on it, and what its console was told."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._buffer, self._last, self._session, self._target = b"", 0, "", ""
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.fresh()

    def fresh(self) -> "Page":
        """Another tab in place of this one, in the same browser."""
        old, self._session = self._target, ""
        self._target = self.call("Target.createTarget", url="about:blank")["targetId"]
        if old:
            self.call("Target.closeTarget", targetId=old)
        self._session = self.call("Target.attachToTarget", targetId=self._target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "DOM"):
            self.call(f"{domain}.enable")
        self.errors.clear()
        self.requests.clear()
        return self

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Send one command and wait for its answer."""
        self._last += 1
        message: dict[str, object] = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            answer = self._next()
            if answer.get("id") == self._last:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
        raise TimeoutError(method)

    def open(self, url: str, width: int = 1200, height: int = 900, theme: str = "light") -> None:
        """Load a page in a window of this size, in this theme, and wait until it is there."""
        phone = width < 600
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height,
            deviceScaleFactor=2 if phone else 1, mobile=phone,
        )  # fmt: skip
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def js(self, expression: str) -> Any:
        """The value of an expression; a promise's once it has one."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise RuntimeError(f"{expression}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def wait(self, condition: str) -> None:
        """Until an expression is true."""
        until = time.monotonic() + PATIENCE
        while not self.js(condition):
            if time.monotonic() > until:
                raise TimeoutError(f"{condition}; errors: {self.errors}")
            time.sleep(0.05)

    def press(self, x: float, y: float, to: tuple[float, float] | None = None) -> None:
        """Click, or drag to another place."""
        end = to or (x, y)
        button: Mapping[str, Any] = {"button": "left", "clickCount": 1, "buttons": 1}
        self.call("Input.dispatchMouseEvent", type="mousePressed", x=x, y=y, **button)
        if to:
            self.call("Input.dispatchMouseEvent", type="mouseMoved", x=end[0], y=end[1], **button)
        self.call("Input.dispatchMouseEvent", type="mouseReleased", x=end[0], y=end[1], **button)

    def give(self, selector: str, path: Path) -> None:
        """Choose a file for an input."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", files=[str(path)], nodeId=node)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            if not select([self._answers], [], [], PATIENCE)[0]:
                raise TimeoutError(f"the browser has said nothing for {PATIENCE:g} s")
            chunk = os.read(self._answers, 1 << 16)
            if not chunk:
                raise ConnectionError("the browser has ended")
            self._buffer += chunk
        text, self._buffer = self._buffer.split(b"\0", 1)
        message = json.loads(text)
        if message.get("sessionId", "") != self._session:
            return {}  # what a tab that was closed had to say
        details = message.get("params", {})
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.errors.append(str(details["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if details["type"] in ("error", "warning", "assert"):
                self.errors.append(str(details["args"]))
            case "Log.entryAdded" if details["entry"]["level"] in ("error", "warning"):
                self.errors.append(str(details["entry"]))
            case "Network.requestWillBeSent":
                self.requests.append(details["request"]["url"])
            case _:
                pass
        return message


@contextmanager
def browser(command: str) -> Generator[Page]:
    """Start the browser with a profile of its own; it ends with the block."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:  # its helpers end a bit later
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        switches = [
            "--headless", "--no-sandbox", "--disable-dev-shm-usage", "--no-first-run",
            "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader",  # computed by the CPU
            "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",  # a camera
            "--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe",
            f"--user-data-dir={profile}",
        ]  # fmt: skip

        def connect() -> None:  # the protocol's pipes are 3 (in) and 4 (out); dup2 makes them inheritable
            copies = [fcntl.fcntl(pipe, fcntl.F_DUPFD, 10) for pipe in (theirs_in, theirs_out)]
            for copy, number in zip(copies, (3, 4), strict=True):
                os.dup2(copy, number)

        process = subprocess.Popen(
            [command, *switches], preexec_fn=connect, close_fds=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            yield Page(ours_out, ours_in)
        finally:
            process.terminate()
            process.wait(20)
            os.close(ours_out)
            os.close(ours_in)
