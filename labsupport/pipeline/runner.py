"""Run chapters side by side, show how far they are, keep what succeeded."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tqdm import tqdm

from labsupport.pipeline.costs import UNKNOWN, default_jobs, recorded_costs
from labsupport.pipeline.files import remove_leftovers, write_atomically
from labsupport.pipeline.kernels import kernel_environment
from labsupport.pipeline.notebooks import code_cells, read_notebook
from labsupport.pipeline.project import LabsError, Project
from labsupport.pipeline.workers import Workers

__all__ = ["Run", "read_run", "run_chapters"]

OUTCOME = {"error", "stand_in", "environment", "findings", "numbers", "peak_memory_mb"}


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
    scheduler: str | None = None,
) -> list[Run]:
    """Execute chapters, the longest first; a failure of one does not stop the others.

    A chapter that ran to its end lies in `project.executed` with its record, one that failed in
    `project.failed`. Nothing is ever written to the book itself.

    Parameters
    ----------
    scheduler
        The address of a Dask cluster that executes them in the place of this machine.

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
    costs = recorded_costs(project)
    longest_first = sorted(runs, key=lambda run: -costs.get(run.chapter, UNKNOWN)[0])
    jobs = num_jobs or default_jobs(project, chapters)
    with _bar(runs) as bar:
        if scheduler:
            _run_remotely(project, stage, longest_first, bar, scheduler)
        else:
            _run_here(project, stage, longest_first, bar, jobs)
    return runs


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


def _bar(runs: Sequence[Run]) -> tqdm:
    """Return one bar for all chapters."""
    interactive = sys.stderr.isatty()
    return tqdm(
        total=sum(run.num_cells for run in runs),
        unit="cell",
        desc="running",
        mininterval=0.1 if interactive else 15,
        ncols=None if interactive else 80,
    )


def _run_remotely(
    project: Project, stage: Path, runs: Sequence[Run], bar: tqdm, address: str
) -> None:
    """Run all chapters on a cluster; their executed copies come home."""
    from labsupport.pipeline.cluster import run_on_cluster
    from labsupport.pipeline.grid import read_source
    from labsupport.pipeline.tasks import make_task

    tasks = []
    for run in runs:
        source = read_source(project, run.chapter)
        texts = source.notebook, source.files
        tasks.append(make_task(run.chapter, *texts, run.parameters, keep="all"))
    for number, outcome in run_on_cluster(address)(project, tasks):
        run, partial = runs[number], _partial(stage, runs[number])
        if outcome["notebook"]:
            write_atomically(outcome["notebook"], partial)
        (project.logs / f"{run.chapter}.log").write_text(outcome["log"], encoding="utf-8")
        run.wall_s = outcome["seconds"]
        _keep(project, run, outcome, partial)
        bar.update(run.num_cells)


def _run_here(project: Project, stage: Path, runs: Sequence[Run], bar: tqdm, num_jobs: int) -> None:
    """Run all chapters on this machine, at most `num_jobs` at a time."""
    environment = kernel_environment(lambda: project.build / "home", min(num_jobs, len(runs)))
    with (
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
    partial = _partial(stage, run)
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
    _keep(project, run, outcome, partial)


def _partial(stage: Path, run: Run) -> Path:
    """Return where the copy of a chapter lies until it is known what became of it."""
    return stage / f"{run.chapter}.executing.ipynb"


def _keep(project: Project, run: Run, outcome: Mapping, partial: Path) -> None:
    """Record how a run has ended, and put its copy where it belongs."""
    run.date = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    run.commit = _commit(project.root)
    for name in OUTCOME & outcome.keys():
        setattr(run, name, outcome[name])
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
