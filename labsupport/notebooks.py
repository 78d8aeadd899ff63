"""Read, check, clean and write the notebooks that are the chapters of the book."""

import contextlib
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from labsupport.project import LabsError

__all__ = [
    "KERNEL_DEFAULTS",
    "NotebookError",
    "clean_execution",
    "code_cells",
    "environment",
    "lint",
    "notebook_text",
    "read_notebook",
    "remove_leftovers",
    "stand_in_reason",
    "transplant_outputs",
    "write_atomically",
    "write_notebook",
    "write_together",
]

# Chapters share the cores: a thread without work must sleep, not spin.
KERNEL_DEFAULTS = {"OMP_WAIT_POLICY": "PASSIVE"}

TAGS = {"measured", "parameters"}
LONGEST_LINE = 79  # what a page shows without scrolling
LONGEST_CELL = 30

_SOURCE_RULES = (
    (r"^\s*#\s*(NBVAL_\w+|PYTEST_VALIDATE_IGNORE_OUTPUT)", "escapes the output contract"),
    (r"^\s*[%!]", "uses a magic or a shell escape, whose failure papermill does not see"),
    (r"^\s*from\s+\S+\s+import\s+\*", "imports with a star"),
    (r"(filterwarnings|simplefilter)\(\s*['\"]ignore['\"]\s*\)", "silences every warning"),
    (r"clear_output|update_display|display_id", "rewrites its output, which nbval cannot follow"),
)
_OUTPUT_RULES = (
    (r"\bat 0x[0-9a-fA-F]{6,}", "prints the address of an object"),
    (r"(?<![\w:/.])/(home|root|Users|tmp|usr|opt|var|mnt|private|work)/\w", "prints a local path"),
    (r"\b[A-Z]:\\\\?\w", "prints a local path"),
    (r"device\(?(=|type=)'cuda", "prints a tensor or device that is on the GPU"),
)


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


def write_atomically(text: str, path: Path) -> None:
    """Write `text` to a temporary file beside `path`, then rename it."""
    write_together({path: text})


def write_together(texts: Mapping[Path, str]) -> None:
    """Write each text to a temporary file beside its path; rename them once all are on disk."""
    temporaries: dict[Path, str] = {}
    try:
        for path, text in texts.items():
            handle, temporaries[path] = tempfile.mkstemp(dir=path.parent, prefix=".new-")
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
                mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
                os.fchmod(file.fileno(), mode)
        for path, temporary in temporaries.items():
            os.replace(temporary, path)
        for folder in {path.parent for path in texts}:
            _sync_folder(folder)
    except BaseException as error:
        for temporary in temporaries.values():
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        if isinstance(error, OSError):
            error.filename, error.filename2 = str(path), None  # not the temporary name
        raise


def _sync_folder(folder: Path) -> None:
    """Make renames survive a power cut, on file systems that can."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of a process that was killed while it wrote into `folder`."""
    for leftover in folder.glob(".new-*"):
        leftover.unlink()


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Return the code cells in order; number them from 1 when speaking of them."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell: NotebookNode) -> list[str]:
    """Return the tags of a cell."""
    return list(cell.metadata.get("tags", []))


def stand_in_reason(outputs: Sequence[NotebookNode]) -> str:
    """Return why a run used stand-in data, as its outputs say; an empty string if it did not."""
    return next((found["stand_in"] for found in _marks(outputs) if "stand_in" in found), "")


def environment(notebook: NotebookNode) -> dict[str, str]:
    """Return what the chapter's closing cell recorded about device, versions and seed."""
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    return next((found["environment"] for found in _marks(outputs) if "environment" in found), {})


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


