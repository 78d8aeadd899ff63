"""Run chapters side by side, show how far they are, keep what succeeded."""

import contextlib
import json
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psutil
from tqdm import tqdm

from labsupport.pipeline.files import remove_leftovers, write_atomically
from labsupport.pipeline.kernels import kernel_environment
from labsupport.pipeline.notebooks import code_cells, read_notebook
from labsupport.pipeline.project import LabsError, Project
from labsupport.pipeline.provenance import PROVENANCE, read_provenance
from labsupport.pipeline.workers import Workers

__all__ = ["Run", "default_jobs", "read_run", "run_chapters"]

LARGEST_CHAPTER_MB = 2000  # for a book of which nothing is recorded yet


@dataclass
class Run:
    """What is known of one execution of one chapter."""

    chapter: str
    parameters: dict[str, object]
    num_cells: int
    date: str = ""
    commit: str = ""
    wall_s: float = 0.0
    peak_memory_mb: int = 0
    error: str = ""
    stand_in: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    findings: dict[str, dict] = field(default_factory=dict)
    numbers: dict[str, dict] = field(default_factory=dict)

    @property
    def lost(self) -> dict[str, str]:
        """The words of the findings that do not hold, by their names."""
        return {n: found["words"] for n, found in self.findings.items() if not found["held"]}


def run_chapters(
    project: Project,
    chapters: Sequence[str],
    *,
    parameters: Mapping[str, object],
    num_jobs: int | None = None,
) -> list[Run]:
    """Execute chapters, the longest first; a failure of one does not stop the others.

    A chapter that ran to its end lies in `project.executed` with its record, one that failed in
    `project.failed`. Nothing is ever written to the book itself.

    Raises
    ------
    LabsError
        If a parameter is not one of a chapter's.
    """
    _check_parameters(project, chapters, parameters)
    for folder in (project.executed, project.failed, project.logs):
        folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(project.executed)
    stage = project.stage("stage")
    runs = [
        Run(chapter, dict(parameters), len(code_cells(read_notebook(project.notebook(chapter)))))
        for chapter in chapters
    ]
    for run in runs:  # a run that is interrupted must not leave an older one to be blessed
        _record_path(project, run.chapter).unlink(missing_ok=True)
        (project.failed / f"{run.chapter}.ipynb").unlink(missing_ok=True)
    costs = _recorded_costs(project)
    unknown = (math.inf, LARGEST_CHAPTER_MB)
    longest_first = sorted(runs, key=lambda run: -costs.get(run.chapter, unknown)[0])
    jobs = num_jobs or default_jobs(project, chapters)
    _run_all(project, stage, longest_first, jobs)
    return runs


def _recorded_costs(project: Project) -> dict[str, tuple[float, float]]:
    """Return seconds and peak megabytes of chapters by their name, as far as they are recorded."""
    with contextlib.suppress(LabsError, ValueError):  # they serve to plan, no more
        return {
            row["chapter"]: (float(row["seconds"]), float(row["peak MB"]))
            for row in read_provenance(project.book / PROVENANCE)
        }
    return {}


def default_jobs(project: Project, chapters: Iterable[str]) -> int:
    """Return how many of these chapters the cores and the free memory can take at a time."""
    costs = _recorded_costs(project)
    unknown = (math.inf, LARGEST_CHAPTER_MB)
    need_mb = max((costs.get(chapter, unknown)[1] for chapter in chapters), default=1)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(cores or 1, int(psutil.virtual_memory().available / (need_mb * 1e6))))


def read_run(project: Project, chapter: str) -> Run:
    """Return the record of the last finished run of a chapter.

    Raises
    ------
    LabsError
        If there is none, or its record is damaged.
    """
    path = _record_path(project, chapter)
    try:
        return Run(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise LabsError(f"{chapter} has no finished run: labs run {chapter}") from None
    except (ValueError, TypeError) as error:
        raise LabsError(f"{path} is damaged; run it again: labs run {chapter}") from error


def _record_path(project: Project, chapter: str) -> Path:
    return project.executed / f"{chapter}.json"


def _check_parameters(
    project: Project, chapters: Sequence[str], parameters: Mapping[str, object]
) -> None:
    """Refuse a parameter that a chapter does not have; papermill would only mention it."""
    names = set(parameters) - {"device"}
    if not names:
        return
    import papermill

    for chapter in chapters:
        known = papermill.inspect_notebook(read_notebook(project.notebook(chapter)))
        for name in sorted(names - set(known)):
            raise LabsError(
                f"{chapter} has no parameter {name!r}; its parameters are {', '.join(known)}"
            )


def _run_all(
    project: Project,
    stage: Path,
    runs: Sequence[Run],
    num_jobs: int,
) -> None:
    """Run all chapters, at most `num_jobs` at a time, under one progress bar."""
    interactive = sys.stderr.isatty()
    bar = tqdm(
        total=sum(run.num_cells for run in runs),
        unit="cell",
        desc="running",
        mininterval=0.1 if interactive else 15,
        ncols=None if interactive else 80,
    )
    environment = kernel_environment(lambda: project.build / "home")
    with (
        bar,
        ThreadPoolExecutor(num_jobs) as threads,
        Workers(environment, copies=len(runs) > num_jobs) as workers,
    ):
        done = [threads.submit(_run_one, project, stage, run, bar, workers) for run in runs]
        try:
            for future in as_completed(done):
                future.result()
        except BaseException:  # Ctrl-C, too
            threads.shutdown(wait=False, cancel_futures=True)
            raise


def _run_one(project: Project, stage: Path, run: Run, bar: tqdm, workers: Workers) -> None:
    """Run one chapter in a worker process and put its notebook where it belongs."""
    partial = stage / f"{run.chapter}.executing.ipynb"
    shown = 0

    def tell(num_done: int) -> None:
        nonlocal shown
        bar.update(num_done - shown)
        shown = num_done

    started_at = time.perf_counter()
    outcome = workers.run(
        project.notebook(run.chapter),
        partial,
        stage / "book",
        run.parameters,
        log=project.logs / f"{run.chapter}.log",
        told=tell,
    )
    run.wall_s = time.perf_counter() - started_at
    run.date = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    run.commit = _commit(project.root)
    for name, value in outcome.items():
        setattr(run, name, value)
    if run.error:
        if partial.exists():
            os.replace(partial, project.failed / f"{run.chapter}.ipynb")
        return
    os.replace(partial, project.executed / f"{run.chapter}.ipynb")
    write_atomically(json.dumps(asdict(run), indent=1), _record_path(project, run.chapter))


def _commit(root: Path) -> str:
    """Return the commit that the book stands at, marked if files differ from it."""
    git = shutil.which("git")
    if git is None:
        return ""
    command = [git, "-C", str(root), "describe", "--always", "--dirty=+changes"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.stdout.strip()
