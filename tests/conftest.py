import contextlib
import functools
import http.server
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import nbformat
import pytest
from filelock import FileLock

from labsupport.regenerate import main

ROOT = Path(__file__).parents[1]
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
addopts = ["-p", "labsupport.regression", "--nbval-current-env", "-p", "no:cacheprovider"]

[tool.labs.measured]
sums = 1
"""
SUMS = (
    ("imports", "import time"),
    ("parameters", "seed = 3\ndevice = 'auto'"),
    ("total", "total = seed * 0.41\nprint(f'total {total:.3f} of {seed} parts')"),
    ("clock", "print(f'took {time.perf_counter():.3f} s')"),
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


@contextlib.contextmanager
def serve(handler, folder):
    """Serve a folder on loopback and give the address."""
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(handler, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


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
        return self.python("-m", "labsupport.regenerate", *arguments, **environment)

    def start_labs(self, *arguments):
        return subprocess.Popen(
            [sys.executable, "-m", "labsupport.regenerate", *arguments],
            cwd=self.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
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


def _write_sources(root):
    (root / "book").mkdir()
    (root / "_config.yml").write_text(CONFIG)
    (root / "_toc.yml").write_text(TOC)
    (root / "pyproject.toml").write_text(PYPROJECT)
    (root / "book" / "intro.md").write_text("# A tiny book\n")
    nbformat.write(make_notebook(SUMS), root / "book" / "sums.ipynb")
    nbformat.write(make_notebook(CURVES), root / "book" / "curves.ipynb")


@pytest.fixture
def unrun_book(tmp_path):
    """Write a tiny book of which no chapter was run."""
    root = tmp_path / "unrun"
    root.mkdir()
    _write_sources(root)
    return Book(root)


@pytest.fixture(scope="session")
def share(tmp_path_factory, worker_id):
    """Return a function by which one worker makes a book that all may read."""
    base = tmp_path_factory.getbasetemp()
    common = base if worker_id == "master" else base.parent

    def share(name, make):
        kept = common / f"{name}.pickle"
        with FileLock(common / f"{name}.lock"):
            if not kept.exists():
                kept.write_bytes(pickle.dumps(make(tmp_path_factory.mktemp(name))))
            return pickle.loads(kept.read_bytes())

    return share


@pytest.fixture(scope="session")
def blessed_book(share):
    """Run and bless a tiny book once; do not change it."""
    return share("blessed", _bless)


def _bless(root):
    book = Book(root)
    _write_sources(book.root)
    book.contents_before_run = book.contents()
    book.ran = book.labs("run", "--no-html", "--jobs", "2", "--device", "cpu")
    book.contents_after_run = book.contents()
    assert book.ran.returncode == 0, book.ran.stderr
    updated = book.labs("update")
    assert updated.returncode == 0, updated.stderr
    return book


@pytest.fixture
def book(blessed_book, tmp_path):
    """Return a copy of the blessed tiny book, without its build folder, to be changed at will."""
    return blessed_book.copy(tmp_path / "book-project", without=["_build"])


@pytest.fixture
def finished_book(blessed_book, tmp_path):
    """Return a copy of the blessed tiny book with the executed copies of its run."""
    return blessed_book.copy(tmp_path / "finished")


@pytest.fixture(scope="session")
def rendered_book(blessed_book, share):
    """Render the blessed book once, as the real book is; do not change it."""

    def render(folder):
        book = blessed_book.copy(folder / "book", without=["_build"])
        shutil.copy(ROOT / "_config.yml", book.root)
        shutil.copy(ROOT / "book/references.bib", book.root / "book")
        for name in ("assets", "templates"):
            shutil.copytree(ROOT / "book" / name, book.root / "book" / name)
        (book.root / "book/intro.md").write_text("# A tiny book\n\nEuler: $e^{i \\pi} = -1$.\n")
        book.rendered = book.labs("html")
        return book

    return share("rendered", render)
