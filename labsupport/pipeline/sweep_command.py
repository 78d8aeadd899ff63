"""What `labs sweep` does with its command line."""

import argparse
from collections import Counter
from collections.abc import Sequence

from labsupport.pipeline.blessed import bless_firmness
from labsupport.pipeline.grid import plan, read_seeds, read_source
from labsupport.pipeline.locks import locked
from labsupport.pipeline.options import check_device, read_value
from labsupport.pipeline.project import LabsError, Project
from labsupport.pipeline.report import write_report
from labsupport.pipeline.results import Results
from labsupport.pipeline.sweep import Swept, run_locally, sweep

__all__ = ["sweep_command"]

MOST_ERRORS_SHOWN = 5


def sweep_command(project: Project, options: argparse.Namespace) -> int:
    """Sweep, report or bless; return 1 if a run failed."""
    chapters = project.select(options.chapters)
    if options.report or options.bless:
        with locked(project):
            _tell(project, chapters, bless=options.bless)
        return 0
    grid, seeds = _grid(options.parameters), read_seeds(options.seeds)
    check_device(options.device or "auto")
    fixed = {"device": options.device} if options.device else {}
    with locked(project):
        sources = [read_source(project, chapter) for chapter in chapters]
        runs = plan(sources, seeds, grid, fixed)
        engine = run_locally(options.jobs)
        if options.scheduler:
            from labsupport.pipeline.cluster import run_on_cluster

            engine = run_on_cluster(options.scheduler)
        swept = sweep(project, sources, runs, engine, limit_s=options.limit)
        _print_swept(project, swept)
    return int(any(record["error"] for record in swept.records))


def _tell(project: Project, chapters: Sequence[str], *, bless: bool) -> None:
    """Print, or write into the book, what the runs so far found."""
    folder = project.build / "sweep"
    sources = [read_source(project, chapter) for chapter in chapters]
    records = Results(folder).current(sources)
    if not records:
        raise LabsError("no run of these chapters as they are now is there: labs sweep CHAPTER")
    if bless:
        bless_firmness(project, records)
    else:
        print(write_report(project, records, folder))
        print(f"This report, and figures over swept parameters: {folder}")


def _grid(parameters: Sequence[Sequence[str]]) -> dict[str, list[object]]:
    """Return the values of each parameter that is swept."""
    grid: dict[str, list[object]] = {}
    for name, *texts in parameters:
        if name == "seed":
            raise LabsError("the seeds of a sweep are given by --seeds, not by -p seed")
        if not texts:
            raise LabsError(f"-p {name} has no value: write -p {name} VALUE [VALUE ...]")
        if name in grid:
            raise LabsError(f"-p {name} is given twice: write its values one after another")
        grid[name] = [read_value(text) for text in texts]
        if len(set(map(repr, grid[name]))) < len(texts):
            raise LabsError(f"-p {name} has a value twice: {' '.join(texts)}")
    return grid


def _print_swept(project: Project, swept: Swept) -> None:
    """Print one line for each chapter, then what went wrong."""
    chapters = list(dict.fromkeys(record["chapter"] for record in swept.records))
    width = max(map(len, chapters))
    print(f"\n{'chapter':{width}}  runs  failed  stand-in  findings held in every run")
    for chapter in chapters:
        records = [record for record in swept.records if record["chapter"] == chapter]
        failed = sum(bool(record["error"]) for record in records)
        stand_in = sum(bool(record["stand_in"]) for record in records)
        looked_at, held = Counter(), Counter()
        for record in records:
            for name, found in record["findings"].items():
                looked_at[name] += 1
                held[name] += found["held"]
        always = sum(held[name] == looked_at[name] for name in looked_at)
        row = f"{len(records):4}  {failed:6}  {stand_in:8}  {always} of {len(looked_at)}"
        print(f"{chapter:{width}}  {row}")
    for record in [r for r in swept.records if r["error"]][:MOST_ERRORS_SHOWN]:
        print(f"\n{record['chapter']}, {record['parameters']} failed {record['error']}")
        if record["copy"]:
            print(f"  the failed copy: {record['copy']}")
    stand_in = next((r["stand_in"] for r in swept.records if r["stand_in"]), "")
    if stand_in:
        print(f"\nSome runs used stand-in data. {stand_in}")
    for chapter in swept.edited:
        print(f"\n{chapter} was edited during the sweep; its runs are those of before: sweep again")
    folder = project.build / "sweep"
    reused = f"; runs that were there already: {swept.num_reused}" if swept.num_reused else ""
    print(f"\nThe table: {folder / 'sweep.csv'} and sweep.parquet{reused}")
    print("What they say: labs sweep --report")
