"""Folders that were damaged, or made by someone who means harm, and all commands that read them."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w
from hypothesis import strategies as st

from ganprune.storage.plain import read_json, read_toml
from tests.checkpoints.mutations import damaged, damages
from tests.fuzz.program import EXPORTS, check, light, run
from tests.fuzz.settings_files import without_none
from tests.fuzz.values import MARKUP, changed
from tests.fuzz.workshop import Workshop

COMMANDS = {
    "run": ("inspect", "report", "export", "translate", "evaluate", "compress", "bench", "figures"),
    "front": ("front",), "cells": ("compare", "compare --finished"), "gan": ("train",),
}  # fmt: skip
"""Commands that read folders of each kind, see `tests.fuzz.workshop.KINDS`."""
SLOW = ("ganprune_cli.evaluating.load_features", "ganprune.figures.of_runs.draw_figures")
"""What commands that read runs need more than a run for."""
PLACES = ("gone", "empty", "folder", "pipe", "link", "huge")
"""What may lie in the place of a file."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is changed, and what is then run."""

    kind: str
    """Of the folder, see `tests.fuzz.workshop.KINDS`."""
    changes: Sequence[tuple[str, Any]]
    """Names of files, and bytes to write in their place, or one of `PLACES`."""
    sealed: bool
    """Whether the hashes of changed files are set right in provenance.json."""
    command: str


@st.composite
def cases(draw: st.DrawFn, made: Workshop) -> Case:
    """One to three changed files, mostly plain texts, and a command; of runs as often as of all others."""
    kind = draw(st.sampled_from(("run", "run", "run", *COMMANDS)))
    whole = made.root / kind
    names = sorted(str(path.relative_to(whole)) for path in whole.rglob("*") if path.is_file())
    texts = [name for name in names if name.endswith((".json", ".jsonl", ".toml"))]
    changes = list[tuple[str, Any]]()
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(texts) if draw(st.integers(0, 4)) else st.sampled_from(names))
        changes.append((name, draw(_content(whole / name))))
    return Case(kind, changes, draw(st.booleans()), draw(st.sampled_from(COMMANDS[kind])))


@st.composite
def _content(draw: st.DrawFn, path: Path) -> bytes | str:
    """What to put in the place of one file."""
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return draw(st.sampled_from(PLACES))
    content = path.read_bytes()
    if kind == 1 or path.suffix not in (".json", ".jsonl", ".toml", ".safetensors"):
        return damaged(content, draw(damages), content)
    if path.suffix == ".json":
        return _json(draw(changed(read_json(path))))
    if path.suffix == ".toml":
        table = without_none(draw(changed(read_toml(path))))
        try:
            return tomli_w.dumps(table).encode("utf-8", "surrogatepass")
        except (TypeError, ValueError, AttributeError):
            return _json(table)
    if path.suffix == ".safetensors":
        end = 8 + int.from_bytes(content[:8], "little")
        header = _json(draw(changed(json.loads(content[8:end]))))
        return len(header).to_bytes(8, "little") + header + content[end:]
    lines = content.splitlines() or [b"{}"]
    place = draw(st.integers(0, len(lines) - 1))
    lines[place] = _json(draw(changed(json.loads(lines[place]))))
    return b"\n".join(lines) + b"\n"


def _json(value: Any) -> bytes:
    return json.dumps(value, default=str).encode()


def apply(case: Case, run_folder: Path, victim: Path) -> None:
    """Make the changes."""
    for name, content in case.changes:
        path = run_folder / name
        if not path.is_file() or path.is_symlink():
            continue
        path.unlink()
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content == "empty":
            path.touch()
        elif content == "folder":
            path.mkdir()
        elif content == "pipe":
            os.mkfifo(path)
        elif content == "link":
            path.symlink_to(victim)
        elif content == "huge":
            path.touch()
            os.truncate(path, 1 << 27)
    if case.sealed:
        _seal(run_folder, [name for name, _ in case.changes])


def _seal(run_folder: Path, names: Sequence[str]) -> None:
    path = run_folder / "provenance.json"
    if "provenance.json" in names or not path.is_file():
        return
    provenance = read_json(path)
    stages: Mapping[str, Mapping[str, dict[str, str]]] = provenance["stages"]
    for record in stages.values():
        for part in ("inputs", "outputs"):
            for name in names:
                file = run_folder / name
                if name in record[part] and file.is_file() and file.stat().st_size < 1 << 24:
                    record[part][name] = hashlib.sha256(file.read_bytes()).hexdigest()
    path.write_text(json.dumps(provenance))


def attempt(made: Workshop, folder: Path, case: Case) -> str:
    """Run a command on a changed run: it ends as `check` says, and nothing outside the run is touched."""
    words: dict[str, Sequence[object]] = {
        "inspect": ("inspect", "run"), "report": ("report", "run", "--quiet"),
        "export": ("export", "--onnx", "run", "--quiet"), "bench": ("bench", "--cpu", "run", "--quiet"),
        "translate": ("translate", "run", made.root / "data" / "testA", "-o", "out", "--quiet"),
        "evaluate": ("evaluate", "run", "--quiet"), "figures": ("figures", "run", "-o", "out", "--quiet"),
        "compress": made.compress("run"), "front": made.makes("front", "run"),
        "compare": made.makes("cells", "run"), "train": made.makes("gan", "run"),
        "compare --finished": (*made.makes("cells", "run"), "--finished"),
    }  # fmt: skip
    with made.scratch(folder, case.kind) as here:
        apply(case, here / "run", folder / "outside" / "victim")
        with light(EXPORTS if case.kind == "cells" else (*EXPORTS, *SLOW)):
            ended = run(words[case.command], here)
        page = here / "run" / "report.html"
        if case.command == "report" and ended.code == 0:
            assert MARKUP not in page.read_text(encoding="utf-8")
        assert {path.name for path in here.iterdir()} <= {"run", "out", "runs"}
    return f"{case.command}, {check(ended)}"
