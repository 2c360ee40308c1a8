"""Code in pages: a line of its own such as

    [`ganprune.pruning.fitness.l_gena`](../ganprune/pruning/fitness.py)

is a link where docs/ is read as it lies, and the source of that function, class or method on the site. It is
read at every build, so it cannot be out of date; a name that is not there, or a link to another file than
that of the name, fails the build.
"""

import ast
import posixpath
import re
from dataclasses import dataclass
from pathlib import Path

from mkdocs.exceptions import PluginError
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
ROOTS = {"ganprune": ROOT, "ganprune_exporters": ROOT / "exporters", "ganprune_cli": ROOT / "cli"}
"""Package → the folder that holds it."""
LONG = 45
"""Lines from which on a piece is shown folded."""

_LINE = re.compile(r"^\[`(?P<name>ganprune[\w.]*)`\]\((?P<link>[^)]+)\)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Piece:
    """A definition as it stands in its file."""

    file: str
    """From the repository's root."""
    line: int
    """Of its first line, from 1."""
    code: str


def module_of(name: str) -> tuple[Path, list[str]]:
    """The file of a qualified name, and what is left to find in it. Raises `LookupError`."""
    parts = name.split(".")
    if parts[0] not in ROOTS:
        raise LookupError(f"{name}: {parts[0]} is no package of this repository")
    for n in range(len(parts), 0, -1):
        base = ROOTS[parts[0]].joinpath(*parts[:n])
        for file in (base.with_suffix(".py"), base / "__init__.py"):
            if file.is_file():
                return file, parts[n:]
    raise LookupError(f"{name}: there is no such module")


def find(name: str) -> Piece:
    """The source of ``package.module.function``, ``….Class``, ``….Class.method`` or ``….CONSTANT``.

    Of a module it is the whole file. Raises `LookupError` where the name is not defined.
    """
    file, rest = module_of(name)
    text = file.read_text(encoding="utf-8")
    where: ast.Module | ast.stmt = ast.parse(text)
    for part in rest:
        body: list[ast.stmt] = getattr(where, "body", [])
        found = [node for node in body if part in _names(node)]
        if not found:
            raise LookupError(f"{name}: {file.relative_to(ROOT)} defines no {part}")
        where = found[0]
    first, last = 1, len(text.splitlines())
    if isinstance(where, ast.stmt):
        decorators = getattr(where, "decorator_list", [])
        first = min([where.lineno, *(d.lineno for d in decorators)])
        last = where.end_lineno or first
    lines = text.splitlines()[first - 1 : last]
    indent = min((len(line) - len(line.lstrip()) for line in lines if line), default=0)
    return Piece(file.relative_to(ROOT).as_posix(), first, "\n".join(line[indent:] for line in lines))


def _names(node: ast.stmt) -> set[str]:
    """What a statement defines."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.AnnAssign(target=ast.Name(id=name)):
            return {name}
        case ast.Assign(targets=targets):
            return {target.id for target in targets if isinstance(target, ast.Name)}
        case _:
            return set()


def shown(name: str) -> str:
    """The piece as Markdown: a block of code with its file and line as title, folded where it is long."""
    piece = find(name)
    lines = piece.code.splitlines()
    block = [f'```python title="{piece.file}, line {piece.line}"', *lines, "```"]
    if len(lines) < LONG:
        return "\n".join(block)
    folded = [f'??? code "{name}, {len(lines)} lines"', *(f"    {line}".rstrip() for line in block)]
    return "\n".join(folded)


def on_page_markdown(markdown: str, *, page: Page, **_: object) -> str:
    """Called by MkDocs with a page's text."""

    def replaced(found: re.Match[str]) -> str:
        try:
            piece, block = find(found["name"]), shown(found["name"])
        except LookupError as error:
            raise PluginError(f"{page.file.src_uri}: {error}") from None
        folder = posixpath.join("docs", posixpath.dirname(page.file.src_uri))
        target = posixpath.normpath(posixpath.join(folder, found["link"]))
        if target != piece.file:
            raise PluginError(
                f"{page.file.src_uri}: `{found['name']}` is in {piece.file}, but the link goes to {target}"
            )
        return block

    return _LINE.sub(replaced, markdown)
