"""The page: one file that needs no network, and that nothing from outside can put a script into.

Its policy lets in only its own styles and its own script, by their hashes, and pictures that lie within it.
"""

import base64
import hashlib
from importlib.resources import files
from pathlib import Path

from ganprune.report.html import Html, joined, tag
from ganprune.report.sections import sections
from ganprune.reporting import SILENT, Reporter
from ganprune.runs import Run
from ganprune.storage.files import write_atomically
from ganprune.storage.locking import refuse_run
from ganprune.storage.made import check_replaceable

REPORT = "report.html"
"""In a run folder."""


def write_report(run: Run, path: Path | None = None, reporter: Reporter = SILENT) -> Path:
    """Write a run's report, to its own folder where no path is given; returns where.

    Raises `RunError` for a folder that is no run, or holds no slim generator yet.
    """
    path = path or run / REPORT
    if path.parent.resolve() != run.folder.resolve():
        refuse_run(path.parent)
    check_replaceable(path)
    write_atomically(path, report_page(run, reporter).encode("utf-8", "replace"))
    return path


def report_page(run: Run, reporter: Reporter = SILENT) -> Html:
    """The same as text. Parts whose files are damaged say so and warn; a damaged config.toml raises."""
    name = run.folder.resolve().name
    _ = run.config  # no run at all is refused
    style, script = _asset("report.css"), _asset("report.js")
    parts = sections(run, reporter)
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{name} – ganprune report"),
        tag("style", Html(style)),
    )
    links = [tag("a", part.title, href=f"#{part.key}") for part in parts]
    body = tag(
        "body",
        tag(
            "header",
            tag("div", tag("h1", name), tag("button", "Theme", id="theme", type="button"), class_="title"),
            tag("nav", *links, aria_label="Parts of this page"),
        ),
        tag("main", *(tag("section", tag("h2", p.title), p.content, id=p.key) for p in parts)),
        tag("footer", "Made by ganprune. This page needs no network."),
        tag("script", Html(script)),
    )
    return joined([Html("<!doctype html>\n"), tag("html", head, "\n", body, lang="en")])


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(code: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}"


def _asset(name: str) -> str:
    return (files("ganprune.report") / "assets" / name).read_text(encoding="utf-8")
