"""What the user sees: data on stdout, progress and news on stderr."""

import json
import re
import shlex
import shutil
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from textwrap import TextWrapper, wrap
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, TextIO

from ganprune.reporting import Task, duration
from ganprune.system.shell import is_shown, pasted, shown

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_EVERY = 5.0  # seconds between two progress lines where stderr is no terminal
_RECENT = 12  # the time left is judged by the pace over so many of them: a long task may speed up


def say(text: object = "", end: str = "\n") -> None:
    """Data on stdout; what ends its lines itself is for other programs, and stays as it is."""
    print(flowed(shown(text), sys.stdout) if end else shown(text), end=end, flush=True)


def flowed(text: str, stream: TextIO) -> str:
    """A text whose lines end between words where a terminal ends; elsewhere, as it is.

    A command stays in one piece, in backticks or at the end: copied in two it does something else.
    """
    if not stream.isatty():
        return text
    whole = re.sub(r"`[^`]*`|(?<=: )ganprune .*", lambda found: found[0].replace(" ", "\0"), text)
    flow = TextWrapper(
        shutil.get_terminal_size().columns, subsequent_indent="  ", break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip
    return "\n".join(map(flow.fill, whole.split("\n"))).replace("\0", " ")


class _Bar:
    """A task shown as an animated bar with the time left, its figures on a line of their own below."""

    def __init__(self, progress: "Progress", task: "TaskID") -> None:
        self._progress, self._task = progress, task

    def advance(self, steps: int = 1, **figures: float | str) -> None:
        self._progress.advance(self._task, steps)
        if isinstance(left := figures.pop("all_left", None), float):
            self._progress.update(self._task, left=f"all {duration(left)} left")
        if figures:
            self._progress.update(self._task, figures=shown(_spell(figures)))


class _Lines:
    """A task shown as a plain line every few seconds, whether or not it comes on meanwhile."""

    def __init__(self, title: str, total: int, done: int) -> None:
        self._title, self._total, self._done = title, total, done
        self._start = self._shown = time.monotonic()
        self._marks: deque[tuple[float, int]] = deque(maxlen=_RECENT + 1)
        self._figures, self._after, self._over = "", "", Event()
        self._waiting = Thread(target=self._while_nothing_happens, daemon=True)
        self._waiting.start()

    def advance(self, steps: int = 1, **figures: float | str) -> None:
        self._done += steps
        if isinstance(left := figures.pop("all_left", None), float):
            self._after = f", all {duration(left)} left"
        self._figures = _spell(figures) or self._figures
        now = time.monotonic()
        if not self._marks:  # what came before the first step may be preparation, and is no pace
            self._marks.append((now, self._done))
            return
        if now - self._shown >= _EVERY and self._done < self._total:
            self._show(now)

    def finish(self) -> None:
        """The last line, with the time that the task took."""
        self._print(duration(time.monotonic() - self._start))

    def over(self) -> None:
        """Say nothing more of one's own accord."""
        self._over.set()
        self._waiting.join()  # it may be in the middle of a line

    def _while_nothing_happens(self) -> None:
        while not self._over.wait(_EVERY):
            if (now := time.monotonic()) - self._shown >= _EVERY:
                self._show(now)

    def _show(self, now: float) -> None:
        """The time left, by the pace of late; before there is one, the time that has passed."""
        then, before = self._marks[0] if self._marks else (now, self._done)
        told = f"{duration(now - self._start)} so far"
        if (steps := self._done - before) > 0:  # a repeated step takes some back
            told = f"{duration((now - then) / steps * max(self._total - self._done, 0))} left"
        if self._marks:
            self._marks.append((now, self._done))
        self._shown = now
        self._print(f"{told}{self._after}")

    def _print(self, seconds: str) -> None:
        parts = (f"{self._title} {self._done}/{self._total}", self._figures, seconds)
        print(shown(", ".join(part for part in parts if part)), file=sys.stderr, flush=True)


class ConsoleReporter:
    """A `ganprune.reporting.Reporter` on stderr; quiet: warnings only."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet

    @contextmanager
    def task(self, title: str, total: int, done: int = 0) -> Generator[Task]:
        """A bar with the time left on a terminal, plain lines elsewhere."""
        if self._quiet:
            from ganprune.reporting import SILENT

            with SILENT.task(title, total, done) as silent:
                yield silent
        elif not sys.stderr.isatty():
            lines = _Lines(title, total, done)
            try:
                yield lines
            finally:
                lines.over()
            lines.finish()
        else:
            from rich.console import Console, RenderableType
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
            from rich.text import Text

            class Live(Progress):
                def get_renderables(self) -> Iterator[RenderableType]:
                    yield self.make_tasks_table(self.tasks)
                    for task in self.tasks:
                        told = filter(None, (task.fields["left"], task.fields["figures"]))
                        yield Text(f"  {', '.join(told)}", style="dim")

            columns = (
                TextColumn("{task.description}"), BarColumn(bar_width=10), MofNCompleteColumn(),
                TimeRemainingColumn(), TextColumn("left"),
            )  # fmt: skip
            with Live(*columns, console=Console(stderr=True)) as progress:
                task_id = progress.add_task(shown(title), total=total, completed=done, figures="", left="")
                yield _Bar(progress, task_id)

    def info(self, message: str) -> None:
        """A line on stderr."""
        if not self._quiet:
            print(flowed(shown(message), sys.stderr), file=sys.stderr, flush=True)

    def warn(self, message: str) -> None:
        """A line on stderr, --quiet or not."""
        print(flowed(f"warning: {shown(message)}", sys.stderr), file=sys.stderr, flush=True)


def print_json(value: Mapping[str, Any], following: str | None = None, version: bool = True) -> None:
    """One JSON object on stdout, with its schema version first.

    following: the command that `print_next` shows, which comes last; empty: there is none.
    """
    found = ({"schema": 1} if version else {}) | dict(value)
    found |= {} if following is None else {"next_command": following}
    text = json.dumps(found, indent=2, ensure_ascii=False)
    print("".join(c if is_shown(c) else json.dumps(c)[1:-1] for c in text))


def print_result(
    found: Mapping[str, Any], following: str, show: Callable[[], object], *, json: bool, quiet: bool
) -> None:
    """What a command ends with: its result as JSON, or as ``show`` prints it, and the next command."""
    if json:
        print_json(found, following)
    else:
        show()
    print_next(following, quiet)


def print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, markdown: bool = False,
    better: Sequence[int] = (), left: Sequence[int] = (0,),
) -> None:  # fmt: skip
    """A table on stdout. Columns in ``left`` hold text and may fold, the others numbers, which are never cut.

    Rows in ``better`` are green. What does not fit gets headings of several lines, then less space between
    columns; if it still does not, it is as wide as it must be.
    """
    title, rows = shown(title), [[shown(cell) for cell in row] for row in rows]
    if markdown:
        from ganprune.storage.tables import markdown as as_markdown

        print(as_markdown(title, columns, rows, left))
        return
    from rich import box
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

    console = Console()
    wide = console.width if console.is_terminal else max(console.width, 160)  # nobody looks at a pipe's width

    def table(narrow: bool, gap: int = 1) -> Table:
        laid = Table(
            title=Text(title, style="bold"), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False,
            padding=(0, gap), show_edge=gap > 0,
        )  # fmt: skip
        for i, column in enumerate(columns):
            longest, text = max((len(row[i]) for row in rows), default=0), i in left and i > 0
            least = max([longest, *(len(word) for word in column.split())])
            laid.add_column(
                "\n".join(wrap(column, least)) if narrow and not text else column,
                justify="left" if i in left else "right", overflow="fold", no_wrap=not text,
                min_width=min(longest, 24) if text else longest,
            )  # fmt: skip
        for i, row in enumerate(rows):
            laid.add_row(*(Text(cell) for cell in row), style="green" if i in better else "")
        return laid

    def width(laid: Table) -> Measurement:
        return Measurement.get(console, console.options.update(max_width=1000), laid)

    laid = table(narrow=False)
    if width(laid).maximum > wide:
        laid = table(narrow=True)
    if width(laid).minimum > wide:
        laid = table(narrow=True, gap=0)
    Console(width=max(wide, width(laid).minimum)).print(laid)


def print_next(command: str, quiet: bool = False) -> None:
    """The line that each command ends with, on stderr; an empty command is left out."""
    if not all(map(is_shown, command)):  # of the library, which knows no terminals
        command = " ".join(map(pasted, shlex.split(command)))
    if command and not quiet:
        print(f"next: {shown(command)}", file=sys.stderr)


def _spell(figures: Mapping[str, float | str]) -> str:
    return ", ".join(f"{k} {v if isinstance(v, str) else format(v, '.4g')}" for k, v in figures.items())
