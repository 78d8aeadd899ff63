"""Kernels come from the server where that can make them, and from a new Python elsewhere."""

import json

import pytest

from labsupport.pipeline.provisioner import ADDRESS, kernel_server

LOOK = "import sys; print(sorted({'matplotlib', 'torch'} & set(sys.modules)), end='')"


def modules_of_a_kernel(book):
    """Return which of two modules a kernel has that imports neither."""
    book.edit("sums", "imports", lambda cell: cell.update(source=LOOK, outputs=[]))
    assert book.labs("run", "sums", "--no-html").returncode == 1  # later cells miss the imports
    cells = json.loads((book.root / "_build/failed/sums.ipynb").read_text())["cells"]
    return "".join(next(cell for cell in cells if cell["id"] == "imports")["outputs"][0]["text"])


def test_kernel_of_a_run_has_its_imports_already(book):
    assert modules_of_a_kernel(book) == "['matplotlib', 'torch']"


@pytest.mark.parametrize(
    ("name", "value"),
    [(ADDRESS, "labs-nowhere"), ("MPLBACKEND", "agg")],
)
def test_kernel_is_a_new_python_where_a_copy_would_not_do(book, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert modules_of_a_kernel(book) == "[]"


def test_run_of_more_chapters_than_jobs_has_a_server(book, monkeypatch):
    monkeypatch.delenv(ADDRESS)
    book.edit("sums", "imports", lambda cell: cell.update(source=LOOK, outputs=[]))
    assert book.labs("run", "--no-html", "--jobs", "1").returncode == 1
    failed = (book.root / "_build/failed/sums.ipynb").read_text()
    assert "['matplotlib', 'torch']" in failed


def test_platform_that_cannot_fork_has_no_server(monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    with kernel_server({}) as variables:
        assert variables == {}
