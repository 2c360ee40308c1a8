"""One file to its tensors, or to one line that says why not."""

import errno
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from torch import Tensor

from ganprune.checkpoints.contents import flat_tensors
from ganprune.checkpoints.formats import FOREIGN, FORMATS, HEAD, Format
from ganprune.errors import CheckpointError, GanpruneError, UsageError

MAX_MESSAGE = 1200  # longest message about a file, characters


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The state dict in a file of any format in `FORMATS`, on the CPU, as it lies on the disk.

    Wrappers and prefixes are undone, see `flat_tensors`. No code of the file is run, and memory and
    time are bounded by the size of the file.

    Raises UsageError when ``path`` does not exist, UnsafeCheckpoint when a pickle asks for more than
    tensors, and CheckpointError for everything else that is no state dict.
    """
    held = read_held(path)
    with about(path):
        return flat_tensors(held)


def read_held(path: Path) -> object:
    """Everything in a file, e.g. a dict of tensors, or of dicts of tensors; errors as in `read_tensors`."""
    file_format = _format_of(path)
    with about(path):
        return file_format.read(Path(path), True)


def peek(path: Path) -> object:
    """As `read_held`, with tensors on the device meta, which have shapes alone: no weights are read."""
    file_format = _format_of(path)
    with about(path):
        return file_format.read(Path(path), False)


def _format_of(path: Path) -> Format:
    path = Path(path)
    head = head_of(path)
    for file_format in FORMATS:
        if file_format.recognises(head):
            return file_format
    for foreign in FOREIGN:
        if foreign.recognises(head):
            raise CheckpointError(f"{path}: no checkpoint but {foreign.title}; {foreign.help}")
    raise CheckpointError(
        f"{path}: no checkpoint: it starts with {head[:16]!r}; a file of torch.save or safetensors was needed"
    )


def head_of(path: Path) -> bytes:
    """The first bytes of a file that exists, can be read and is not empty.

    Raises UsageError when ``path`` does not exist, CheckpointError when it is no such file.
    """
    require_exists(path)
    with about(path):
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise CheckpointError("a folder, one file was needed")
        if not stat.S_ISREG(mode):
            raise CheckpointError("no regular file")
        with path.open("rb") as file:
            head = file.read(HEAD)
        if not head:
            raise CheckpointError("is empty; copy or download it again")
    return head


def require_exists(path: Path) -> None:
    """Raise UsageError unless there is something at ``path``."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"{path} does not exist; give a CycleGAN run folder or a file of networks") from None
    except OSError:
        return  # it may exist: opening it says what is wrong


@contextmanager
def about(path: Path, entry: str = "") -> Generator[None]:
    """Put the name of the file before every message, and make any other failure a CheckpointError.

    The name of its ``entry`` too, where a file has several.

    Parsers of hostile bytes raise whatever they come across, so every Exception is meant here.
    """
    where = f"{path}: {entry}" if entry else f"{path}"
    try:
        yield
    except GanpruneError as error:
        raise type(error)(f"{where}: {_one_line(str(error))}") from error
    except OSError as error:
        if error.errno == errno.EINVAL:  # the file itself sent its reader to a place before its start
            raise CheckpointError(f"{where}: truncated or damaged ({error.strerror})") from error
        raise CheckpointError(f"{where}: cannot be read: {error.strerror or error}") from error
    except Exception as error:
        reason = _one_line(str(error).partition("\n")[0]) or type(error).__name__
        raise CheckpointError(f"{where}: truncated or damaged ({reason})") from error


def _one_line(message: str) -> str:
    # Names in a hostile file can be megabytes long.
    line = " ".join(message.split())
    return line if len(line) <= MAX_MESSAGE else line[:MAX_MESSAGE] + "…"
