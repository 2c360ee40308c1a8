"""Pages of commands say what the commands say."""

import re
import tomllib

import pytest

pytest.importorskip("mkdocs", reason="mkdocs is not installed: pip install 'ganprune[docs]'")

from ganprune_cli.guard import GONE, INTERRUPTED, TERMINATED
from scripts.docs.commands import EXIT_CODES, examples, overview, page_of
from tests.cli.kit import ganprune
from tests.docs.pages import COMMANDS, ROOT


def read(text: str) -> float | str:
    return float(text) if re.fullmatch(r"[\d.]+", text) else text


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_has_every_option_and_setting_once_with_its_help(name: str) -> None:
    page = page_of(name, COMMANDS[name])
    for p in COMMANDS[name].params:
        assert p.help, p.name
        help_text = " ".join(p.help.split()).partition("; default ")[0].removesuffix(".")
        assert page.count(f":   {help_text}") >= 1, p.name
        for option in p.opts[:1] if getattr(p, "hidden", False) else (*p.opts, *p.secondary_opts):
            word = f"--set {option[2:]}=" if getattr(p, "hidden", False) else rf"(.*[ ,])?{option}[ ,`]"
            word = "--set NAME" if option == "--set" else word
            lines = [line for line in page.splitlines() if re.match(f"`{word}", line)]
            assert (p.param_type_name == "argument") or len(lines) == 1, option


def test_every_command_has_an_example_of_its_own_and_no_other_has() -> None:
    assert set(examples()) == set(COMMANDS), "scripts/docs/examples.toml"
    for name, lines in examples().items():
        shown = [line for what, line in lines.items() if what != "more"]
        assert shown, name
        assert all(line.split()[:2] == ["ganprune", name] for line in shown)


def test_the_overview_links_every_command() -> None:
    assert re.findall(r"\(([a-z]+)\.md\)", overview()) == list(COMMANDS)


@pytest.mark.parametrize("page", ["README.md", "docs/reliability.md"])
def test_every_exit_code_is_told(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8").partition("Exit codes:")[2][:500]
    assert {GONE, INTERRUPTED, TERMINATED} <= {*EXIT_CODES}
    assert [code for code in EXIT_CODES if code and not re.search(rf"\b{code}\s[a-z]", text)] == []


def test_defaults_of_compress_are_what_it_does_without_options() -> None:
    held = tomllib.loads(ganprune("presets", "fast").out)
    page = page_of("compress", COMMANDS["compress"])
    said = dict(
        re.findall(r"^`(?:-\w, )?--(?:set )?([\w-]+)[^`]*`\n:   .*Default: `([^`]*)`\.", page, re.MULTILINE)
    )
    assert len(said) > 20
    for name, text in said.items():
        if isinstance(held[name], bool):
            assert text == ("" if held[name] else "no-").join(["--", name])
            continue
        value = held[name] if isinstance(held[name], list) else [held[name]]
        assert [read(part) for part in text.split(",")] == [read(str(part)) for part in value], name
