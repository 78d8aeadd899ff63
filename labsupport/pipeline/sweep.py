"""Run chapters with many seeds and parameters, and keep what they find."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from tqdm import tqdm

from labsupport.pipeline.costs import default_jobs
from labsupport.pipeline.files import write_atomically
from labsupport.pipeline.grid import PlannedRun, Source, read_source
from labsupport.pipeline.kernels import kernel_environment
from labsupport.pipeline.project import Project
from labsupport.pipeline.results import Results, table_text, write_parquet
from labsupport.pipeline.tasks import make_task, run_task
from labsupport.pipeline.workers import Workers

__all__ = ["Swept", "run_locally", "sweep"]

# What executes tasks: yields the number of each with its result, as they end
Engine = Callable[[Project, Sequence[Mapping]], Iterator[tuple[int, dict]]]


@dataclass
class Swept:
    """What became of a sweep.

    Attributes
    ----------
    records : list of dict
        Of all its runs, those of earlier sweeps among them.
    num_reused : int
        How many were there already.
    edited : list of str
        Chapters that changed while it ran; its runs are those of the text before.
    """

    records: list[dict]
    num_reused: int
    edited: list[str]


def sweep(
    project: Project,
    sources: Sequence[Source],
    runs: Sequence[PlannedRun],
    engine: Engine,
    *,
    limit_s: float,
) -> Swept:
    """Do the runs that are not there yet, write each as it ends, then the table of all.

    Parameters
    ----------
    engine
        `run_locally`, or one of a cluster.
    limit_s
        Seconds that one run may take.
    """
    results = Results(project.build / "sweep")
    chapters = {source.chapter: source for source in sources}
    there = {run.key: results.read(run) for run in runs if results.has(run)}
    missing = [run for run in runs if run.key not in there]
    tasks = [
        make_task(
            run.chapter,
            chapters[run.chapter].notebook,
            chapters[run.chapter].files,
            run.parameters,
            limit_s=limit_s,
        )
        for run in missing
    ]
    write_atomically(table_text(there.values()), results.table)
    with (
        results.table.open("a", encoding="utf-8", newline="") as table,
        _bar(len(missing), there.values()) as bar,
    ):
        for number, result in engine(project, tasks):
            run = missing[number]
            record = results.keep(run, chapters[run.chapter], result)
            there[run.key] = record
            table.write(table_text([record], header=False))
            table.flush()
            bar.tell(record)
    records = [there[run.key] for run in runs]
    write_atomically(table_text(records), results.table)
    edited = [name for name, s in chapters.items() if read_source(project, name).state != s.state]
    write_parquet(records, results.parquet)
    return Swept(records, len(runs) - len(missing), edited)


class _Bar(tqdm):
    """Shows how far a sweep is, with the count of findings that held."""

    held = findings = failed = 0

    def count(self, record: Mapping) -> None:
        """Count the findings of a run."""
        self.findings += len(record["findings"])
        self.held += sum(found["held"] for found in record["findings"].values())
        self.failed += bool(record["error"])

    def tell(self, record: Mapping) -> None:
        """Count a run that has just ended, and show it."""
        self.count(record)
        failed = f", {self.failed} failed" if self.failed else ""
        self.set_postfix_str(f"held {self.held} of {self.findings}{failed}", refresh=False)
        self.update()


def _bar(num_runs: int, there: Iterable[Mapping]) -> _Bar:
    """Return the bar of a sweep that lacks some runs."""
    interactive = sys.stderr.isatty()
    bar = _Bar(
        total=num_runs,
        unit="run",
        desc="sweeping",
        mininterval=0.1 if interactive else 15,
        ncols=None if interactive else 100,
    )
    for record in there:
        bar.count(record)
    return bar


def run_locally(num_jobs: int | None = None) -> Engine:
    """Return an engine of processes on this machine, as many as its cores and memory allow."""

    def run(project: Project, tasks: Sequence[Mapping]) -> Iterator[tuple[int, dict]]:
        jobs = num_jobs or default_jobs(project, {task["chapter"] for task in tasks})
        environment = kernel_environment(lambda: project.build / "home", min(jobs, len(tasks)))
        with (
            ThreadPoolExecutor(jobs) as threads,
            Workers(environment, copies=len(tasks) > jobs) as workers,
        ):
            waiting = iter(enumerate(tasks))
            under_way: dict[Future, int] = {}
            try:
                while True:
                    while len(under_way) < jobs and (task := next(waiting, None)):
                        under_way[threads.submit(run_task, task[1], workers)] = task[0]
                    if not under_way:
                        return
                    for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                        yield under_way.pop(future), future.result()
            finally:  # Ctrl-C, or whoever asked wants no more
                workers.end()

    return run
