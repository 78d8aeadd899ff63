"""Plant faults in chapters and in labsupport, one at a time, and see whether the tests notice.

    python tools/mutate.py                          every fault everywhere: hours
    python tools/mutate.py moons_mlp contract       every fault of a chapter, of a module
    python tools/mutate.py --sample 4               four faults of each, the same on every run

A chapter's fault counts as killed if a cell raises or breaks the output contract, a module's fault
if a test fails or one of two chapters that use it breaks the contract. Faults are planted in
copies. A survivor that tools/survivors.toml gives a reason for is accepted; any other makes the
exit code 1.
"""

import argparse
import csv
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from mutations import mutations
from platformdirs import user_cache_path
from tqdm import tqdm

from labsupport.pipeline.notebooks import code_cells, read_notebook, tags
from labsupport.pipeline.project import Project, find_project

REASONS = Path(__file__).with_name("survivors.toml")
# Beside test_<module>*.py, which need no mention
GUARDS = {
    "contract": ["test_regression"],
    "texts": ["test_regression"],
    "kernels": ["test_runner"],
    "execute": ["test_runner"],
    "notebooks": ["test_update"],
    "project": ["test_cli"],
    "update": ["test_locks"],
}


@dataclass
class Fault:
    """One fault, where it is planted, and what became of it.

    Attributes
    ----------
    target : str
        A chapter or a module of labsupport.
    cell : int
        Index among the chapter's code cells; -1 in a module.
    where : str
        Cell id, or function.
    source : str
        Of the cell or module with the fault.
    killed_by : str
        The cell or test that noticed, "time limit", or nothing.
    """

    target: str
    cell: int
    where: str
    kind: str
    diff: str
    source: str
    killed_by: str = ""


def faults_of_chapter(project: Project, chapter: str) -> list[Fault]:
    """Return every fault of a chapter's code, and one missing output for each cell with outputs."""
    found = []
    for index, cell in enumerate(code_cells(read_notebook(project.notebook(chapter)))):
        words_only = "measured" in tags(cell)
        found += [
            Fault(chapter, index, cell.id, made.kind, made.diff, made.source)
            for made in mutations(cell.source, is_cell=True, words_only=words_only)
        ]
        if cell.outputs:
            gone = f"- output {len(cell.outputs)}"
            found.append(Fault(chapter, index, cell.id, "deleted output", gone, cell.source))
    return found


def modules(project: Project) -> dict[str, Path]:
    """Return the files of labsupport by their names, which occur once."""
    return {path.stem: path for path in sorted((project.root / "labsupport").rglob("[!_]*.py"))}


def faults_of_module(project: Project, module: str) -> list[Fault]:
    """Return every fault of a module of labsupport."""
    source = modules(project)[module].read_text(encoding="utf-8")
    return [
        Fault(module, -1, made.where, made.kind, made.diff, made.source)
        for made in mutations(source, is_cell=False)
    ]


def tests_of(project: Project, module: str) -> list[str]:
    """Return the test files that look at a module."""
    patterns = [f"test_{module}*.py", *(f"{name}.py" for name in GUARDS.get(module, ()))]
    tests = [path for name in patterns for path in sorted((project.root / "tests").rglob(name))]
    return [str(path.relative_to(project.root)) for path in tests]


def chapters_of(project: Project, fault: Fault) -> list[str]:
    """Return the two shortest chapters that use what is faulty, or its module if none names it."""
    sources = {name: project.notebook(name).read_text("utf-8") for name in project.chapters()}
    importing = [n for n in sources if f"from labsupport.{fault.target} import" in sources[n]]
    public_name = fault.where.split(".")[0]
    naming = [name for name in importing if public_name and public_name in sources[name]]
    with (project.book / "provenance.csv").open(encoding="utf-8", newline="") as file:
        seconds = {row["chapter"]: int(row["seconds"]) for row in csv.DictReader(file)}
    return sorted(naming or importing, key=seconds.get)[:2]


