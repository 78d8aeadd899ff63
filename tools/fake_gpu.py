"""Run chapters on a fake GPU, and hold them against the committed outputs.

Whoever has no GPU can find here most of what would fail on one.

    python tools/fake_gpu.py                       every chapter
    python tools/fake_gpu.py softmax_regression
"""

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import torch
from fake_device import FAKE_GPU, FakeGPU

from labsupport.pipeline.project import Project, find_project


def problems_of(project: Project, chapter: str) -> list[str]:
    """Run a chapter in this process; return what each cell breaks, the first thing only."""
    from cells import Chapter

    running = Chapter(project.notebook(chapter))  # first, or its figures go nowhere

    from labsupport import lab
    from labsupport.device import describe_device

    torch.inference_mode = torch.no_grad  # it would hide what operators are made of
    lab.choose_device = lambda name: FAKE_GPU
    lab.describe_device = lambda device: describe_device("cpu")
    with FakeGPU():
        found = [running.run(i, cell.source) for i, cell in enumerate(running.cells)]
    return [problem for problem in found if problem]


def in_own_process(project: Project, chapter: str) -> list[str]:
    """Return what `problems_of` does, from a process that sees no other chapter."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(problems_of, project, chapter).result()


def main() -> int:
    """Run the chapters that the command line names, or all; return 1 if one breaks its promise."""
    project = find_project()
    known = project.chapters()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapters", nargs="*", metavar="CHAPTER", help=", ".join(known))
    chosen = parser.parse_args().chapters or known
    for chapter in chosen:
        if chapter not in known:
            parser.error(f"no chapter {chapter!r}; there are {', '.join(known)}")
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    failed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        trials = [pool.submit(in_own_process, project, chapter) for chapter in chosen]
        for chapter, trial in zip(chosen, trials, strict=True):
            problems = trial.result()
            failed += bool(problems)
            print(f"{chapter:32} {'FAILS' if problems else 'holds'}", flush=True)
            for problem in problems:
                print(f"  {problem}", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
