"""Halve and double each numeric parameter of chapters, alone, and tell how each run ends.

    python tools/halve_and_double.py              all chapters
    python tools/halve_and_double.py CHAPTER      one of them

A run may end, whatever its findings then say, or refuse the value: with an error that names the
parameter and what is accepted. It is kept as those of a sweep are, and not repeated while the
chapter stays as it is.
"""

import argparse
import ast
import re
import sys
from collections.abc import Iterator, Mapping, Sequence

import nbformat
import papermill

from labsupport.pipeline.grid import PlannedRun, Source, plan, read_source
from labsupport.pipeline.project import Project, find_project
from labsupport.pipeline.sweep import run_locally, sweep

LONGEST_RUN_S = 600
SEED = 0


def changed_values(source: Source) -> Iterator[tuple[str, float]]:
    """Yield each numeric parameter with half its value, then with twice its value."""
    for name, known in papermill.inspect_notebook(
        nbformat.reads(source.notebook, as_version=4)
    ).items():
        value = ast.literal_eval(known["default"])
        if name == "seed" or isinstance(value, bool) or not isinstance(value, int | float):
            continue
        yield name, value // 2 if isinstance(value, int) else value / 2
        yield name, 2 * value


def planned(source: Source) -> list[PlannedRun]:
    """Return the runs of a chapter in which one parameter has another value."""
    return [
        run
        for name, value in changed_values(source)
        for run in plan([source], [SEED], {name: [value]}, {})
    ]


def outcome_of(record: Mapping) -> tuple[bool, str]:
    """Return whether a run ended as it may, and how in words."""
    (name,) = record["parameters"].keys() - {"seed"}
    if not record["error"]:
        lost = [finding for finding, found in record["findings"].items() if not found["held"]]
        held = f"held {len(record['findings']) - len(lost)} of {len(record['findings'])}"
        return not record["stand_in"], f"{held}{', not ' if lost else ''}{', '.join(lost)}"
    refused = re.search(rf"ValueError: {name} is .*: give .*", record["error"])
    return bool(refused), refused[0] if refused else f"FAILS {record['error']}"


def try_chapters(project: Project, names: Sequence[str]) -> list[tuple[PlannedRun, Mapping]]:
    """Run chapters with each parameter halved and doubled; give the runs with their records."""
    sources = [read_source(project, name) for name in project.select(names)]
    runs = [run for source in sources for run in planned(source)]
    swept = sweep(project, sources, runs, run_locally(), limit_s=LONGEST_RUN_S)
    return list(zip(runs, swept.records, strict=True))


def main() -> int:
    """Try the chapters that the command line names, or all; return 1 if a run fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapters", nargs="*", metavar="CHAPTER")
    failed = 0
    for run, record in try_chapters(find_project(), parser.parse_args().chapters):
        passed, words = outcome_of(record)
        failed += not passed
        ((name, value),) = [item for item in run.parameters.items() if item[0] != "seed"]
        print(f"{run.chapter:26} {name} = {value:<8g} {record['seconds']:5.1f} s  {words}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