def lint(notebook: NotebookNode, *, chapter: str, measured_budget: int) -> list[str]:
    """Return one line for each way in which a committed chapter escapes or breaks the contract.

    Parameters
    ----------
    chapter : str
        File name without its ending; figures are named `fig-<chapter>-…`.
    measured_budget : int
        How many cells may be tagged `measured`.
    """
    problems = [
        f"the notebook carries {key} metadata"
        for key in ("papermill", "widgets")
        if key in notebook.metadata
    ]
    ids = [cell.get("id") for cell in notebook.cells]
    if None in ids or len(set(ids)) != len(ids):
        problems.append("cell ids are missing or occur twice")
    cells = code_cells(notebook)
    for number, cell in enumerate(cells, start=1):
        found = [*_lint_state(cell, number), *_lint_source(cell), *_lint_outputs(cell, chapter)]
        problems += [f"cell {number} ({cell.get('id')}) {problem}" for problem in found]
    num_parameters = sum("parameters" in tags(cell) for cell in cells)
    if num_parameters != 1:
        problems.append(f"{num_parameters} cells are tagged parameters; there must be one")
    num_measured = sum("measured" in tags(cell) for cell in cells)
    if num_measured > measured_budget:
        problems.append(
            f"{num_measured} cells are tagged measured; pyproject.toml grants {measured_budget}"
        )
    return problems


def _lint_state(cell: NotebookNode, number: int) -> Iterator[str]:
    """Yield what is wrong with the tags, metadata and execution count of a cell."""
    for tag in tags(cell):
        if tag not in TAGS:
            yield f"has the tag {tag!r}; only {', '.join(sorted(TAGS))} exist"
    for key in ("papermill", "execution"):
        if key in cell.metadata:
            yield f"carries {key} metadata"
    if cell.execution_count is None:
        yield "has no execution count: it would never be compared"
    elif cell.execution_count != number:
        yield f"has execution count {cell.execution_count}: run all cells in order, once"


def _lint_source(cell: NotebookNode) -> Iterator[str]:
    """Yield what the source of a cell must not do."""
    for pattern, problem in _SOURCE_RULES:
        if re.search(pattern, cell.source, re.MULTILINE):
            yield problem
    lines = cell.source.splitlines()
    if len(lines) > LONGEST_CELL:
        yield f"has {len(lines)} lines; split it after {LONGEST_CELL} at the latest"
    width = max(map(len, lines), default=0)
    if width > LONGEST_LINE:
        yield f"has a line of {width} characters; the page cuts off what is beyond {LONGEST_LINE}"


def _lint_outputs(cell: NotebookNode, chapter: str) -> Iterator[str]:
    """Yield what committed outputs must not hold, and figures without caption or alt text."""
    num_figures = 0
    for output in cell.outputs:
        if output.output_type == "error":
            yield f"ends in an error: {output.ename}"
            continue
        if output.output_type == "stream":
            if output.name == "stderr":
                yield f"writes to stderr: {output.text.strip()[:80]!r}"
            texts = [output.text]
        else:
            num_figures += any(kind.startswith("image/") for kind in output.data)
            active = [kind for kind in output.data if "widget" in kind or "javascript" in kind]
            if active:
                yield f"holds active content: {active[0]}"
            texts = [str(text) for kind, text in output.data.items() if kind.startswith("text/")]
        for pattern, problem in _OUTPUT_RULES:
            if any(re.search(pattern, text) for text in texts):
                yield problem
    if stand_in_reason(cell.outputs):
        yield "was run on stand-in data"
    if num_figures:
        yield from _lint_figure(cell, chapter, num_figures)


def _lint_figure(cell: NotebookNode, chapter: str, num_figures: int) -> Iterator[str]:
    """Yield what a figure lacks for readers who cannot see it or want to refer to it."""
    if num_figures > 1:
        yield f"draws {num_figures} figures; give each its own cell"
    about = cell.metadata.get("mystnb", {})
    prefix = f"fig-{chapter.replace('_', '-')}-"
    if not about.get("figure", {}).get("caption"):
        yield "draws a figure without caption (metadata mystnb.figure.caption)"
    if not about.get("figure", {}).get("name", "").startswith(prefix):
        yield f"draws a figure whose name (metadata mystnb.figure.name) is not {prefix}…"
    if not about.get("image", {}).get("alt"):
        yield "draws a figure without alternative text (metadata mystnb.image.alt)"
