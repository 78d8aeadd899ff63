"""What chapters cost, and so how many of them can run at a time."""

import contextlib
import math
import os
from collections.abc import Iterable

import psutil

from labsupport.pipeline.project import LabsError, Project
from labsupport.pipeline.provenance import PROVENANCE, read_provenance

__all__ = ["UNKNOWN", "default_jobs", "recorded_costs", "threads_each"]

UNKNOWN = (math.inf, 2000.0)  # seconds and megabytes of a chapter of which nothing is recorded


def recorded_costs(project: Project) -> dict[str, tuple[float, float]]:
    """Return seconds and peak megabytes of chapters by their name, as far as they are recorded."""
    with contextlib.suppress(LabsError, ValueError):  # they serve to plan, no more
        return {
            row["chapter"]: (float(row["seconds"]), float(row["peak MB"]))
            for row in read_provenance(project.book / PROVENANCE)
        }
    return {}


def default_jobs(project: Project, chapters: Iterable[str]) -> int:
    """Return how many of these chapters the cores and the free memory can take at a time."""
    costs = recorded_costs(project)
    need_mb = max((costs.get(chapter, UNKNOWN)[1] for chapter in chapters), default=1)
    return max(1, min(_num_cores(), int(psutil.virtual_memory().available / (need_mb * 1e6))))


def threads_each(num_chapters: int) -> dict[str, str]:
    """Return the variables by which chapters that run at the same time share the cores.

    More threads than cores wait for each other at the end of every operation, and those that wait
    must sleep: to spin would hold a core that another chapter needs. A chapter that runs alone
    needs no variable: the libraries take all cores by themselves, and spinning is faster.

    References
    ----------
    https://scikit-learn.org/stable/computing/parallelism.html, "oversubscription".
    """
    if num_chapters < 2:
        return {}
    threads = max(1, _num_cores() // num_chapters)
    return {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}


def _num_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
