"""One chapter in a worker that ends well, in a kernel that dies, and through plain papermill."""

import re

import pytest


@pytest.fixture(scope="module")
def dead_run(blessed_book, tmp_path_factory):
    """Run a chapter whose kernel is killed, and one whose kernel does not exist."""
    book = blessed_book.copy(tmp_path_factory.mktemp("dead") / "book", without=["_build"])
    book.put_line("import os; os.kill(os.getpid(), 9)")
    curves = book.read("curves")
    curves.metadata.kernelspec.name = "nowhere"
    book.write("curves", curves)
    book.ran = book.labs("run")
    return book


def test_killed_kernel_is_named(dead_run):
    assert dead_run.ran.returncode == 1
    assert "labs: sums failed in cell 3 (total): the kernel died" in dead_run.ran.stderr
    assert (dead_run.root / "_build/failed/sums.ipynb").exists()
    assert "Traceback" not in dead_run.ran.stderr


def test_unknown_kernel_is_named(dead_run):
    message = "curves failed before its first cell: NoSuchKernel: No such kernel named nowhere"
    assert message in dead_run.ran.stderr


def test_worker_that_came_to_its_end_leaves_no_error_in_its_log(blessed_book):
    for chapter in ("sums", "curves"):
        log = (blessed_book.root / f"_build/logs/{chapter}.log").read_text()
        assert not re.search("Fatal Python error|Traceback", log), log


def test_plain_papermill_runs_a_chapter(book):
    result = book.python(
        "-m", "papermill", "book/sums.ipynb", "out.ipynb", "-p", "seed", "4", "--cwd", "book"
    )
    assert result.returncode == 0, result.stderr
    assert "total 1.640 of 4 parts" in (book.root / "out.ipynb").read_text()
