"""Find the ways in which a committed chapter escapes or breaks the output contract."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from nbformat import NotebookNode

from labsupport.pipeline.notebooks import (
    NotebookError,
    cell_findings,
    code_cells,
    findings,
    stand_in_reason,
    tags,
)
from labsupport.pipeline.project import LabsError
from labsupport.pipeline.prose import prose_problems

__all__ = ["lint", "refuse_broken_rules"]

TAGS = {"hide-input", "measured", "parameters"}
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


def refuse_broken_rules(notebook: NotebookNode, *, chapter: str, root: Path) -> None:
    """Hold a chapter against the rules of the book in the folder `root`.

    Raises
    ------
    NotebookError
        If it breaks one; the message lists all.
    LabsError
        If `pyproject.toml`, which grants its measured cells, is not TOML.
    """
    granted = _granted(root / "pyproject.toml").get(chapter, 0)
    problems = lint(notebook, chapter=chapter, num_granted=granted)
    problems += prose_problems(notebook)
    if problems:
        raise NotebookError("\n".join([f"{chapter} breaks the rules of the book:", *problems]))


def _granted(settings: Path) -> dict:
    """Return how many measured cells the book grants to each chapter."""
    try:
        tools = tomllib.loads(settings.read_text(encoding="utf-8")).get("tool", {})
    except ValueError as error:
        raise LabsError(f"{settings} is not TOML: {error}") from error
    return tools.get("labs", {}).get("measured", {})


def lint(notebook: NotebookNode, *, chapter: str, num_granted: int) -> list[str]:
    """Return one line for each way in which a committed chapter escapes or breaks the contract.

    Parameters
    ----------
    chapter : str
        File name without its ending; figures are named `fig-<chapter>-…`.
    num_granted : int
        How many cells are to be tagged `measured`, neither more nor less: one that is left over
        would let the outputs of any other cell be masked.
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
    problems += [
        f"the finding {name!r} does not hold: {finding['words']}"
        for name, finding in findings(notebook).items()
        if not finding["held"]
    ]
    num_parameters = sum("parameters" in tags(cell) for cell in cells)
    if num_parameters != 1:
        problems.append(f"{num_parameters} cells are tagged parameters; there must be one")
    num_measured = sum("measured" in tags(cell) for cell in cells)
    if num_measured != num_granted:
        problems.append(
            f"{num_measured} cells are tagged measured, pyproject.toml grants {num_granted}: if "
            f"the tags are right, write {chapter} = {num_measured} under [tool.labs.measured]"
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
    if "measured" in tags(cell):
        yield from _lint_factors(cell.source)
    width = max(map(len, lines), default=0)
    if width > LONGEST_LINE:
        yield f"has a line of {width} characters; the page cuts off what is beyond {LONGEST_LINE}"


def _lint_factors(source: str) -> Iterator[str]:
    """Yield the arithmetic of a measured cell whose faults nothing would show: with literals."""
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Assert):  # says itself what must hold
            continue
        waiting.extend(ast.iter_child_nodes(node))
        if isinstance(node, ast.AugAssign):
            operands = [node.value]
        else:
            operands = [node.left, node.right] if isinstance(node, ast.BinOp) else []
        if any(
            isinstance(part, ast.Constant) and not isinstance(part.value, str) for part in operands
        ):
            yield (
                f"computes {ast.unparse(node)!r}, and in a measured cell nothing compares it: show "
                "the count in a cell before, or name the unit (labsupport.units)"
            )


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
        if cell_findings(cell):
            yield "draws a figure and states a finding; give the finding its own cell"


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
