"""The one place where an exception becomes one line on stderr and an exit code."""

import errno
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import NoReturn, ParamSpec, TypeGuard, cast

import typer

P = ParamSpec("P")

INTERRUPTED = 130
TERMINATED = 128 + signal.SIGTERM
GONE = 128 + 13  # what shells say of a program whose reader is gone (SIGPIPE)
_OF_DISKS = frozenset((errno.EIO, errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ESTALE))
"""What a file system says that is damaged, gone, or cannot flush or lock files."""


class Terminated(KeyboardInterrupt):
    """SIGTERM, which `kill`, schedulers and containers send: it ends a command as Ctrl-C does."""


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """Turn what a command raises into a line that helps.

    Exit codes: 0 done; 1 failed; 2 usage; 3 input not understood; 4 a target or a verification was missed
    (results are still written); 130 interrupted; 141 the reader of a pipe is gone; 143 ended by SIGTERM.
    GANPRUNE_DEBUG=1 shows the traceback as well.
    """

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        main = threading.current_thread() is threading.main_thread()  # no other one may set handlers
        if main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, _terminate)
        watching = main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if watching:
            signal.signal(signal.SIGINT, _interrupt)
        try:
            for name, value in kwargs.items():
                kwargs[name] = _fetched(value, bool(kwargs.get("quiet")))
            command(*args, **kwargs)
        except (KeyboardInterrupt, Exception) as error:
            if isinstance(error, typer.Exit):
                raise
            from ganprune.errors import GanpruneError

            if os.environ.get("GANPRUNE_DEBUG") and not isinstance(error, KeyboardInterrupt):
                raise
            interrupted = signal.getsignal(signal.SIGINT) is signal.default_int_handler
            if watching and interrupted and not isinstance(error, GanpruneError):
                error = KeyboardInterrupt()  # which a library's import has turned into an error of its own
            raise failed(error) from None
        finally:
            if watching:
                signal.signal(signal.SIGINT, signal.default_int_handler)

    return run


def failed(error: BaseException) -> typer.Exit:
    """Print the line that says what happened, and return what to raise."""
    line, code = _explain(error)
    if code == GONE:
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - nobody reads what is still to be flushed
        return typer.Exit(code)
    if code in (INTERRUPTED, TERMINATED):
        typer.echo(err=True)  # after whatever the line of progress has come to
    print_error(_one_line(line), code)
    return typer.Exit(code)


def print_error(line: str, code: int) -> None:
    """The last line on stderr: with --json an object, which stdout may hold a result beside."""
    if "--json" in sys.argv:
        line = json.dumps({"schema": 1, "error": line.removeprefix("error: "), "exit_code": code})
    else:
        from ganprune_cli.console import flowed

        line = flowed(line, sys.stderr)
    typer.echo(line, err=True)


def _fetched(value: object, quiet: bool) -> object:
    """An argument with the local path in the place of each address at Hugging Face."""
    if isinstance(value, list | tuple):
        several = cast(Sequence[object], value)
        return type(value)(_fetched(one, quiet) for one in several)
    from ganprune.system.hub import is_address, local

    if not isinstance(value, Path) or not is_address(value):
        return value
    from ganprune_cli.console import ConsoleReporter

    return local(value, ConsoleReporter(quiet))


def code_of(interrupt: KeyboardInterrupt) -> int:
    """The exit code of a command that was interrupted."""
    return TERMINATED if isinstance(interrupt, Terminated) else INTERRUPTED


def invocation() -> str:
    """The command line that is running, as one can type it again."""
    from ganprune.system.shell import command_line

    return command_line(*sys.argv[1:])


def _interrupt(number: int, frame: object) -> NoReturn:
    signal.signal(number, signal.default_int_handler)  # which tells that it came, whatever becomes of it
    raise KeyboardInterrupt


def _terminate(number: int, frame: object) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)  # `timeout` sends it twice; the first one is being followed
    raise Terminated


def _interrupted(error: BaseException | None) -> KeyboardInterrupt | None:
    """The Ctrl-C or SIGTERM behind it, if any: some imports turn one into an error of their own."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return error
        error = error.__cause__ or error.__context__
    return None


def _explain(error: BaseException) -> tuple[str, int]:
    if cause := _interrupted(error):
        return f"interrupted; to go on, run again: {invocation()}", code_of(cause)
    from ganprune.errors import GanpruneError
    from ganprune.system.failures import device_lost, out_of_memory

    if isinstance(error, GanpruneError):
        return f"error: {error}", error.exit_code
    if out_of_memory(error):
        return (
            "error: out of memory; close other programs and run the same command again, which keeps what was "
            "saved, or use a smaller --size, fewer --workers, or --set pictures=4"
        ), 1
    if device_lost(error):
        told = str(error).partition("\n")[0]
        return f"error: the GPU failed ({told}); once it answers again, run again: {invocation()}", 1
    if isinstance(error, BrokenPipeError):  # of `| head`: whoever read has seen enough
        return "", GONE
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"error: {where}{_system(error)}", 2 if isinstance(error, NotADirectoryError) else 1
    if isinstance(error, UnicodeError) and _surrogates(error):
        return (
            f"error: {ascii(error.object)[:300]}: names of files and folders must be UTF-8 for this, found "
            "other bytes; rename it"
        ), 2
    if "Too many open files" in str(error):  # native code says it in errors of its own
        return f"error: {_system(OSError(errno.EMFILE, 'Too many open files'))}", 1
    line = f"internal error: {type(error).__name__}: {str(error)[:300]}; set GANPRUNE_DEBUG=1 to see where"
    return f"{line}, and please report it", 1


def _system(error: OSError) -> str:
    """What the system says, and what to do where it is about writing."""
    told = f"{error.strerror or error}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        limit = "the disk is full" if error.errno == errno.ENOSPC else told
        return f"{limit}; free some space and run again: {invocation()}"
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return f"{told}; allow more (`ulimit -n`), or use fewer --workers, and run again: {invocation()}"
    if error.errno == errno.ENAMETOOLONG:
        return f"{told}; use a shorter path"
    if error.errno in _OF_DISKS:
        return f"{told}; look at the disk, or use `-o` a folder on another one"
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return f"{told}; ganprune must be able to read and write here, or use `-o` another folder"
    return told


def _surrogates(error: UnicodeError) -> TypeGuard[UnicodeEncodeError]:
    """Whether a name that is no UTF-8, which Python holds by surrogates, was to be written down."""
    return isinstance(error, UnicodeEncodeError) and any("\ud800" <= c <= "\udfff" for c in error.object)


def _one_line(text: str) -> str:
    """As it may be shown: without line ends, and without letters of a file that steer a terminal."""
    return "".join(letter if letter.isprintable() else "�" for letter in " ".join(text.splitlines()))
