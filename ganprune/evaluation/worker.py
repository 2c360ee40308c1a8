"""One worker on this machine: a new Python process with a `LocalEvaluator`, and both ends of the pipe to it.

The process is started anew, not forked, so threads and CUDA in this one do no harm; it does not run the main
script again. It is out of reach of the terminal's Ctrl-C, and it ends at once, in the middle of whatever it
computes, when its pipe closes: when the worker is closed, or when this process is gone for any reason.
"""

import os
import pickle
import subprocess
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe
from queue import SimpleQueue
from threading import Thread
from typing import Any

from ganprune.errors import GanpruneError
from ganprune.evaluation.schedule import Member
from ganprune.evaluation.serving import Request, Server, Start, Warned, Warnings, portable
from ganprune.reporting import SILENT, Reporter
from ganprune.system.children import how_it_died, start_python, stop
from ganprune.system.device import keep_freed_memory

_PROGRAM = "import sys; from ganprune.evaluation.worker import serve; serve(int(sys.argv[1]))"


class Worker(Member):
    """This process's end of the pipe to a worker."""

    def __init__(self, name: str, reporter: Reporter = SILENT) -> None:
        """Start the process and return at once; ``name`` is for messages. reporter: gets its warnings."""
        super().__init__()
        self._name, self._reporter = name, reporter
        self.connection, theirs = Pipe()
        with theirs:
            self._process = start_python(
                "-c", _PROGRAM, str(theirs.fileno()), descriptors=[theirs.fileno()],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            )  # fmt: skip
        self.pid = self._process.pid

    def send(self, message: Start | Request) -> None:
        """Raises `GanpruneError` where the worker is dead."""
        try:
            self.connection.send_bytes(pickle.dumps(message))
        except OSError:
            raise GanpruneError(self._obituary()) from None

    def receive(self) -> Any:
        """The answer to the last message; waits for it.

        Raises what the worker raised, with its traceback as a note, and `GanpruneError` where it is dead.
        """
        try:
            while isinstance(answer := pickle.loads(self.connection.recv_bytes()), Warned):
                self._reporter.warn(f"{self._name}: {answer.message}")
        except (EOFError, OSError):
            raise GanpruneError(self._obituary()) from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """End the process, whatever it does, and wait until it is gone. May be called again."""
        self.connection.close()
        stop(self._process)

    def _obituary(self) -> str:
        """How it died. One that closed its pipe is about to end."""
        return (
            f"{self._name} (process {self.pid}) {how_it_died(self._process)}; run again to go on after the "
            "last whole generation, with fewer --workers if memory ran out"
        )


def serve(descriptor: int) -> None:
    """The whole life of a worker's process. descriptor: its end of the pipe."""
    keep_freed_memory()
    connection, messages = Connection(descriptor), SimpleQueue[bytes]()
    Thread(target=_listen, args=(connection, messages), daemon=True).start()
    server, warnings = None, Warnings()
    while True:
        answer: object = None
        try:
            message = pickle.loads(messages.get())
            if isinstance(message, Start):
                server = Server(message, warnings)
            else:
                assert server is not None
                answer = server.score(message)
        except Exception as error:
            answer = portable(error)
        with suppress(OSError):  # nobody is there any more: `_listen` ends the process
            for sent in (*warnings.taken(), answer):
                connection.send_bytes(pickle.dumps(sent))


def _listen(connection: Connection, messages: "SimpleQueue[bytes]") -> None:
    """Pass on what arrives; end the process when the pipe closes."""
    with suppress(EOFError, OSError):
        while True:
            messages.put(connection.recv_bytes())
    os._exit(0)
