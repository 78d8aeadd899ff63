"""Programs in copies of a Python that has imported what is slow to import.

`fork_server` starts that Python, `ForkedProcess` asks it for programs. A copy is a process of its
own, made in hundredths of a second where a new Python with PyTorch takes seconds. It ends with
whoever asked for it, however that one ends: their connection closes then, and the copy is killed
with all that it has started.

References
----------
https://docs.python.org/3/library/multiprocessing.html#contexts-and-start-methods, "forkserver": the
same idea for functions. There a copy knows that it is one, and a kernel must not.
"""

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from labsupport.pipeline.forkserver import user_at

__all__ = ["ForkedProcess", "RefusedError", "fork_server"]


class RefusedError(Exception):
    """The server cannot make the program that was asked for."""


@contextlib.contextmanager
def fork_server(
    preload: Sequence[str],
    environment: Mapping[str, str],
    *,
    later: Sequence[str] = (),
    at_once: bool = True,
) -> Iterator[str]:
    """Run a server for the time of the context; give its address.

    Parameters
    ----------
    preload
        Modules that it imports before it makes its first copy.
    later
        Modules that it imports afterwards, when nobody asks for a copy.
    at_once
        Begin with the imports now, not when somebody first asks for a copy.
    environment
        Its variables, which its programs must share but for those that are read late.
    """
    address = f"labs-{uuid.uuid4()}"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0{address}")
        listener.listen()
        command = [sys.executable, "-P", "-m", "labsupport.pipeline.forkserver"]
        command += [str(listener.fileno()), str(int(at_once)), ",".join(preload), ",".join(later)]
        server = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # closes with this process
            pass_fds=[listener.fileno()],
            env=environment,
            start_new_session=True,
            cwd="/",
        )
    try:
        yield address
    finally:
        server.stdin.close()
        server.wait()


class ForkedProcess:
    """A program in a copy of the server, with the interface of `subprocess.Popen`.

    Parameters
    ----------
    address
        Of the server.
    module
        To be run as `python -m` does.
    arguments
        Its command line.
    streams
        File descriptors of its stdin, stdout and stderr.
    environment
        All its variables.

    Attributes
    ----------
    peak_memory_kb : int
        Largest resident size, known when the process has ended.

    Raises
    ------
    RefusedError
        If the server is another user's, another Python, or has imported its modules under other
        variables of the environment.
    OSError
        If there is no such server.
    """

    stdin = stdout = stderr = None

    def __init__(
        self,
        address: str,
        module: str,
        arguments: Sequence[str],
        *,
        streams: Sequence[int],
        cwd: str | Path,
        environment: Mapping[str, str],
    ):
        self.args = [module, *arguments]
        self.returncode: int | None = None
        self.peak_memory_kb = 0
        request = {
            "module": module,
            "arguments": list(arguments),
            "cwd": str(Path(cwd).absolute()),
            "environment": dict(environment),
            "python": sys.executable,
        }
        self._server = socket.socket(socket.AF_UNIX)
        try:
            self._server.connect(f"\0{address}")
            if user_at(self._server) != os.getuid():
                raise RefusedError("the server belongs to another user")
            socket.send_fds(self._server, [b"3"], streams)
            self._server.sendall(json.dumps(request).encode() + b"\n")
            self._messages = self._server.makefile("rb")
            answer = self._read()
            if "pid" not in answer:
                raise RefusedError(answer.get("refused", "the server has ended"))
        except BaseException:
            self._server.close()
            raise
        self.pid: int = answer["pid"]

    def _read(self) -> dict:
        """Return the next message; that the process was killed if the server is gone."""
        line = self._messages.readline()
        return json.loads(line) if line.endswith(b"\n") else {"returncode": -signal.SIGKILL}

    def poll(self) -> int | None:
        """Return the exit code, negative after a signal, or None while the process runs."""
        if self.returncode is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._server, selectors.EVENT_READ)
                if selector.select(0):
                    self.wait()
        return self.returncode

    def wait(self) -> int:
        """Wait for the end; return the exit code."""
        if self.returncode is None:
            end = self._read()
            self.peak_memory_kb = end.get("peak_memory_kb", 0)
            self.returncode = end["returncode"]
            self._messages.close()
            self._server.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal if the process still runs."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)
