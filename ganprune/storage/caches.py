"""Where ganprune keeps what it may have to make or to get again."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """ganprune's folder below XDG_CACHE_HOME, LOCALAPPDATA on Windows, else ``~/.cache``."""
    root = os.environ.get("LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "ganprune"
