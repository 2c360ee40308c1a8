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
build. Its CUDA builds also bring NVIDIA's libraries, under NVIDIA's own terms.

| package | licence | needed by |
|---|---|---|
"""
MORE = """
## Extras
What `ganprune[hub]`, `[metrics]`, `[openvino]`, `[ray]` and `[video]` add to these.

| package | licence | needed by |
|---|---|---|
"""
EXTRAS = ("hub", "metrics", "openvino", "ray", "video")


def closure(root: str, extras: tuple[str, ...] = ("",)) -> dict[str, set[str]]:
    """Every package that ``root`` with some extras needs on this machine, and which of them need it."""
    found: dict[str, set[str]] = {}
    waiting = [(root, extras)]
    while waiting:
        name, wanted = waiting.pop()
        for text in distribution(name).requires or ():
            requirement = Requirement(text)
            marker = requirement.marker
            asking = [extra for extra in wanted if marker is None or marker.evaluate({"extra": extra})]
            if not asking:
                continue
            needed = canonicalize_name(requirement.name)
            if needed not in found:
                waiting.append((needed, ("", *requirement.extras)))
            found.setdefault(needed, set()).add(f"{name}[{asking[0]}]" if asking[0] else name)
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
    packages, more = closure("ganprune"), closure("ganprune", ("", *EXTRAS))
    if pins:
        sys.stdout.writelines(f"{name}=={distribution(name).version.split('+')[0]}\n" for name in more)
        return
    added = {name: by for name, by in more.items() if name not in packages}
    for head, part in ((HEAD, packages), (MORE, added)):
        rows = (
            f"| {name} | {licence(distribution(name))} | {', '.join(sorted(by))} |\n"
            for name, by in part.items()
        )
        sys.stdout.write(head + "".join(rows))


if __name__ == "__main__":
    main("--pins" in sys.argv[1:])
