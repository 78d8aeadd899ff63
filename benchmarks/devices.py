"""Run every chapter on the CPU and on a GPU, one after the other, and compare times and outputs.

The table goes into `book/assets/devices.md`.

    python benchmarks/devices.py --device cuda
"""

import argparse
import sys
from decimal import Decimal
from pathlib import Path

from nbformat import NotebookNode

from labsupport.pipeline.cli import main as labs
from labsupport.pipeline.contract import compare_outputs, units_apart
from labsupport.pipeline.notebooks import code_cells, read_notebook, tags
from labsupport.pipeline.project import Project, find_project
from labsupport.pipeline.runner import Run, read_run
from labsupport.pipeline.seals import write_sealed

HEADER = "| chapter | s on the CPU | s on the GPU | times as fast | apart by | cells that differ |"


def compare(first: NotebookNode, second: NotebookNode) -> tuple[Decimal, list[str]]:
    """Return by how many units the numbers of two runs differ, and the cells that differ in more.

    A cell differs in more if one output would not pass the test against the other. The numbers of
    `measured` cells may be any.
    """
    largest, differing = Decimal(0), []
    for old, new in zip(code_cells(first), code_cells(second), strict=True):
        measured = "measured" in tags(old)
        if compare_outputs(old.outputs, new.outputs, measured=measured):
            differing.append(old.id)
        elif not measured:
            largest = max(largest, units_apart(old.outputs, new.outputs))
    return largest, differing


def compose(runs: list[tuple[Run, Run]], results: list[tuple[Decimal, list[str]]]) -> str:
    """Return the page made of the runs of each chapter on both devices."""
    one, other = (run.environment for run in runs[0])
    lines = [f"Measured on {one['device']}, and on {other['device']}."]
    lines += ["", HEADER, "|---" + "|--:" * 4 + "|---|"]
    for (cpu, gpu), (units, differing) in zip(runs, results, strict=True):
        times = f"{cpu.wall_s:.1f}", f"{gpu.wall_s:.1f}", f"{cpu.wall_s / gpu.wall_s:.1f}"
        row = [f"{{doc}}`{cpu.chapter}`", *times, f"{units:f}", ", ".join(differing) or "none"]
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


def run_on(device: str, project: Project) -> Project:
    """Run all chapters on a device, one at a time, and return where they lie."""
    build = project.build / "devices" / device.replace(":", "-")
    command = ["run", "--no-html", "--jobs", "1", "--device", device, "--build", str(build)]
    if code := labs(command):
        sys.exit(code)
    return Project(project.root, Path(build))


def main() -> int:
    """Run, compare, write the table, return 1 if a cell differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", help="cuda or cuda:N")
    device = parser.parse_args().device
    project = find_project()
    on_gpu, on_cpu = run_on(device, project), run_on("cpu", project)
    chapters = project.chapters()
    runs = [(read_run(on_cpu, name), read_run(on_gpu, name)) for name in chapters]
    results = []
    for name in chapters:
        notebooks = [read_notebook(on.executed / f"{name}.ipynb") for on in (on_cpu, on_gpu)]
        results.append(compare(*notebooks))
    text = compose(runs, results)
    write_sealed(text, project.book / "assets" / "devices.md")
    print(text)
    return int(any(differing for _, differing in results))


if __name__ == "__main__":
    sys.exit(main())
