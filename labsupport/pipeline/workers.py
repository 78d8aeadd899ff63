"""Processes that execute one chapter each, and end with the process that waits for them."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from labsupport.pipeline.child import child_command, kill_tree
from labsupport.pipeline.forked import ForkedProcess, RefusedError, fork_server
from labsupport.pipeline.provisioner import kernel_server

__all__ = ["Workers"]

MODULE = "labsupport.pipeline.execute"
PRELOADED = ("papermill", "labsupport.pipeline.notebooks", "labsupport.pipeline.provisioner")


class Workers:
    """Start worker processes, follow them to their end, and end those under way when asked.

    A context, of which one instance serves any number of threads.

    Parameters
    ----------
    environment
        All variables of the workers and of their kernels.
    copies : bool
        Whether to make workers and kernels in copies of a Python that has its imports done: it
        takes seconds to make ready, and saves more than that with every chapter but the first.
    """

    def __init__(self, environment: Mapping[str, str], *, copies: bool):
        self._environment = dict(environment)
        self._copies = copies and sys.platform.startswith("linux")
        self._server = ""
        self._stack = contextlib.ExitStack()
        self._running: set[subprocess.Popen | ForkedProcess] = set()
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> "Workers":
        if self._copies:
            self._environment |= self._stack.enter_context(kernel_server(self._environment))
            self._server = self._stack.enter_context(fork_server(PRELOADED, self._environment))
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self._stack.close()

    def end(self) -> None:
        """Kill all workers under way with all that they have started; start no other."""
        with self._lock:
            self._closed = True
            for process in self._running:
                kill_tree(process.pid)

    def run(
        self,
        source: Path,
        target: Path,
        cwd: Path,
        parameters: Mapping[str, object],
        *,
        log: Path,
        told: Callable[[int], None] = lambda num_done: None,
        limit_s: float | None = None,
    ) -> dict:
        """Execute a chapter and wait for the end.

        Parameters
        ----------
        source, target
            The notebook, and where its executed copy is written.
        log
            Where the worker and its kernel complain.
        told
            Called with the number of cells done, after each.
        limit_s
            Seconds after which the worker is killed.

        Returns
        -------
        dict
            The outcome that the worker tells; only `error` if it ended before it could.
        """
        arguments = [str(source), str(target), str(cwd), json.dumps(dict(parameters))]
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb") as pipe, log.open("wb") as complaints:
            try:
                process = self._start(arguments, writing, complaints.fileno())
            finally:
                os.close(writing)
            late: list[float] = []
            timer = threading.Timer(limit_s or 0, lambda: (late.append(1), kill_tree(process.pid)))
            if limit_s:
                timer.start()
            try:
                outcome = _follow(pipe, told)
                code = process.wait()
            finally:
                timer.cancel()
                if process.stdin:
                    process.stdin.close()
                with self._lock:
                    self._running.discard(process)
        if late:
            return {"error": f"ran past its time limit of {limit_s:g} seconds"}
        if outcome is None or (code and not outcome["error"]):
            how = f"ended unexpectedly (exit code {code})"
            return {"error": f"its worker process {how}; see {log}"}
        return outcome

    def _start(self, arguments: list[str], stdout: int, stderr: int) -> object:
        """Start a worker, unless all are to end."""
        with self._lock:
            if self._closed:
                raise KeyboardInterrupt
            process = self._fork(arguments, stdout, stderr) or subprocess.Popen(
                child_command([sys.executable, "-m", MODULE, *arguments]),
                stdin=subprocess.PIPE,
                stdout=stdout,
                stderr=stderr,
                env=self._environment,
                start_new_session=True,  # Ctrl-C reaches labs alone, which then ends its workers
            )
            self._running.add(process)
            return process

    def _fork(self, arguments: list[str], stdout: int, stderr: int) -> ForkedProcess | None:
        """Start a worker in a copy, if one can be had."""
        if not self._server:
            return None
        with (
            open(os.devnull, "rb") as nowhere,
            contextlib.suppress(OSError, RefusedError),
        ):
            return ForkedProcess(
                self._server,
                MODULE,
                arguments,
                streams=[nowhere.fileno(), stdout, stderr],
                cwd=os.getcwd(),
                environment=self._environment,
            )
        return None


def _follow(pipe, told: Callable[[int], None]) -> dict | None:
    """Tell how many cells are done as the worker reports; return its outcome if it told one."""
    outcome = None
    for line in pipe:
        if not line.endswith(b"\n"):  # the worker was killed while it spoke
            break
        message = json.loads(line)
        outcome = message.get("outcome", outcome)
        if "num_done" in message:
            told(message["num_done"])
    return outcome
