"""What the documentation says: its pages, the command lines and names in them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.main import get_command

from ganprune_cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
COMMANDS: dict[str, Any] = dict(get_command(app).commands)  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Found:
    """Some text of a page."""

    page: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.text}"


def parts(page: Path) -> tuple[list[Found], str]:
    """The lines of code blocks, and the page without them, its lines kept."""
    code: list[Found] = []
    prose: list[str] = []
    fenced = False
    name = page.relative_to(ROOT).as_posix()
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = line.lstrip().startswith("```")
        if (fenced and not fence) or line.startswith("    "):
            code.append(Found(name, number, line))
            line = ""
        fenced ^= fence
        prose.append("" if fence else line)
    return code, "\n".join(prose)


def command_lines(page: Path) -> Iterator[Found]:
    """Lines of code blocks that begin with ``ganprune``, continued ones as one."""
    start: Found | None = None
    text = ""
    for found in parts(page)[0]:
        text += found.text.strip().removesuffix("\\")
        start = start or found
        if found.text.endswith("\\"):
            continue
        if text.startswith("ganprune "):
            yield Found(start.page, start.line, text)
        start, text = None, ""


def spans(page: Path) -> Iterator[Found]:
    """Pieces of code within the text, between single backticks."""
    prose = parts(page)[1]
    name = page.relative_to(ROOT).as_posix()
    for found in re.finditer(r"(?<!`)`([^`]+)`(?!`)", prose):
        yield Found(name, prose.count("\n", 0, found.start()) + 1, " ".join(found[1].split()))


def options_of(command: Any) -> set[str]:
    """Every name of every option that a command shows."""
    shown = [p for p in command.params if not getattr(p, "hidden", False)]
    return {name for p in shown for name in (*p.opts, *p.secondary_opts)} | {"--help", "-h"}


def settings_of(command: Any) -> set[str]:
    """What a command takes by ``--set``."""
    return {name.removeprefix("--") for p in command.params for name in p.opts}
