"""One chapter in a worker that ends well, in a kernel that dies, and through plain papermill."""

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


def test_worker_that_came_to_its_end_does_not_abort(blessed_book):
    # the kernel writes there too, and at times complains of sockets that it has closed
    logs = [path.read_text() for path in (blessed_book.root / "_build/logs").iterdir()]
    assert len(logs) == 2
    assert not any("Fatal Python error" in log for log in logs)


def test_plain_papermill_runs_a_chapter(book):
    result = book.python(
        "-m", "papermill", "book/sums.ipynb", "out.ipynb", "-p", "seed", "4", "--cwd", "book"
    )
    assert result.returncode == 0, result.stderr
    assert "total 1.640 of 4 parts" in (book.root / "out.ipynb").read_text()
