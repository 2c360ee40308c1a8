"""Whatever the documentation tells people to type exists."""

import re
import shlex
import tomllib

import pytest

from ganprune.presets import PRESETS
from tests.docs.pages import COMMANDS, PAGES, ROOT, Found, command_lines, options_of, settings_of, spans

LINES = [found for page in PAGES for found in command_lines(page)]
EXAMPLES = [
    Found("scripts/docs/examples.toml", 0, line)
    for lines in tomllib.loads((ROOT / "scripts/docs/examples.toml").read_text(encoding="utf-8")).values()
    for what, line in lines.items()
    if what != "more"
]
SPANS = [found for page in PAGES for found in spans(page)]
OTHERS = {
    "docs/checkpoints.md": {"--eval", "--no_dropout"},
    "docs/cluster.md": {"--include-dashboard"},
    "docs/export.md": {"--eval"},
    "docs/what-users-bring.md": {"--eval"},
}
"""Options of other programs, named by themselves."""
SCRIPTS = [script for folder in ("benchmarks", "scripts") for script in (ROOT / folder).glob("*.py")]
ANY_OPTION = {
    "--install-completion",
    "-V",
    "--version",
    *(name for command in COMMANDS.values() for name in options_of(command)),
    *(name for s in SCRIPTS for name in re.findall(r'"(--[\w-]+)"', s.read_text(encoding="utf-8"))),
}
"""Of commands, and of the scripts that made the results."""


def words_of(text: str) -> list[str]:
    """A line as the shell splits it, up to a pipe, without the brackets of what may be left out."""
    words = shlex.split(re.sub(r"[\[\]]", "", text), comments=True)
    ends = [i for i, word in enumerate(words) if word in (">", "|", "&&")]
    return words[: ends[0]] if ends else words


def test_the_documentation_has_command_lines() -> None:
    assert len(LINES) > 30
    assert len([found for found in SPANS if "--" in found.text]) > 80


@pytest.mark.parametrize("found", [*LINES, *EXAMPLES], ids=str)
def test_command_line_parses(found: Found) -> None:
    _, name, *arguments = words_of(found.text)
    assert name in COMMANDS, found
    COMMANDS[name].make_context(name, arguments)  # raises for unknown options, missing or mistyped values


@pytest.mark.parametrize("text", ["ganprune bench --fast", "ganprune front", "ganprune inspect --size big"])
def test_a_line_that_does_not_parse_is_noticed(text: str) -> None:
    _, name, *arguments = words_of(text)
    with pytest.raises(Exception, match=r"No such option|Missing parameter|valid integer"):
        COMMANDS[name].make_context(name, arguments)


@pytest.mark.parametrize("found", [found for found in SPANS if re.search(r"(^|\s)-", found.text)], ids=str)
def test_options_named_in_the_text_exist(found: Found) -> None:
    words = found.text.translate({ord(sign): " " for sign in "[]|(),"}).split()
    if words[0] == "ganprune":
        words = words[1:]
    elif words[0] not in COMMANDS and not words[0].startswith("-"):
        return  # another program's line
    known = options_of(COMMANDS[words[0]]) if words[0] in COMMANDS else ANY_OPTION
    named = {word.partition("=")[0] for word in words if re.match(r"--?[A-Za-z]", word)}
    assert named <= known | OTHERS.get(found.page, set()), found
    commands = [words[0]] if words[0] in COMMANDS else COMMANDS
    known = {name for command in commands for name in settings_of(COMMANDS[command])}
    assert {*re.findall(r"--set ([\w-]+)", found.text)} - {"NAME", "name"} <= known, found


def test_commands_named_in_the_text_exist() -> None:
    named = {(f.text.split()[1], str(f)) for f in SPANS if f.text.startswith("ganprune ")}
    wrong = [where for name, where in named if re.match(r"[a-z]", name) and name not in COMMANDS]
    assert wrong == []


def test_presets_named_anywhere_exist() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    named = set(re.findall(r"--preset ([a-z][\w-]*)", text))
    assert len(named) >= 3
    assert named <= set(PRESETS)
