"""Print constraints that pin every runtime dependency to the lowest version that pyproject.toml allows.

Those of the extras that users install, `EXTRAS`, too.


python scripts/lowest.py > lowest.txt
PIP_CONSTRAINT=lowest.txt pip install '.[dev]'
"""

import re
import sys
import tomllib
from pathlib import Path

EXTRAS = ("hub", "metrics", "openvino", "ray", "video")
BOUND = re.compile(r"([A-Za-z0-9._-]+)>=([0-9][0-9.]*)")


def lowest(pyproject: Path) -> list[str]:
    """A line a dependency, such as ``torch==2.9``. Raises `ValueError` for one without a lower bound."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    extras = [line for extra in EXTRAS for line in project["optional-dependencies"][extra]]
    lines: list[str] = []
    for dependency in (*project["dependencies"], *extras):
        found = BOUND.fullmatch(dependency.partition(";")[0].strip())
        if found is None:
            raise ValueError(f"a dependency needs the form name>=version, found {dependency!r}")
        lines.append(f"{found[1]}=={found[2]}")
    return lines


if __name__ == "__main__":
    sys.stdout.write("\n".join(lowest(Path(__file__).parents[1] / "pyproject.toml")) + "\n")
