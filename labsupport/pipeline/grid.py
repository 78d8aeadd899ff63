"""The runs of a sweep: every combination of chapters, seeds and values of parameters."""

import hashlib
import itertools
import json
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from labsupport.pipeline.notebooks import (
    code_cells,
    code_digest,
    notebook_text,
    read_notebook,
)
from labsupport.pipeline.project import LabsError, Project
from labsupport.published import PUBLISHED

__all__ = ["PlannedRun", "Source", "plan", "read_seeds", "read_source"]

MOST_RUNS = 100_000
READ_BY_CHAPTERS = (PUBLISHED,)
PACKAGES = ("torch", "torchvision", "numpy", "scikit-learn", "scipy", "matplotlib")


@dataclass(frozen=True)
class Source:
    """A chapter as all its runs of a sweep see it, whatever happens to the file meanwhile.

    Attributes
    ----------
    chapter : str
    notebook : str
        The text of its file, without outputs.
    files : mapping from str to str
        What else chapters read in the folder of the book, by name.
    state : str
        Changes with its code, the toolkit, those files and the versions of what computes.
    """

    chapter: str
    notebook: str
    files: Mapping[str, str]
    state: str


@dataclass(frozen=True)
class PlannedRun:
    """One run of a sweep.

    Attributes
    ----------
    parameters : mapping
        All that the run changes, the seed among them.
    key : str
        The same for the same run in the same state.
    """

    chapter: str
    parameters: Mapping[str, object]
    key: str


def read_seeds(text: str) -> list[int]:
    """Return the seeds that a text such as "0-49" or "1,5,10-12" means.

    Raises
    ------
    LabsError
        If it means none, one twice, or more than a sweep may have.
    """
    seeds: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", part, re.ASCII)
        if not found:
            raise LabsError(f"--seeds {text}: {part!r} is no seed; write 0-49, or 1,5,10-12")
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first:
            raise LabsError(f"--seeds {text}: {part!r} holds no seed; write {last}-{first}?")
        if last - first >= MOST_RUNS:
            raise LabsError(
                f"--seeds {text}: {last - first + 1:,} seeds are more than {MOST_RUNS:,} runs"
            )
        seeds += range(first, last + 1)
    if len(set(seeds)) < len(seeds):
        twice = next(seed for seed in seeds if seeds.count(seed) > 1)
        raise LabsError(f"--seeds {text}: {twice} is named twice")
    return seeds


def plan(
    sources: Sequence[Source],
    seeds: Sequence[int],
    grid: Mapping[str, Sequence[object]],
    fixed: Mapping[str, object],
) -> list[PlannedRun]:
    """Return every run, seed by seed, so that an early look at the results sees all chapters.

    Parameters
    ----------
    grid
        The values of the parameters that are swept.
    fixed
        Parameters that all runs share: the device.

    Raises
    ------
    LabsError
        If a chapter lacks a parameter, or if these are too many.
    """
    for source in sources:
        known = _parameters(source)
        for name in grid:
            if name not in known:
                raise LabsError(
                    f"{source.chapter} has no parameter {name!r}; its parameters are "
                    f"{', '.join(known)}"
                )
    num_runs = len(sources) * len(seeds)
    for values in grid.values():
        num_runs *= len(values)
    if num_runs > MOST_RUNS:
        raise LabsError(f"{num_runs:,} runs are more than {MOST_RUNS:,}: sweep fewer values")
    return [
        _planned(source, dict(zip(grid, values, strict=True)) | {"seed": seed} | fixed)
        for seed in seeds
        for values in itertools.product(*grid.values())
        for source in sources
    ]


def _planned(source: Source, parameters: Mapping[str, object]) -> PlannedRun:
    """Return a run with its key."""
    key = _digest([source.chapter, source.state, parameters])[:16]
    return PlannedRun(source.chapter, parameters, key)


def _parameters(source: Source) -> list[str]:
    """Return the names that the cell of parameters assigns."""
    import nbformat
    import papermill

    return list(papermill.inspect_notebook(nbformat.reads(source.notebook, as_version=4)))


def read_source(project: Project, chapter: str) -> Source:
    """Read a chapter and what its runs depend on."""
    notebook = read_notebook(project.notebook(chapter))
    paths = [path for name in READ_BY_CHAPTERS if (path := project.book / name).exists()]
    files = {path.name: path.read_text("utf-8") for path in paths}
    state = [code_digest(notebook), _toolkit_digest(), files, _versions()]
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    return Source(chapter, notebook_text(notebook), files, _digest(state)[:16])


def _toolkit_digest() -> str:
    """Return what changes with the modules that chapters import."""
    folder = Path(__file__).parents[1]
    return _digest([path.read_text("utf-8") for path in sorted(folder.glob("*.py"))])


def _versions() -> dict[str, str]:
    """Return the versions of what computes."""
    return {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def _digest(told: object) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
