"""Checkpoints at Hugging Face, in the place of a path: ``hf://OWNER/NAME[/FILE or FOLDER][@REVISION]``.

`huggingface_hub`, of the extra ``hub``, fetches them into its own cache; what is there needs no network.
Where a file lies there says which commit it is of, see `origin`.
"""

import re
import sys
from glob import escape
from pathlib import Path

from ganprune.errors import DownloadError, UsageError
from ganprune.reporting import SILENT, Reporter

_ADDRESS = re.compile(
    r"hf:/{1,2}(?P<repo>[^/@]+/[^/@]+)(?:/(?P<inside>[^@]+?))?/?(?:@(?P<revision>[^@]+))?"
)  # a Path has one slash of the two
_CACHED = re.compile(
    r".*/models--(?P<owner>.+?)--(?P<name>[^/]+)/snapshots/(?P<commit>[0-9a-f]{40})(?P<inside>/.+)?"
)
_OPTIONS = ("train_opt.txt", "opt.txt")
_SUFFIXES = (".pth", ".pt", ".safetensors", ".pth.tar", ".ckpt", ".bin", ".pkl", ".tar", ".onnx")


def is_address(path: Path) -> bool:
    """Whether a path is an address at Hugging Face."""
    return path.parts[:1] == ("hf:",)


def local(path: Path, reporter: Reporter = SILENT) -> Path:
    """Where the files of an address lie on this machine, fetched if need be; any other path as it is.

    All networks are fetched of the folder that is meant, or that a file lies in, and the training's options:
    the networks of a training belong together. Folders in it are left out. Raises `UsageError` for an address
    of another form and without huggingface_hub, `DownloadError` where there is no such thing, or it cannot be
    reached and is not in the cache.
    """
    if not is_address(path):
        return path
    found = _ADDRESS.fullmatch(path.as_posix())
    if found is None:
        raise UsageError(
            f"{_shown(path)}: needed hf://OWNER/NAME, hf://OWNER/NAME/FILE or either with @REVISION"
        )
    inside = found["inside"] or ""
    a_file = inside.endswith(_SUFFIXES)
    folder = inside.rpartition("/")[0] if a_file else inside
    root = f"{escape(folder)}/" if folder else ""
    wanted = [*(f"{root}*{suffix}" for suffix in _SUFFIXES), *(f"{root}{name}" for name in _OPTIONS)]
    snapshot = _snapshot(path, found["repo"], found["revision"], wanted, [f"{root}*/*"])
    place = snapshot / inside
    if not (place.is_file() if a_file else place.is_dir() and any(place.iterdir())):
        raise DownloadError(
            f"{_shown(path)}: needed {inside or 'networks'} there, found none; look at its files with a "
            "browser, and give hf://OWNER/NAME/FILE"
        )
    reporter.info(f"{_shown(path)}: commit {snapshot.name[:12]}, in {place}")
    return place


def origin(path: Path) -> str | None:
    """The address of a file or folder in huggingface_hub's cache, with its commit; None of any other."""
    found = _CACHED.fullmatch(path.as_posix())
    if found is None:
        return None
    return f"hf://{found['owner']}/{found['name']}{found['inside'] or ''}@{found['commit']}"


def place_of(path: Path) -> str:
    """How to find a checkpoint again: its address with its commit, or its whole path."""
    return origin(path) or str(path.resolve())


def repository(path: Path) -> str | None:
    """OWNER/NAME of an address, or of what lies in the cache; None of any other path."""
    found = _ADDRESS.fullmatch(origin(path) or path.as_posix())
    return None if found is None else found["repo"]


def name_of(path: Path) -> str:
    """What a checkpoint is called: as its folder, or its repository. path: as `place_of` gives it, or any."""
    if repo := repository(path):
        return repo.rpartition("/")[2]
    return path.name if path.is_dir() else path.parent.name


def _snapshot(path: Path, repo: str, revision: str | None, wanted: list[str], without: list[str]) -> Path:
    try:
        import huggingface_hub
        from huggingface_hub import errors
        from huggingface_hub.utils import disable_progress_bars, logging
    except ImportError:
        raise UsageError(
            f"{_shown(path)} is at Hugging Face, which needs huggingface_hub, found none; install it: "
            "pip install 'ganprune[hub]'"
        ) from None
    logging.set_verbosity_error()  # what goes wrong is raised
    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        fetched = huggingface_hub.snapshot_download(
            repo, revision=revision, allow_patterns=wanted, ignore_patterns=without, library_name="ganprune"
        )
    except errors.GatedRepoError:
        reason = "its owner gives access on request: ask for it with a browser, then run `hf auth login`"
    except errors.RepositoryNotFoundError:
        reason = "no such repository; check the name, or run `hf auth login` where it is private"
    except errors.RevisionNotFoundError:
        reason = "no such revision; look for it with a browser, or leave it out"
    except errors.LocalEntryNotFoundError:
        reason = "Hugging Face cannot be reached, and it is not in the cache; connect and run again"
    except errors.HFValidationError as error:
        reason = _line(error)
    except Exception as error:  # of the network, of the server: they have no common base
        reason = f"{_line(error)}; try again later"
    else:
        return Path(fetched)
    raise DownloadError(f"{_shown(path)}: {reason}")


def _shown(path: Path) -> str:
    return re.sub("^hf:/+", "hf://", path.as_posix())


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
