"""The page: one file that needs no network, and that nothing from outside can put a script into.

Its policy lets in only its own styles and its own script, by their hashes, and pictures that lie within it.
"""

import base64
import hashlib
from pathlib import Path

from markupsafe import Markup

from ganprune.figures.style import COLOURS
from ganprune.report.parts import Parts, templates
from ganprune.reporting import SILENT, Reporter
from ganprune.runs import Run
from ganprune.storage.files import write_atomically
from ganprune.storage.locking import refuse_run
from ganprune.storage.made import check_replaceable

REPORT = "report.html"  # in a run folder


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


def report_page(run: Run, reporter: Reporter = SILENT) -> str:
    """The same as text. Parts whose files are damaged say so and warn; a damaged config.toml raises."""
    _ = run.config  # no run at all is refused
    style, script = (
        Markup(templates().get_template(name).render(colours=COLOURS)) for name in ("report.css", "report.js")
    )
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    parts = Parts(run, reporter)
    return templates().get_template("report.html").render(
        name=run.folder.resolve().name, style=style, script=script, policy=policy,
        first=parts.first(), parts=parts.folded(),
    )  # fmt: skip


def _hash(code: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}"
