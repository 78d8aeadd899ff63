"""Programs that end with the process that started them, however that one ends.

Between the two stands this module, as a process of its own. Its stdin is a pipe, whose other end
only the parent holds. When the pipe closes, the parent is gone, by whatever signal; then the
program is killed with all that it has started.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

import psutil

__all__ = ["child_command", "kill_tree", "run_child"]

STILL = {psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}
TIME_TO_FINISH_S = 10.0  # after Ctrl-C, in which pytest says what it has found so far


def child_command(command: Sequence[str]) -> list[str]:
    """Return the command that runs a program until its stdin, a pipe, is closed."""
    return [sys.executable, "-m", "labsupport.pipeline.child", *command]


def run_child(command: Sequence[str], **options: object) -> int:
    """Run a program that ends with this process; return its exit code.

    Ctrl-C reaches this process alone, which tells the program and gives it time to finish.

    Parameters
    ----------
    options
        Those of `subprocess.Popen`, but for `stdin`, which is empty.
    """
    child = subprocess.Popen(
        child_command(command), stdin=subprocess.PIPE, start_new_session=True, **options
    )
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


def kill_tree(pid: int) -> None:
    """Kill a process and all that it has started."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        process.suspend()  # or it could start another one that is not on the list
        while process.status() not in STILL:  # it stops when its turn comes
            time.sleep(0.001)
        for child in process.children():
            kill_tree(child.pid)
        process.kill()


def main() -> int:
    """Stand between a program, which the arguments are, and the process that started it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # in the background a shell has it ignored
    program = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)

    def watch() -> None:
        while os.read(0, 1):  # not sys.stdin, which a thread keeps locked while Python ends
            program.send_signal(signal.SIGINT)
        kill_tree(program.pid)

    threading.Thread(target=watch, daemon=True).start()
    code = program.wait()
    return code if code >= 0 else 128 - code  # as a shell counts


if __name__ == "__main__":
    sys.exit(main())
