"""JSON Schemas of what commands print with --json: a file each, and `SHARED` for what several have."""

import json
import re
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "schemas"
SHARED = FOLDER / "_defs.json"


def schemas() -> dict[str, Path]:
    """Their files, by command; ``error``: of any."""
    return {path.stem: path for path in sorted(FOLDER.glob("[a-z]*.json"))}


def schema_of(command: str) -> dict[str, Any]:
    """That of one command, whole: with those definitions that it uses."""
    found = json.loads(schemas()[command].read_text(encoding="utf-8"))
    shared, used = json.loads(SHARED.read_text(encoding="utf-8"))["$defs"], dict[str, Any]()
    new = _used(found)
    while new:
        used |= {name: shared[name] for name in new}
        new = _used(used) - used.keys()
    return found | ({"$defs": used} if used else {})


def _used(part: object) -> set[str]:
    return set(re.findall(r"#/\$defs/(\w+)", json.dumps(part)))
