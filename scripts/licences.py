"""What ganprune needs at run time, all the way down, as it is installed here: names and licences.

python scripts/licences.py > docs/licences.md
python scripts/licences.py --pins        the same packages as name==version, for pip-audit
"""

import sys
from importlib.metadata import Distribution, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HEAD = """\
# Licences
ganprune is under Apache-2.0. It needs the packages below at run time; none of them is part of its wheel.
`make licences` writes this page from the metadata of the packages that are installed, here with PyTorch's CPU
build. Its CUDA builds also bring NVIDIA's libraries, under NVIDIA's own terms. Extras (`ganprune[metrics]`,
`[openvino]`, `[ray]`) are not counted.

| package | licence | needed by |
|---|---|---|
"""


def closure(root: str) -> dict[str, set[str]]:
    """Every package that ``root`` needs on this machine, without extras, and which of them need it."""
    found: dict[str, set[str]] = {}
    waiting = [root]
    while waiting:
        name = waiting.pop()
        for text in distribution(name).requires or ():
            requirement = Requirement(text)
            if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
                continue
            needed = canonicalize_name(requirement.name)
            if needed not in found:
                waiting.append(needed)
            found.setdefault(needed, set()).add(name)
    return dict(sorted(found.items()))


def licence(package: Distribution) -> str:
    """As its metadata says: the expression, else the classifiers, else the first line of the free text."""
    meta = package.metadata
    if "License-Expression" in meta:
        return meta["License-Expression"]
    classifiers = [line.split(" :: ") for line in meta.get_all("Classifier", [])]
    named = [parts[-1] for parts in classifiers if parts[0] == "License" and parts[-1] != "OSI Approved"]
    if named:
        return "; ".join(named)
    return meta["License"].splitlines()[0] if "License" in meta else "not stated"


def main(pins: bool) -> None:
    """Print the page, or the pins."""
    packages = closure("ganprune")
    if pins:
        lines = [f"{name}=={distribution(name).version.split('+')[0]}" for name in packages]
    else:
        rows = packages.items()
        lines = [f"| {name} | {licence(distribution(name))} | {', '.join(sorted(by))} |" for name, by in rows]
    sys.stdout.write(("" if pins else HEAD) + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main("--pins" in sys.argv[1:])
