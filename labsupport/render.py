"""Render the book to HTML from committed or freshly executed chapters; needs no torch."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import nbformat

from labsupport.notebooks import code_cells, read_notebook, stand_in_reason, write_notebook
from labsupport.project import LabsError, Project

__all__ = ["render_html"]


def render_html(project: Project, executed_chapters: Sequence[str] = ()) -> Path:
    """Render all pages and return the first; warnings are errors.

    Parameters
    ----------
    executed_chapters : sequence of str
        Chapters to show as they lie in `project.executed`; the others are shown as committed.

    Raises
    ------
    LabsError
        If Jupyter Book is not installed or finds fault with a page. The HTML of an earlier
        rendering is then left as it is.
    """
    if importlib.util.find_spec("jupyter_book") is None:
        raise LabsError("Jupyter Book is not installed in this environment: run `make html`")
    pages = project.stage("pages")
    for chapter in executed_chapters:
        notebook = read_notebook(project.executed / f"{chapter}.ipynb")
        _announce_stand_in(notebook)
        write_notebook(notebook, pages / "book" / f"{chapter}.ipynb")
    rendered = project.build / "rendered"
    shutil.rmtree(rendered, ignore_errors=True)
    _run_jupyter_book(pages, rendered, log=project.logs / "html.log")
    previous = project.build / "html.previous"
    if project.html.exists():
        shutil.rmtree(previous, ignore_errors=True)
        os.replace(project.html, previous)
    os.replace(rendered / "_build" / "html", project.html)
    for leftover in (previous, rendered, pages):
        shutil.rmtree(leftover, ignore_errors=True)
    return project.html / "index.html"


def _run_jupyter_book(pages: Path, target: Path, *, log: Path) -> None:
    """Build the pages in a process of their own, its words in `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build"]
    command += ["-W", "-n", "--keep-going", "--path-output", str(target), str(pages)]
    with log.open("w", encoding="utf-8") as file:
        result = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if result.returncode:
        text = log.read_text(encoding="utf-8", errors="replace")
        lines = re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()
        faults = [line for line in lines if re.search(r"WARNING|ERROR|SEVERE|CRITICAL|Error", line)]
        shown = "\n  ".join((faults or lines[-5:])[:10])
        raise LabsError(f"the HTML could not be rendered; the whole story is in {log}\n  {shown}")


def _announce_stand_in(notebook: nbformat.NotebookNode) -> None:
    """Say under the title of a chapter that its numbers come from stand-in data."""
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    reason = stand_in_reason(outputs)
    if reason:
        warning = (
            "```{warning}\n**This page was run on stand-in data.** Its numbers and pictures are "
            f"not those that the text speaks of.\n\n{reason}\n```"
        )
        notebook.cells.insert(1, nbformat.v4.new_markdown_cell(warning))
