"""How the networks of one training lie in a folder: one module a layout, and the table of them.

Adding a layout is adding a module with one object that satisfies `Layout`, and naming it in `LAYOUTS`.
"""

from pathlib import Path
from typing import Protocol

from ganprune.checkpoints.layouts.a2b import A2B
from ganprune.checkpoints.layouts.cyclegan import CYCLEGAN
from ganprune.checkpoints.layouts.ganprune_run import GANPRUNE_RUN
from ganprune.checkpoints.layouts.lone_generator import LONE_GENERATOR
from ganprune.checkpoints.layouts.naming import Located
from ganprune.checkpoints.reading import about, require_exists
from ganprune.errors import CheckpointError

LONE_FILE = "a file by itself"
"""Title of the layout of a single file whose name says nothing."""


class Layout(Protocol):
    """One convention of where the networks of a training lie."""

    @property
    def title(self) -> str:
        """Name for messages and reports."""
        ...

    @property
    def example(self) -> str:
        """The names it looks for, for messages."""
        ...

    def find(self, folder: Path, names: list[str]) -> list[Located]:
        """Sets of networks among the files ``names`` of ``folder``, one an epoch, preferred first."""
        ...


LAYOUTS: tuple[Layout, ...] = (GANPRUNE_RUN, CYCLEGAN, A2B, LONE_GENERATOR)
"""Every layout that is read; of two that find equally many networks, the first is taken."""


def locate(path: Path) -> Located:
    """The set of networks that a folder holds, or that a file belongs to.

    In a folder the layout that finds most networks is taken, and of its epochs ``latest``, else the
    highest. A file whose name no layout knows is a set by itself, taken as G_A.

    Raises UsageError when ``path`` does not exist, CheckpointError for a folder without networks.
    """
    path = Path(path)
    require_exists(path)
    with about(path):
        folder = path if path.is_dir() else path.parent
        entries = sorted(folder.iterdir())
        names = [entry.name for entry in entries if entry.is_file()]
    sets = [layout.find(folder, names) for layout in LAYOUTS]
    if folder != path:
        own = [located for found in sets for located in found if path in located.files.values()]
        return own[0] if own else Located(LONE_FILE, {"G_A": path})
    best = [found[0] for found in sets if found]
    if not best:
        held = [entry.name + ("/" if entry.is_dir() else "") for entry in entries]
        listing = ", ".join(held[:8]) + (f" and {len(held) - 8} more" if len(held) > 8 else "")
        looked_for = "; ".join(layout.example for layout in LAYOUTS)
        raise CheckpointError(
            f"{path}: no networks here: it holds {listing or 'nothing'}; looked for {looked_for}"
        )
    return max(best, key=lambda located: len(located.files))  # the first of equals
