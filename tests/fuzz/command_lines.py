"""Command lines of any options with any values, up to where long work would begin."""

from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from typer.main import get_command

from ganprune_cli.main import app
from tests.fuzz.program import EXPORTS, LONG, check, light, run
from tests.fuzz.values import MARKUP
from tests.fuzz.workshop import Workshop

COMMANDS: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]
WRITES = ("--output", "--cache")
"""Options that name a folder to write to: they get one in the working folder."""
ANY = (
    "", "-1", "0", "1", "2", "4", "16", "32", "36", str(10**9), "9" * 30, "nan", "inf", "1e400", "0.5",
    "0.5,0.25", "0.5,", "1,2,3", "a", "none", "auto", "cpu", "cuda", "cuda:9", "mps", "float32", "bfloat16",
    "AtoB", "both", "disa", "sum", "shared", "0s", "2steps", "3epochs", "20m", "fast", "demo", "example",
    "inception", "all", "winograd", "True", "é\x1b[2J", MARKUP, "\ud800", "-", "--", "-h", "../missing",
    "/dev/null", "missing", "run", "run/G_A.safetensors", "run/config.toml", "run/provenance.json", "http://[",
)  # fmt: skip


@st.composite
def cases(draw: st.DrawFn, made: Workshop) -> list[str]:
    """A command with up to six options and two arguments."""
    here = [
        str(made.root / name)
        for name in ("net", "data", "data/trainA", "tiny.toml", "net/latest_net_G_A.pth")
    ]
    values = st.sampled_from((*ANY, *here)) | st.text(max_size=6)
    name = draw(st.sampled_from(sorted(COMMANDS)))
    words = [name]
    options = [param for param in COMMANDS[name].params if param.opts[0].startswith("-")]
    for option in draw(st.lists(st.sampled_from(options), max_size=6)) if options else ():
        spelled = draw(st.sampled_from((*option.opts, *option.secondary_opts)))
        writes = any(name in option.opts for name in WRITES)
        given = st.sampled_from(("out", "run", "out/new")) if writes else values
        if getattr(option, "hidden", False) and draw(st.integers(0, 9)):
            words += ["--set", f"{option.opts[0].removeprefix('--')}={draw(given)}"]
        elif getattr(option, "is_flag", False):
            words.append(spelled)
        else:
            words += [spelled, *(draw(given) for _ in range(option.nargs if option.nargs > 0 else 1))]
    words += draw(st.lists(values, max_size=2))
    return [*words, *draw(st.sampled_from(([], ["--unknown"], ["--quiet"], ["--json"])))]


def attempt(made: Workshop, folder: Path, words: list[str]) -> str:
    """Run a command line: it ends as `check` says, and writes in the working folder alone."""
    with made.scratch(folder) as here, light((*LONG, *EXPORTS)):
        return f"{words[0]}, {check(run(words, here))}"
