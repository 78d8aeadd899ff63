"""A tiny book in a folder of its own, on which the commands can be tried."""

import base64
import contextlib
import io
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
from PIL import Image

from labsupport.pipeline.cli import main
from labsupport.pipeline.notebooks import read_notebook

CONFIG = """
title: A tiny book
execute:
  execute_notebooks: "off"
only_build_toc_files: true
"""
TOC = """
format: jb-book
root: book/intro
chapters:
  - file: book/sums
  - file: book/curves
"""
PYPROJECT = """
[tool.pytest.ini_options]
addopts = ["-p", "labsupport.pipeline.regression", "--nbval-current-env", "-p", "no:cacheprovider"]

[tool.labs.measured]
sums = 1
"""
SUMS = (
    ("imports", "import time"),
    ("parameters", "seed = 3\ndevice = 'auto'"),
    ("total", "total = seed * 0.41\nprint(f'total {total:.3f} of {seed} parts')"),
    ("clock", "print(f'took {time.perf_counter():.3f} s')"),
    (
        "smallness",
        "from IPython.display import display\nfrom labsupport.findings import Finding\n"
        "display(Finding('small', 'The seed is small.', seed < 4))",
    ),
)
CURVES = (
    ("imports", "import matplotlib.pyplot as plt\nscale = 1.0"),
    ("parameters", "seed = 1\ndevice = 'auto'"),
    ("figure", "plt.ylim(0, 5)\nplt.plot([0, 1, 2], [0, scale, 4 * scale]);"),
)
FIGURE = {
    "figure": {"name": "fig-curves-parabola", "caption": "Three points."},
    "image": {"alt": "A line that rises."},
}


def make_notebook(cells):
    """Build an unexecuted chapter from pairs of cell id and source."""
    notebook = nbformat.v4.new_notebook()
    notebook.metadata.kernelspec = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    notebook.cells.append(nbformat.v4.new_markdown_cell("# A chapter", id="title"))
    for cell_id, source in cells:
        cell = nbformat.v4.new_code_cell(source, id=cell_id)
        if cell_id in ("parameters",):
            cell.metadata.tags = ["parameters"]
        if cell_id in ("clock",):
            cell.metadata.tags = ["measured"]
        if cell_id in ("figure",):
            cell.metadata.mystnb = FIGURE
        notebook.cells.append(cell)
    return notebook


def processes_in(folder):
    """Return the processes whose working folder lies in `folder`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if Path(os.readlink(process / "cwd")).is_relative_to(folder):
                found.append(process.name)
        except OSError:
            continue
    return found


def wait_for(condition):
    """Wait until something is true, which must not take long."""
    give_up_at = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up_at, "waited in vain"
        time.sleep(0.05)


class Book:
    """A tiny book in a folder of its own, and the commands that work on it."""

    def __init__(self, root):
        self.root = root

    def path(self, chapter):
        return self.root / "book" / f"{chapter}.ipynb"

    def read(self, chapter):
        return nbformat.read(self.path(chapter), as_version=4)

    def write(self, chapter, notebook):
        nbformat.write(notebook, self.path(chapter))

    def edit(self, chapter, cell_id, change):
        """Apply `change` to one cell of a committed chapter."""
        notebook = self.read(chapter)
        change(next(cell for cell in notebook.cells if cell.id == cell_id))
        self.write(chapter, notebook)

    def put_line(self, line):
        """Put a line into the third cell of the sums, without touching its outputs."""
        self.edit("sums", "total", lambda cell: cell.update(source=f"{line}\n{cell.source}"))

    def executed(self, chapter):
        """Return the executed copy of the last run."""
        return read_notebook(self.root / f"_build/executed/{chapter}.ipynb")

    def replace_source(self, chapter, cell_id, old, new):
        def change(cell):
            assert old in cell.source
            cell.source = cell.source.replace(old, new)

        self.edit(chapter, cell_id, change)

    def contents(self):
        """Return the bytes of every file in book/."""
        return {
            path.relative_to(self.root): path.read_bytes()
            for path in sorted((self.root / "book").rglob("*"))
            if path.is_file()
        }

    def main(self, *arguments):
        """Run labs in this process and return its exit code."""
        with contextlib.chdir(self.root):
            return main(arguments)

    def labs(self, *arguments, **environment):
        return self.python("-m", "labsupport.pipeline.cli", *arguments, **environment)

    def start_labs(self, *arguments, **environment):
        return subprocess.Popen(
            [sys.executable, "-m", "labsupport.pipeline.cli", *arguments],
            cwd=self.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
            # a shell that puts the tests in the background makes them ignore Ctrl-C
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    def copy(self, root, *, without=()):
        """Copy the book into a new folder."""
        shutil.copytree(self.root, root, ignore=shutil.ignore_patterns(*without))
        return Book(root)

    def pytest(self, *arguments, **environment):
        return self.python("-m", "pytest", "--nbval", "--color=no", *arguments, **environment)

    def python(self, *arguments, **environment):
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=300,
            env=os.environ | environment,
            check=False,
        )


def write_sources(root):
    (root / "book").mkdir()
    (root / "_config.yml").write_text(CONFIG)
    (root / "_toc.yml").write_text(TOC)
    (root / "pyproject.toml").write_text(PYPROJECT)
    (root / "book" / "intro.md").write_text("# A tiny book\n")
    nbformat.write(make_notebook(SUMS), root / "book" / "sums.ipynb")
    nbformat.write(make_notebook(CURVES), root / "book" / "curves.ipynb")


def encode(array):
    """Return an image as notebooks hold it."""
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format="png")
    return base64.b64encode(buffer.getvalue()).decode()
