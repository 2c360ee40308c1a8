"""The one place where an exception becomes one line on stderr and an exit code."""

import errno
import os
import shlex
import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import typer

P = ParamSpec("P")

INTERRUPTED = 130


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """Turn what a command raises into a line that helps.

    Exit codes: 0 done; 1 failed; 2 usage; 3 input not understood; 4 a target or a verification was missed
    (results are still written); 130 interrupted. GANPRUNE_DEBUG=1 shows the traceback as well.
    """

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except (KeyboardInterrupt, Exception) as error:
            if isinstance(error, typer.Exit):
                raise
            if os.environ.get("GANPRUNE_DEBUG") and not isinstance(error, KeyboardInterrupt):
                raise
            line, code = _explain(error)
            typer.echo(line, err=True)
            raise typer.Exit(code) from None

    return run


def invocation() -> str:
    """The command line that is running, as one can type it again."""
    return shlex.join(["ganprune", *sys.argv[1:]])


def _interrupted(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind it: some imports turn one into an error of their own."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def _explain(error: BaseException) -> tuple[str, int]:
    if _interrupted(error):
        return f"\ninterrupted; to go on, run again: {invocation()}", INTERRUPTED
    from ganprune.errors import GanpruneError

    if isinstance(error, GanpruneError):
        return f"error: {error}", error.exit_code
    if isinstance(error, MemoryError) or _is_torch_out_of_memory(error):
        return "error: out of memory; use a smaller --size, or fewer --pictures", 1
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        if error.errno == errno.ENOSPC:
            return f"error: {where}the disk is full; free some space and run again: {invocation()}", 1
        return f"error: {where}{error.strerror or error}", 1
    text = " ".join(str(error).split())[:300]
    line = f"internal error: {type(error).__name__}: {text}; set GANPRUNE_DEBUG=1 to see where"
    return f"{line}, and please report it", 1


def _is_torch_out_of_memory(error: BaseException) -> bool:
    """Torch raises a class of its own on a GPU, and a bare RuntimeError on a CPU."""
    return type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)
