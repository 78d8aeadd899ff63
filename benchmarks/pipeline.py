"""Time what `make book`, `make html` and `make test` do once everything is installed.

The floor of running all chapters is what each takes alone, from the start of its kernel to its
last cell, summed and shared out over the cores. The table goes into `book/assets/pipeline.md`,
which a page of the book shows. Takes about a quarter of an hour on two cores.

    python benchmarks/pipeline.py
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from nbclient import NotebookClient

from labsupport.pipeline.kernels import kernel_environment
from labsupport.pipeline.notebooks import read_notebook
from labsupport.pipeline.project import Project, find_project
from labsupport.pipeline.seals import write_sealed

BIN = Path(sys.executable).parent
MOST_OVER_FLOOR = 1.5
MOST_HTML_S = 45
MOST_TEST_S = 360


def alone_s(project: Project, chapter: str) -> float:
    """Return the seconds from the start of a chapter's kernel to its last cell."""
    resources = {"metadata": {"path": str(project.book)}}
    client = NotebookClient(
        read_notebook(project.notebook(chapter)), timeout=None, resources=resources
    )
    started_at = time.perf_counter()
    client.execute()
    return time.perf_counter() - started_at


def command_s(project: Project, command: Sequence[str]) -> float:
    """Return the seconds that a command takes; it must succeed."""
    started_at = time.perf_counter()
    subprocess.run([BIN / command[0], *command[1:]], cwd=project.root, check=True)
    return time.perf_counter() - started_at


def main() -> int:
    """Measure, write the table, return 1 if a target is missed."""
    project = find_project()
    os.environ.update(kernel_environment(lambda: project.build / "home"))
    cores = len(os.sched_getaffinity(0))
    floor_s = sum(alone_s(project, chapter) for chapter in project.chapters()) / cores
    run_s = command_s(project, ["labs", "run", "--no-html"])
    html_s = command_s(project, ["labs", "html"])
    options = "--nbval --numprocesses auto --maxprocesses 4 --dist loadscope"
    test_s = command_s(
        project, ["python", "-m", "pytest", *options.split(), "--no-loadscope-reorder"]
    )
    limits_s = {
        "all chapters": (run_s, MOST_OVER_FLOOR * floor_s),
        "the pages": (html_s, MOST_HTML_S),
        "the tests": (test_s, MOST_TEST_S),
    }
    lines = [f"Measured on {cores} cores.", ""]
    lines += ["| what | seconds | at most |", "|---|--:|--:|"]
    lines += [f"| floor: kernels and cells, over the cores | {floor_s:.0f} | – |"]
    lines += [f"| {what} | {s:.0f} | {limit_s:.0f} |" for what, (s, limit_s) in limits_s.items()]
    text = "\n".join(lines) + "\n"
    write_sealed(text, project.book / "assets" / "pipeline.md")
    print(text)
    return int(any(s > limit_s for s, limit_s in limits_s.values()))


if __name__ == "__main__":
    sys.exit(main())
