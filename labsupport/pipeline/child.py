"""Processes that end with the one that started them, however that one ends.

Their stdin is a pipe, whose other end only the parent holds. It closes when the parent is gone, by
whatever signal; then they end, and with them all that they have started.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence

import psutil

__all__ = ["end_with_parent", "kill_tree", "run_child"]

TIME_TO_FINISH_S = 10.0  # after Ctrl-C, in which pytest says what it has found so far


def run_child(command: Sequence[str], **options: object) -> int:
    """Run a program that ends with this process; return its exit code.

    Ctrl-C reaches this process alone, which tells the program and gives it time to finish.

    Parameters
    ----------
    options
        Those of `subprocess.Popen`, but for `stdin`, which is empty.
    """
    command = [sys.executable, "-m", "labsupport.pipeline.child", *command]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, **options)
    try:
        return child.wait()
    except KeyboardInterrupt:
        with contextlib.suppress(BrokenPipeError, subprocess.TimeoutExpired):
            os.write(child.stdin.fileno(), b"!")
            child.wait(TIME_TO_FINISH_S)
        raise
    finally:
        child.stdin.close()
        child.wait()


def end_with_parent() -> None:
    """Let this process end, with all that it has started, when its stdin closes."""

    def watch() -> None:
        while os.read(0, 1):  # not sys.stdin, which a thread keeps locked while Python ends
            continue
        kill_tree(os.getpid())

    threading.Thread(target=watch, daemon=True).start()


def kill_tree(pid: int) -> None:
    """Kill a process and all that it has started."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for each in (*process.children(recursive=True), process):
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()


def main() -> int:
    """Stand between a program, which the arguments are, and the process that started it."""
    program = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)

    def watch() -> None:
        while os.read(0, 1):
            program.send_signal(signal.SIGINT)
        kill_tree(program.pid)

    threading.Thread(target=watch, daemon=True).start()
    code = program.wait()
    return code if code >= 0 else 128 - code  # as a shell counts


if __name__ == "__main__":
    sys.exit(main())
