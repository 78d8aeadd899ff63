"""The Python whose copies `labsupport.pipeline.forked` asks for.

It has one thread and one loop: programs come and go, one connection each. What is slow to import it
imports before it makes its first copy.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import struct
import sys
import tempfile
import warnings
import weakref
from collections.abc import Mapping, Sequence
from typing import NoReturn

from labsupport.pipeline.child import kill_tree

__all__ = ["Server", "user_at"]

# What a library or Python itself reads while it is imported cannot be changed afterwards. These
# variables are read when they are needed.
READ_LATE = {"JPY_PARENT_PID", "JPY_SESSION_NAME", "OLDPWD", "PATH", "PWD", "SHLVL", "TMPDIR", "_"}
READ_LATE |= {"COLUMNS", "LINES", "CUBLAS_WORKSPACE_CONFIG"}
# These are set by scikit-learn and PyTorch themselves.
READ_LATE |= {"KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK", "TORCHINDUCTOR_CACHE_DIR"}
READ_LATE_PREFIXES = ("LABS_", "PYTEST_")
LONGEST_REQUEST_S = 5.0


class Server:
    """The server and its loop.

    Parameters
    ----------
    listener
        A socket at which programs are asked for.
    preload
        Modules to import before the first copy.
    later
        Modules to import when nobody asks for a copy, once the others are there.
    """

    def __init__(self, listener: socket.socket, preload: Sequence[str], later: Sequence[str]):
        self.listener = listener
        self.preload, self.later = list(preload), list(later)
        self.environment = dict(os.environ)  # before imports change it
        self.running: dict[socket.socket, int] = {}
        self.selector = selectors.DefaultSelector()
        self.woken, self.waker = os.pipe()
        os.set_blocking(self.waker, False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self.waker, warn_on_full_buffer=False)
        for source in (sys.stdin.fileno(), self.woken, listener):
            self.selector.register(source, selectors.EVENT_READ)

    def serve(self) -> tuple[Mapping, Sequence[int]] | None:
        """Serve until whoever started the server is gone.

        Returns
        -------
        tuple or None
            In a copy of the server: what it should be, and its streams.
        """
        while True:
            is_idle = self.later and not self.preload
            events = self.selector.select(0 if is_idle else None)
            if not events:
                _import(self.later)
            for key, _ in events:
                if key.fileobj == sys.stdin.fileno():
                    for pid in self.running.values():
                        kill_tree(pid)
                    return None
                if key.fileobj == self.woken:
                    os.read(self.woken, 4096)
                    self.reap()
                elif key.fileobj is self.listener:
                    asked = self.accept()
                    if asked:
                        return asked
                elif key.fileobj in self.running:
                    self.selector.unregister(key.fileobj)
                    kill_tree(self.running[key.fileobj])  # whoever asked for it is gone

    def accept(self) -> tuple[Mapping, Sequence[int]] | None:
        """Start a program for whoever has connected; return what `serve` does."""
        connection, _ = self.listener.accept()
        streams: Sequence[int] = ()
        try:
            request, streams = _receive(connection)
            reason = _refusal(request, self.environment)
            if reason:
                _tell(connection, refused=reason)
                connection.close()
                return None
            self.import_first()
            with warnings.catch_warnings(action="ignore"):  # BLAS ends its threads for a fork
                pid = os.fork()
            if pid == 0:
                self.close(connection)
                return request, streams
            self.running[connection] = pid
            self.selector.register(connection, selectors.EVENT_READ)
            _tell(connection, pid=pid)
        except (OSError, ValueError):
            connection.close()
        for stream in streams:
            os.close(stream)
        return None

    def close(self, connection: socket.socket) -> None:
        """Close in a copy what belongs to the server."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self.selector.close()
        for held in (self.listener, connection, *self.running):
            held.close()
        os.close(self.woken)
        os.close(self.waker)

    def import_first(self) -> None:
        """Import what the first copy must have."""
        while self.preload:
            _import(self.preload)

    def reap(self) -> None:
        """Tell how each program has ended that did."""
        for connection, pid in list(self.running.items()):
            found, status, usage = os.wait4(pid, os.WNOHANG)
            if found:
                del self.running[connection]
                with contextlib.suppress(KeyError):
                    self.selector.unregister(connection)
                code = os.waitstatus_to_exitcode(status)
                _tell(connection, returncode=code, peak_memory_kb=usage.ru_maxrss)
                connection.close()


def _receive(connection: socket.socket) -> tuple[Mapping, Sequence[int]]:
    """Return what is asked for, and the streams that come with it."""
    if user_at(connection) != os.getuid():
        raise OSError("another user")
    connection.settimeout(LONGEST_REQUEST_S)
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    try:
        with connection.makefile("rb") as lines:
            request = json.loads(lines.readline())
    except (OSError, ValueError):
        for stream in streams:
            os.close(stream)
        raise
    connection.settimeout(None)
    return request, streams


def user_at(connection: socket.socket) -> int:
    """Return the number of the user at the other end: anybody may connect to an abstract name."""
    size = struct.calcsize("3i")
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    return struct.unpack("3i", found)[1]


def _import(names: list[str]) -> None:
    """Import the first of some modules, so that copies share its memory as long as they can."""
    os.environ["JPY_PARENT_PID"] = str(os.getpid())  # a kernel looks whether that still lives
    gc.disable()  # a quarter of the time of an import
    with contextlib.suppress(ImportError):  # whoever needs it will say so
        importlib.import_module(names.pop(0))
    gc.enable()
    gc.freeze()
    for finalizer in weakref.finalize._registry:  # PyTorch would take its libraries apart
        finalizer.atexit = False


def _tell(connection: socket.socket, **message: object) -> None:
    """Send a message to whoever asked for a program, who may be gone."""
    with contextlib.suppress(OSError):
        connection.sendall(json.dumps(message).encode() + b"\n")


def _refusal(request: Mapping, own: Mapping[str, str]) -> str:
    """Return why a copy of this process would not be what a new Python would be."""
    if request["python"] != sys.executable:
        return f"the server runs {sys.executable}"
    environment = request["environment"]
    for name in sorted(environment.keys() | own.keys()):
        late = name in READ_LATE or name.startswith(READ_LATE_PREFIXES)
        if not late and environment.get(name) != own.get(name):
            return f"the server has another value of {name}"
    return ""


def _become(request: Mapping, streams: Sequence[int]) -> NoReturn:
    """Be the program, in a copy of the server; end as multiprocessing ends its copies.

    What is registered to be done at the end is done. But no module is taken apart, which takes half
    a second where PyTorch is one of them.
    """
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    tempfile.tempdir = None
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()  # or all copies would draw the same
    sys.argv = [request["module"], *request["arguments"]]
    code: object = 0
    try:
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
    except SystemExit as error:
        code = error.code or 0
        if not isinstance(code, int):
            print(code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    atexit._run_exitfuncs()
    for stream in (sys.__stdout__, sys.__stderr__):
        with contextlib.suppress(OSError, ValueError):  # its reader is gone, or it is closed
            stream.flush()
    os._exit(code if isinstance(code, int) else 1)


def main() -> None:
    """Serve at a listening socket; the arguments are those that `fork_server` gives."""
    number, at_once, *modules = sys.argv[1:]
    listener = socket.socket(fileno=int(number))
    listener.set_inheritable(False)
    server = Server(listener, *(names.split(",") if names else [] for names in modules))
    if int(at_once):
        server.import_first()
    asked = server.serve()
    if asked:
        _become(*asked)


if __name__ == "__main__":
    main()
