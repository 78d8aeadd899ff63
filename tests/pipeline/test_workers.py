"""Workers: what is known of one that ends as it should not."""

import io

import pytest

from labsupport.pipeline.kernels import kernel_environment
from labsupport.pipeline.workers import Workers, _follow


def test_worker_killed_while_it_speaks_has_no_outcome():
    done = []
    assert _follow(io.BytesIO(b'{"num_done": 1}\n{"outcome": {"err'), done.append) is None
    assert done == [1]


@pytest.fixture(params=[False, True], ids=["new Pythons", "copies"])
def workers(request, tmp_path):
    with Workers(kernel_environment(lambda: tmp_path), copies=request.param) as workers:
        yield workers


def run(workers, book, tmp_path, **options):
    """Run a chapter of a tiny book with a worker."""
    arguments = [book.path("sums"), tmp_path / "out.ipynb", book.root / "book", {"seed": 4}]
    return workers.run(*arguments, log=tmp_path / "log", **options)


def test_worker_tells_what_it_has_done(workers, book, tmp_path):
    done = []
    outcome = run(workers, book, tmp_path, told=done.append)
    assert outcome["error"] == ""
    assert outcome["findings"] == {"small": {"words": "The seed is small.", "held": False}}
    assert done == [1, 2, 3, 4, 5, 6]  # with that of the injected parameters
    assert "of 4 parts" in (tmp_path / "out.ipynb").read_text()


def test_worker_that_takes_too_long_is_killed(workers, book, tmp_path):
    book.put_line("time.sleep(600)")
    outcome = run(workers, book, tmp_path, limit_s=2)
    assert outcome == {"error": "ran past its time limit of 2 seconds"}


def test_no_worker_starts_after_the_end(workers, book, tmp_path):
    workers.end()
    with pytest.raises(KeyboardInterrupt):
        run(workers, book, tmp_path)
