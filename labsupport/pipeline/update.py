"""Bless the outputs of a run: copy them into the book, and record where they come from."""

import itertools
import sys
from collections.abc import Iterator, Sequence

from nbformat import NotebookNode

from labsupport.pipeline.contract import compare_outputs, describe_outputs
from labsupport.pipeline.files import remove_leftovers, write_together
from labsupport.pipeline.lint import refuse_broken_rules
from labsupport.pipeline.locks import book_locked
from labsupport.pipeline.notebooks import (
    NotebookError,
    code_cells,
    notebook_text,
    read_notebook,
    tags,
    transplant_outputs,
)
from labsupport.pipeline.project import LabsError, Project
from labsupport.pipeline.provenance import PROVENANCE, provenance_text, read_provenance
from labsupport.pipeline.runner import Run, read_run
from labsupport.pipeline.seals import seal_run

__all__ = ["update_chapters"]

LONGEST_SHOWN = 1000  # characters of a line; an output can have millions


def update_chapters(project: Project, chapters: Sequence[str]) -> None:
    """Copy outputs and execution counts of the executed copies into the book, and nothing else.

    All chapters are checked before the first is written; what changes is printed before. All new
    files are on disk before the first takes the place of an old one.

    Raises
    ------
    LabsError
        If a run failed, used stand-in data or changed parameters, left a cell unexecuted or
        outputs that break the rules of the book, or if a chapter was edited since; or if another
        update is at work.
    """
    with book_locked(project):
        _update(project, chapters)


def _update(project: Project, chapters: Sequence[str]) -> None:
    """Check all chapters, print what changes, write."""
    runs = [read_run(project, chapter) for chapter in chapters]
    blessed = [_blessed(project, run) for run in runs]
    for run, notebook in zip(runs, blessed, strict=True):
        committed = read_notebook(project.notebook(run.chapter))
        changes = list(_changes(committed, notebook))
        print(f"{run.chapter}: {len(changes)} of {run.num_cells} cells change")
        for change in changes:
            print(change)
    sys.stdout.flush()  # if nobody can read what changes, nothing must
    remove_leftovers(project.book)
    texts = {
        project.notebook(run.chapter): notebook_text(notebook)
        for run, notebook in zip(runs, blessed, strict=True)
    }
    rows = _provenance_rows(project, runs, blessed)
    write_together(texts | {project.book / PROVENANCE: provenance_text(rows)})


def _blessed(project: Project, run: Run) -> NotebookNode:
    """Return the committed chapter with the outputs of its run, or refuse."""
    refusal = f"{run.chapter} is not updated: "
    if run.error:
        raise LabsError(f"{refusal}its run failed {run.error}")
    if run.stand_in:
        raise LabsError(f"{refusal}its run used stand-in data. {run.stand_in}")
    changed = {name: value for name, value in run.parameters.items() if name != "device"}
    if changed:
        raise LabsError(f"{refusal}its run changed parameters: {changed}. Run it without -p.")
    notebook = read_notebook(project.notebook(run.chapter))
    try:
        executed = read_notebook(project.executed / f"{run.chapter}.ipynb")
        transplant_outputs(executed, notebook)
    except NotebookError as error:
        raise LabsError(f"{refusal}{error}; run it again: labs run {run.chapter}") from error
    if any(cell.execution_count is None for cell in code_cells(notebook)):
        raise LabsError(f"{refusal}its run left a cell unexecuted")
    try:
        refuse_broken_rules(notebook, chapter=run.chapter, root=project.root)
    except NotebookError as error:
        raise LabsError(f"{refusal}{error}") from error
    return notebook


def _changes(committed: NotebookNode, blessed: NotebookNode) -> Iterator[str]:
    """Yield, for each cell whose outputs change, what a reader will see differently."""
    for number, (old, new) in enumerate(
        zip(code_cells(committed), code_cells(blessed), strict=True), start=1
    ):
        if old.outputs == new.outputs and old.execution_count == new.execution_count:
            continue
        if old.execution_count is None:
            what = [f"first outputs: {describe_outputs(new.outputs)}"]
        else:
            what = compare_outputs(old.outputs, new.outputs, measured="measured" in tags(new))
        lines = itertools.chain.from_iterable(paragraph.splitlines() for paragraph in what)
        shown = [f"    {line[:LONGEST_SHOWN]}" for line in lines]
        text = "\n".join(shown) or "    within the contract"
        yield f"  cell {number} ({new.id})\n{text}"


def _provenance_rows(
    project: Project, runs: Sequence[Run], blessed: Sequence[NotebookNode]
) -> list[dict[str, str]]:
    """Replace the rows of these chapters, in the order of the table of contents."""
    rows = {row["chapter"]: row for row in read_provenance(project.book / PROVENANCE)}
    for run, notebook in zip(runs, blessed, strict=True):
        row = _provenance(run)
        rows[run.chapter] = row | {"seal": seal_run(row, notebook)}
    return [rows[chapter] for chapter in project.chapters() if chapter in rows]


def _provenance(run: Run) -> dict[str, str]:
    """Return the row that says where the outputs of a run come from."""
    titles = {
        "device": "",
        "driver": "driver ",
        "cuda": "CUDA ",
        "python": "Python ",
        "torch": "PyTorch ",
    }
    recorded = ((title, run.environment.get(key)) for key, title in titles.items())
    seed = run.environment.get("seed", "unknown")
    return {
        "chapter": run.chapter,
        "run": f"{run.date}, commit {run.commit or 'unknown'}, seed {seed}",
        "machine": ", ".join(f"{title}{value}" for title, value in recorded if value),
        "seconds": f"{run.wall_s:.0f}",
        "peak MB": str(run.peak_memory_mb),
    }