def try_faults(project: Project, faults: list[Fault], told) -> None:
    """Plant the faults of one target in a copy of the book and fill in what noticed them."""
    target = faults[0].target
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        copy = Path(folder) / "book"
        ignored = shutil.ignore_patterns(".*", "_build", "__pycache__", "*.egg-info")
        shutil.copytree(project.root, copy, ignore=ignored)
        (Path(folder) / "tmp").mkdir()
        cache = user_cache_path("labsupport")
        if cache.exists():
            shutil.copytree(cache, Path(folder) / "cache" / "labsupport")
        task = {"faults": [asdict(fault) for fault in faults]}
        if faults[0].cell < 0:
            task["module"] = str(modules(project)[target].relative_to(project.root))
            task["tests"] = tests_of(project, target)
            task["chapters"] = [chapters_of(project, fault) for fault in faults]
        environment = {
            "HOME": folder,
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
            "OMP_NUM_THREADS": "1",  # threads do not survive a fork
            "OPENBLAS_NUM_THREADS": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(copy),
            "TMPDIR": str(Path(folder) / "tmp"),
            "XDG_CACHE_HOME": str(Path(folder) / "cache"),
        }
        worker = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("trial.py")],
            cwd=copy,
            env=os.environ | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        worker.stdin.write(json.dumps(task))
        worker.stdin.close()
        for line in worker.stdout:
            verdict = json.loads(line)
            faults[verdict["number"]].killed_by = verdict["killed_by"]
            told(faults[verdict["number"]])
        if worker.wait():
            raise SystemExit(f"mutate: the trial of {target} ended early, see above")


def accepted() -> dict[tuple[str, str], str]:
    """Return the reason of each survivor that is accepted, by target and change."""
    listed = tomllib.loads(REASONS.read_text(encoding="utf-8"))["survivors"]
    return {
        (entry["target"], change.strip()): entry["reason"]
        for entry in listed
        for change in entry["changes"]
    }


def report(faults: list[Fault], reasons: dict[tuple[str, str], str]) -> int:
    """Print a table of the targets and each survivor; return how many have no reason."""
    survivors = [fault for fault in faults if not fault.killed_by]
    new = [fault for fault in survivors if (fault.target, fault.diff) not in reasons]
    width = max(len(fault.target) for fault in faults)
    print(f"\n{'target':{width}}  faults  killed  accepted  survived   score")
    for target in dict.fromkeys(fault.target for fault in faults):
        planted, left, bad = (
            sum(fault.target == target for fault in group) for group in (faults, survivors, new)
        )
        counted = planted - left + bad
        score = f"{(planted - left) / counted:7.1%}" if counted else "      -"
        row = f"{planted:6}  {planted - left:6}  {left - bad:8}  {bad:8} {score}"
        print(f"{target:{width}}  {row}")
    for fault in new:
        print(f"\n{fault.target}, {fault.where}: {fault.kind}\n{fault.diff}")
    return len(new)


def report_stale(faults: list[Fault], reasons: dict[tuple[str, str], str]) -> None:
    """Name the accepted survivors of these targets that are no faults any more."""
    targets = {fault.target for fault in faults}
    existing = {(fault.target, fault.diff) for fault in faults}
    for target, diff in reasons:
        if target in targets and (target, diff) not in existing:
            print(f"\n{REASONS.name} lists a fault that {target} no longer has:\n{diff}")


def main() -> int:
    """Do what the command line says; return 1 if a fault survived without a reason."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", help="chapters and modules; all if none is named")
    parser.add_argument("--sample", type=int, metavar="N", help="only N faults of each target")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="targets at a time")
    parser.add_argument("--verdicts", type=Path, help="append each verdict as a line of JSON")
    options = parser.parse_args()
    project = find_project()
    known = [*modules(project), *project.chapters()]
    for target in options.targets:
        if target not in known:
            parser.error(f"{target!r} is neither a chapter nor a module of labsupport")
    groups = []
    for target in options.targets or known:
        make = faults_of_module if target in modules(project) else faults_of_chapter
        faults = make(project, target)
        if options.sample is not None and options.sample < len(faults):
            chosen = random.Random(f"{options.seed} {target}").sample(faults, options.sample)
            faults = sorted(chosen, key=faults.index)
        groups.append(faults)
    with tqdm(total=sum(map(len, groups)), unit="fault") as bar:

        def told(fault: Fault) -> None:
            bar.update()
            if options.verdicts:
                with options.verdicts.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(fault) | {"source": ""}) + "\n")

        with ThreadPoolExecutor(options.jobs) as pool:
            list(pool.map(lambda faults: try_faults(project, faults, told), filter(None, groups)))
    faults, reasons = [fault for group in groups for fault in group], accepted()
    if options.sample is None:
        report_stale(faults, reasons)
    return int(report(faults, reasons) > 0)


if __name__ == "__main__":
    sys.exit(main())
