"""Print constraints that pin every runtime dependency to the lowest version that pyproject.toml allows.

python scripts/lowest.py > lowest.txt
PIP_CONSTRAINT=lowest.txt pip install '.[dev]'
"""

import re
import sys
import tomllib
from pathlib import Path

BOUND = re.compile(r"([A-Za-z0-9._-]+)>=([0-9][0-9.]*)")


def lowest(pyproject: Path) -> list[str]:
    """A line a dependency, such as ``torch==2.9``. Raises `ValueError` for one without a lower bound."""
    dependencies = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["dependencies"]
    lines: list[str] = []
    for dependency in dependencies:
        found = BOUND.fullmatch(dependency)
        if found is None:
            raise ValueError(f"a dependency needs the form name>=version, found {dependency!r}")
        lines.append(f"{found[1]}=={found[2]}")
    return lines


if __name__ == "__main__":
    sys.stdout.write("\n".join(lowest(Path(__file__).parents[1] / "pyproject.toml")) + "\n")
