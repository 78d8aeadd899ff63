"""Read, clean and write the notebooks that are the chapters of the book."""

import ast
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from labsupport.pipeline.files import write_atomically
from labsupport.pipeline.project import LabsError

__all__ = [
    "NotebookError",
    "cell_findings",
    "clean_execution",
    "code_cells",
    "code_digest",
    "environment",
    "findings",
    "notebook_text",
    "numbers",
    "read_notebook",
    "stand_in_reason",
    "tags",
    "transplant_outputs",
    "write_notebook",
]


class NotebookError(LabsError):
    """A notebook is not what it should be; the message says which one and why."""


def read_notebook(path: Path) -> NotebookNode:
    """Read a notebook.

    Raises
    ------
    NotebookError
        If the file is missing or is not a notebook of format 4 whose cells all have their own id.
    """
    try:
        text = path.read_text(encoding="utf-8")
        _check_format(json.loads(text))
        notebook = nbformat.reads(text, as_version=4)
        nbformat.validate(notebook)
    except OSError as error:
        raise NotebookError(f"cannot read {path}: {error.strerror}") from error
    except (
        ValueError,
        TypeError,
        AttributeError,
        KeyError,
        RecursionError,
        nbformat.ValidationError,
    ) as error:
        first_line = str(error).strip().splitlines()[0][:200]
        raise NotebookError(f"{path} is not a valid notebook: {first_line}") from error
    return notebook


def _check_format(raw: object) -> None:
    """Refuse what nbformat would silently convert, or give new ids at each reading."""
    if not isinstance(raw, dict):
        raise ValueError("it is not a JSON object")
    if raw.get("nbformat") != 4:
        raise ValueError(f"its nbformat is {raw.get('nbformat')!r}, not 4: save it from Jupyter")
    ids = [cell.get("id") for cell in raw.get("cells", [])]
    for number, cell_id in enumerate(ids, start=1):
        if cell_id is None:
            raise ValueError(f"cell {number} of all has no id: give it one (nbformat 4.5)")
        if cell_id in ids[: number - 1]:
            raise ValueError(f"two cells have the id {cell_id!r}: give each its own")


def notebook_text(notebook: NotebookNode) -> str:
    """Return what a file holds for this notebook."""
    return nbformat.writes(notebook) + "\n"


def write_notebook(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook so that a reader sees the old file or the new one, never a part."""
    write_atomically(notebook_text(notebook), path)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Return the code cells in order; number them from 1 when speaking of them."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell: NotebookNode) -> list[str]:
    """Return the tags of a cell."""
    return list(cell.metadata.get("tags", []))


def code_digest(notebook: NotebookNode) -> str:
    """Return what changes with the code of a chapter, and not with its text or its outputs."""
    told = [[cell.id, cell.source, tags(cell)] for cell in code_cells(notebook)]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def stand_in_reason(outputs: Sequence[NotebookNode]) -> str:
    """Return why a run used stand-in data, as its outputs say; an empty string if it did not."""
    return next((found["stand_in"] for found in _marks(outputs) if "stand_in" in found), "")


def environment(notebook: NotebookNode) -> dict[str, str]:
    """Return what the chapter's closing cell recorded about device, versions and seed."""
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    return next((found["environment"] for found in _marks(outputs) if "environment" in found), {})


def findings(notebook: NotebookNode) -> dict[str, NotebookNode]:
    """Return the records of what a run found, by name: name, words, held, numbers."""
    cells = code_cells(notebook)
    return {found["name"]: found for cell in cells for found in cell_findings(cell)}


def cell_findings(cell: NotebookNode) -> list[NotebookNode]:
    """Return the records of what a cell found, in their order."""
    return [found["finding"] for found in _marks(cell.outputs) if "finding" in found]


def numbers(notebook: NotebookNode) -> dict[str, dict]:
    """Return the raw `value` and the printed `text` of each number that texts quote, by name."""
    return {
        mark["number"]["name"]: {
            "value": mark["number"]["value"],
            "text": ast.literal_eval(next(iter(output["data"].values()))),
        }
        for cell in code_cells(notebook)
        for output in cell.outputs
        if "number" in (mark := output.get("metadata", {}).get("labs", {}))
    }


def _marks(outputs: Sequence[NotebookNode]) -> Iterator[dict]:
    """Yield what labsupport left in the metadata of outputs."""
    for output in outputs:
        mark = output.get("metadata", {}).get("labs")
        if mark:
            yield mark


def clean_execution(executed: NotebookNode, *, drop_injected: bool) -> NotebookNode:
    """Remove what papermill leaves in a notebook, and merge streams that belong together.

    Parameters
    ----------
    executed : changed in place and returned
    drop_injected : bool
        Also remove the cell of injected parameters, and number the others as if it had not been.
    """
    executed.metadata.pop("papermill", None)
    for cell in executed.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if cell.metadata.get("tags") == []:
            del cell.metadata["tags"]
    if drop_injected:
        executed.cells = [c for c in executed.cells if "injected-parameters" not in tags(c)]
    for number, cell in enumerate(code_cells(executed), start=1):
        cell.outputs = _merge_streams(cell.outputs)
        if cell.execution_count is not None:
            cell.execution_count = number
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = cell.execution_count
    return executed


def _merge_streams(outputs: Sequence[NotebookNode]) -> list[NotebookNode]:
    """Join neighbouring pieces of one stream; where a kernel cuts them is chance."""
    merged: list[NotebookNode] = []
    for output in outputs:
        last = merged[-1] if merged else None
        if (
            last is not None
            and output.output_type == last.output_type == "stream"
            and output.name == last.name
        ):
            last.text += output.text
        else:
            merged.append(output)
    return merged


def transplant_outputs(executed: NotebookNode, committed: NotebookNode) -> None:
    """Copy outputs and execution counts into `committed`, cell by cell id, and nothing else.

    Raises
    ------
    NotebookError
        If the two do not hold the same cells with the same sources.
    """
    donors = {cell.id: cell for cell in code_cells(executed)}
    recipients = code_cells(committed)
    if [cell.id for cell in recipients] != list(donors):
        raise NotebookError("cells were added, removed or moved since the run")
    for cell in recipients:
        if cell.source != donors[cell.id].source:
            raise NotebookError(f"cell {cell.id!r} was edited since the run")
    for cell in recipients:
        cell.outputs = donors[cell.id].outputs
        cell.execution_count = donors[cell.id].execution_count
