"""Render the book to HTML from committed or freshly executed chapters; needs no torch."""

import contextlib
import importlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import nbformat

from labsupport.pipeline.child import run_child
from labsupport.pipeline.files import remove
from labsupport.pipeline.notebooks import code_cells, read_notebook, stand_in_reason, write_notebook
from labsupport.pipeline.project import DISK_FIX, LabsError, Project, read_yaml

__all__ = ["render_html", "rendered"]


def render_html(project: Project, executed_chapters: Sequence[str] = ()) -> Path:
    """Render all pages and return the first; warnings are errors.

    Parameters
    ----------
    executed_chapters : sequence of str
        Chapters to show as they lie in `project.executed`; the others are shown as committed.

    Raises
    ------
    LabsError
        If Jupyter Book finds fault with a page. The HTML of an earlier rendering is then left
        as it is.
    """
    if not project.html.exists() and _previous(project.html).exists():
        os.replace(_previous(project.html), project.html)
    with rendered(project, executed_chapters) as html:
        _replace(project.html, html)
    return project.html / "index.html"


@contextlib.contextmanager
def rendered(project: Project, executed_chapters: Sequence[str] = ()) -> Iterator[Path]:
    """Render all pages into a folder, whose parent is gone afterwards; see `render_html`."""
    importlib.import_module("jupyter_book")  # the process that uses it could only fail in its log
    read_yaml(project.root / "_config.yml")
    for leftover in project.build.glob("rendering-*"):  # of a process that was killed
        remove(leftover)
    project.build.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=project.build, prefix="rendering-") as folder:
        pages = project.stage(f"{Path(folder).name}/pages")
        for chapter in executed_chapters:
            notebook = read_notebook(project.executed / f"{chapter}.ipynb")
            _announce_stand_in(notebook)
            write_notebook(notebook, pages / "book" / f"{chapter}.ipynb")
        _run_jupyter_book(pages, Path(folder), log=project.logs / "html.log")
        yield Path(folder) / "_build" / "html"


def _replace(old: Path, new: Path) -> None:
    """Put the folder `new` in the place of `old`, with no moment at which both are gone."""
    remove(_previous(old))
    if old.exists():
        os.replace(old, _previous(old))
    os.replace(new, old)
    remove(_previous(old))


def _previous(html: Path) -> Path:
    """Return where the last good book is while the new one takes its place."""
    return html.with_name(f"{html.name}.previous")


def _run_jupyter_book(pages: Path, target: Path, *, log: Path) -> None:
    """Build the pages in a process of their own, its words in `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    # Without the search for cycles, which a process this short can spare, it takes a fifth less.
    program = "import gc; gc.disable(); from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", program, "build"]
    command += ["-W", "-n", "--keep-going", "--path-output", str(target), str(pages)]
    with log.open("w", encoding="utf-8") as file:
        code = run_child(
            command,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONUTF8": "1"},  # its messages name files of any language
        )
    if code:
        text = re.sub(r"\x1b\[[0-9;]*m", "", log.read_text(encoding="utf-8", errors="replace"))
        if "No space left on device" in text:
            raise LabsError(f"the HTML could not be rendered: the disk is full. {DISK_FIX}")
        lines = text.replace(f"{pages}{os.sep}", "").splitlines()
        faults = [
            line for line in lines if re.search(r"WARNING|ERROR|SEVERE|CRITICAL|^\S*Error: ", line)
        ]
        shown = "\n  ".join((faults or lines[-5:] or [f"exit code {code}"])[:10])
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
