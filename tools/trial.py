"""Try the faults of one target, each in a forked copy of this process; mutate.py starts it.

Reads one JSON object from stdin: `faults`, and for those of a module its file, `module`, `tests`
and, for each fault, `chapters`. Writes one JSON line with `number` and `killed_by` for each fault.
The working folder is a copy of the book, to be spoilt.
"""

import contextlib
import importlib
import json
import os
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cells import Chapter

SLOWER = 4  # a fault may make things this many times slower before it counts as noticed
SHORTEST_LIMIT_S = 20
MEMORY = 12 * 2**30
TEMPORARY = Path(os.environ["TMPDIR"])
HEAVY = (
    "matplotlib.pyplot",
    "jupyter_client",
    "papermill",
    "sklearn.datasets",
    "torchvision.datasets",
)


def try_chapter(faults: list[dict]) -> None:
    """Run the cells of a chapter in order; before each, try the faults of that cell in forks."""
    chapter = faults[0]["target"]
    trial = _start(chapter)
    started_at = time.monotonic()
    for index, cell in enumerate(trial.cells):
        own = [(number, fault) for number, fault in enumerate(faults) if fault["cell"] == index]
        snapshot = TEMPORARY.with_name("snapshot")
        if own:
            shutil.copytree(TEMPORARY, snapshot, symlinks=True)
        for number, fault in own:
            limit_s = SHORTEST_LIMIT_S + SLOWER * (time.monotonic() - started_at)
            _tell(number, _in_fork(lambda fault=fault: _notices(trial, fault), limit_s))
            if _listing(TEMPORARY) != _listing(snapshot):  # the chapter goes on as if nothing was
                _refill(TEMPORARY, snapshot)
        if own:
            shutil.rmtree(snapshot)
        problem = trial.run(index, cell.source)
        if problem:
            sys.exit(f"{chapter} breaks its promise without any fault: {problem}")


def _start(chapter: str) -> Chapter:
    """Return a chapter of which no cell has run."""
    return Chapter(Path(f"book/{chapter}.ipynb").resolve())


def _notices(trial: Chapter, fault: dict) -> str:
    """Run the faulty cell and those after it; return the first thing that is broken."""
    start = fault["cell"]
    num_promised = -1 if fault["kind"] == "deleted output" else None
    problem = trial.run(start, fault["source"], num_promised=num_promised)
    return problem or _notices_from(trial, start + 1)


def _notices_from(trial: Chapter, start: int) -> str:
    """Run the cells from `start` on; return the first thing that is broken."""
    for index in range(start, len(trial.cells)):
        problem = trial.run(index, trial.cells[index].source)
        if problem:
            return problem
    return ""


def try_module(
    faults: list[dict], module: str, tests: list[str], chapters: list[list[str]]
) -> None:
    """Write each fault into its module, then run the tests and, if they pass, chapters."""
    files = [*Path("labsupport").rglob("*.py"), *map(Path, tests)]
    text = "".join(file.read_text(encoding="utf-8") for file in files)
    for name in HEAVY:
        if name.partition(".")[0] in text:
            importlib.import_module(name)
    path = Path(module)
    sound = path.read_text(encoding="utf-8")
    started_at = time.monotonic()
    problem = _in_fork(lambda: _run_tests(tests), limit_s=3600)
    if problem:
        sys.exit(f"the tests of {module} fail without any fault: {problem}")
    limit_s = SHORTEST_LIMIT_S + SLOWER * (time.monotonic() - started_at)
    for number, fault in enumerate(faults):
        path.write_text(fault["source"], encoding="utf-8")
        problem = _in_fork(lambda: _run_tests(tests), limit_s)
        for chapter in chapters[number]:
            whole = lambda chapter=chapter: _notices_from(_start(chapter), 0)  # noqa: E731
            problem = problem or _in_fork(whole, limit_s=900)
        _tell(number, problem)
        path.write_text(sound, encoding="utf-8")
        _refill(TEMPORARY)


class _FirstFailure:
    """Remember which test failed first."""

    def __init__(self):
        self.name = ""

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.name = self.name or report.nodeid


def _run_tests(tests: list[str]) -> str:
    """Run test files up to the first failure; return what failed."""
    if not tests:
        return ""
    watch = _FirstFailure()
    code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests], plugins=[watch])
    return "" if code == pytest.ExitCode.OK else watch.name or f"pytest: {code!r}"


def _in_fork(job: Callable[[], str], limit_s: float) -> str:
    """Run `job` in a forked process and return its answer, or how the process ended."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        try:
            answer = job()
        except BaseException as error:
            answer = f"{type(error).__name__}: {error}"
        os.write(writing, answer.encode()[:1000])
        os._exit(0)
    os.close(writing)
    status = _wait(child, limit_s)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what it started, and itself beyond its time
    if status is None:
        os.waitpid(child, 0)
    os.set_blocking(reading, False)
    with os.fdopen(reading, "rb") as pipe:
        answer = (pipe.read() or b"").decode(errors="replace")
    if status is None:
        return "time limit"
    return answer or ("the process died" if status else "")


def _wait(child: int, limit_s: float) -> int | None:
    """Return the exit status of a process, or None if it is not done in time."""
    give_up_at = time.monotonic() + limit_s
    while time.monotonic() < give_up_at:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return status
        time.sleep(0.005)
    return None


def _tell(number: int, problem: str) -> None:
    """Report a verdict."""
    print(json.dumps({"number": number, "killed_by": problem}), file=_channel, flush=True)


def _listing(folder: Path) -> list[tuple]:
    """Return what tells two states of a folder apart."""
    return [
        (path.relative_to(folder), path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
    ]


def _refill(folder: Path, snapshot: Path | None = None) -> None:
    """Give a folder the contents of another, or none."""
    shutil.rmtree(folder)
    if snapshot is None:
        folder.mkdir()
    else:
        shutil.copytree(snapshot, folder, symlinks=True)


if __name__ == "__main__":
    _channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    task = json.load(sys.stdin)
    if "tests" in task:
        try_module(**task)
    else:
        try_chapter(task["faults"])
