"""Python processes that work for this one: how they are started, and what is said of one that died."""

import os
import pickle
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import TypeVar

_T = TypeVar("_T")

PATIENCE = 10.0  # seconds for a process that closed its pipe to end


def start_python(
    *arguments: str, stdin: int, stdout: int, stderr: int | None = None, descriptors: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start Python on a program, with the modules that this process finds; return at once.

    The process is out of reach of the terminal's Ctrl-C. Streams are as `subprocess.Popen` takes them;
    descriptors: of files that it inherits.
    """
    paths = [entry or str(Path.cwd()) for entry in sys.path]
    # -P: the program's own folder may hold a module called as one of Python's.
    return subprocess.Popen(
        [sys.executable, "-P", *arguments],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        stdin=stdin, stdout=stdout, stderr=stderr, pass_fds=tuple(descriptors), process_group=0,
    )  # fmt: skip


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process, whatever it does, and wait until it is gone. May be called again."""
    process.kill()
    process.wait()


def how_it_died(process: subprocess.Popen[bytes]) -> str:
    """``ended with status 1``, ``was ended by SIGKILL`` or ``no longer answers``."""
    with suppress(subprocess.TimeoutExpired):
        code = process.wait(timeout=PATIENCE)
        return f"ended with status {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
    return "no longer answers"


class ChildProcess:
    """A new Python process that calls what it is given, one call after the other.

    An executor of one process, so that its death is nobody else's. It does not run the main script again, is
    out of reach of the terminal's Ctrl-C, and ends at once, in the middle of whatever it computes, when it is
    closed or when this process is gone for any reason.
    """

    def __init__(self) -> None:
        """Start the process and return at once."""
        context = get_context("spawn")  # a fork would inherit threads and CUDA
        theirs, self._alive = context.Pipe(duplex=False)
        self._executor = ProcessPoolExecutor(1, context, _begin, (theirs,))
        main, mask = sys.modules["__main__"], signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        sys.modules["__main__"] = ModuleType("__main__")  # what is spawned imports this one's main script
        try:
            self._executor.submit(os.getpid)  # starts the process, which inherits the mask
        finally:
            sys.modules["__main__"] = main
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            theirs.close()

    def submit(self, call: Callable[..., _T], *given: object) -> Future[_T]:
        """Have it called there. The future raises `BrokenExecutor` where the process dies."""
        try:
            return self._executor.submit(call, *given)
        except BrokenExecutor as error:
            future = Future[_T]()
            future.set_exception(error)
            return future

    def close(self) -> None:
        """End the process, whatever it does, and wait until it is gone. May be called again."""
        self._alive.close()
        self._executor.shutdown()


def _begin(alive: Connection) -> None:
    """In the new process. What libraries print is not for stdout, where results go."""
    Thread(target=end_with, args=(alive,), daemon=True).start()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def end_with(alive: Connection) -> None:
    """End this process when the other end of the pipe closes; nothing more comes through it."""
    with suppress(EOFError, OSError):
        alive.recv_bytes()
    os._exit(0)


def portable(error: Exception, where: str) -> Exception:
    """The same error with its traceback as a note; if pickle does not carry it, one that tells of it."""
    error.add_note(f"in {where}:\n{traceback.format_exc()}")
    try:
        return pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
