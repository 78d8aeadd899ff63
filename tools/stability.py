"""Run all chapters under settings that must not matter, and hold them against the same outputs.

    python tools/stability.py            every setting: about 5 minutes each on two cores
    python tools/stability.py "2 threads" "run twice"

Another version of PyTorch is another environment: run `pytest --nbval book/` there.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from labsupport.pipeline.notebooks import code_cells, read_notebook, tags
from labsupport.pipeline.project import Project, find_project

SETTINGS = {
    "1 thread": {"OMP_NUM_THREADS": "1"},
    "2 threads": {"OMP_NUM_THREADS": "2"},
    "without AVX": {"ATEN_CPU_CAPABILITY": "default"},
    "AVX2": {"ATEN_CPU_CAPABILITY": "avx2"},
    "Chinese locale, Kathmandu time": {"LC_ALL": "zh_CN.UTF-8", "TZ": "Asia/Kathmandu"},
}


def keeps_its_promises(
    project: Project, log: Path, *, cwd: Path, reverse: bool = False, **environment: str
) -> bool:
    """Run every chapter under pytest; leave what it says in `log`."""
    chapters = [str(project.notebook(chapter)) for chapter in project.chapters()]
    command = [sys.executable, "-m", "pytest", "--nbval", "-q"]
    command += ["--numprocesses", "2", "--dist", "loadscope"]
    command += ["--rootdir", str(project.root), "-c", str(project.root / "pyproject.toml")]
    with log.open("w", encoding="utf-8") as file:
        return not subprocess.run(
            command + (chapters[::-1] if reverse else chapters),
            cwd=cwd,
            env=os.environ | environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode


def runs_twice_alike(project: Project, log: Path) -> bool:
    """Run every chapter twice; compare what all cells show but the measured ones, byte by byte.

    What is kept beside an output, such as the times behind a finding, need not be the same.
    """
    outputs: list[dict] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in ("first", "second"):
            build = Path(folder) / name
            command = [sys.executable, "-m", "labsupport.pipeline.cli", "run", "--no-html"]
            with log.open("a", encoding="utf-8") as file:
                ran = subprocess.run(
                    [*command, "--build", str(build)],
                    cwd=project.root,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    check=False,
                )
            if ran.returncode:
                return False
            outputs.append(
                {
                    f"{chapter}, {cell.id}": json.dumps(
                        [it | {"metadata": {}} for it in cell.outputs]
                    )
                    for chapter in project.chapters()
                    for cell in code_cells(read_notebook(build / "executed" / f"{chapter}.ipynb"))
                    if "measured" not in tags(cell)
                }
            )
    first, second = outputs
    differing = [cell for cell in first if first[cell] != second[cell]]
    with log.open("a", encoding="utf-8") as file:
        print(*(f"another output in {cell}" for cell in differing), sep="\n", file=file)
    return not differing


def passes(tool: str, project: Project, log: Path) -> bool:
    """Try all chapters with another tool of this folder."""
    with log.open("w", encoding="utf-8") as file:
        return not subprocess.run(
            [sys.executable, Path(__file__).with_name(f"{tool}.py")],
            cwd=project.root,
            stdout=file,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode


def main() -> int:
    """Try the settings that the command line names, or all; return 1 if one fails."""
    project = find_project()
    root = project.root

    def check(log: Path, **options: object) -> bool:
        return keeps_its_promises(project, log, **({"cwd": root} | options))

    trials = {name: lambda log, e=e: check(log, **e) for name, e in SETTINGS.items()}
    trials["reverse order"] = lambda log: check(log, reverse=True)
    trials["another working folder"] = lambda log: check(log, cwd=Path("/"))
    trials["fake GPU"] = lambda log: passes("fake_gpu", project, log)
    trials["halved and doubled parameters"] = lambda log: passes("halve_and_double", project, log)
    trials["run twice"] = lambda log: runs_twice_alike(project, log)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("settings", nargs="*", metavar="SETTING", help=", ".join(trials))
    chosen = parser.parse_args().settings or list(trials)
    for name in chosen:
        if name not in trials:
            parser.error(f"no setting {name!r}; there are {', '.join(trials)}")
    logs = project.logs / "stability"
    logs.mkdir(parents=True, exist_ok=True)
    failed = 0
    for name in chosen:
        log = logs / f"{name}.log"
        log.unlink(missing_ok=True)
        started_at = time.perf_counter()
        passed = trials[name](log)
        failed += not passed
        verdict = "holds" if passed else f"FAILS, see {log}"
        print(f"{name:32} {time.perf_counter() - started_at:5.0f} s  {verdict}", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
