import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_no_class_name_is_used_twice() -> None:
    found = defaultdict[str, list[str]](list)
    for package in ("ganprune", "exporters", "cli"):
        for file in (ROOT / package).rglob("*.py"):
            if file.name == "standalone.py":  # which users take along, without the package
                continue
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef):
                    found[node.name].append(f"{file.relative_to(ROOT)}:{node.lineno}")
    assert len(found) > 100
    assert {name: places for name, places in found.items() if len(places) > 1} == {}
