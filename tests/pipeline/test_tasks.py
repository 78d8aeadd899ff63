"""One run as a function: what goes in, what comes back, what stays behind."""

import tempfile

import pytest

from labsupport.pipeline.kernels import kernel_environment
from labsupport.pipeline.tasks import make_task, run_task
from labsupport.pipeline.workers import Workers


@pytest.fixture
def run(book, tmp_path, monkeypatch):
    """Return a function that runs a tiny chapter as a task, and leaves nothing behind."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))

    def run(**options):
        text = book.path("sums").read_text()
        task = make_task("sums", text, {"published.yml": "[]"}, {"seed": 4}, **options)
        with Workers(kernel_environment(lambda: tmp_path), copies=False) as workers:
            result = run_task(task, workers)
        assert list(temporary.iterdir()) == []
        return result

    return run


def test_result_is_small(run):
    result = run()
    assert (result["error"], result["notebook"]) == ("", "")
    assert result["findings"]["small"]["held"] is False
    assert 0 < result["seconds"] < 60
    assert "/" in result["worker"]


def test_copy_comes_back_if_it_is_asked_for(run):
    assert "total 1.640 of 4 parts" in run(keep="all")["notebook"]


def test_run_finds_its_files_and_comes_back_if_it_fails(run, book):
    book.put_line("print(open('published.yml').read()); raise ValueError('no')")
    result = run()
    assert result["error"] == "in cell 4 (total): ValueError: no"
    assert "[]" in result["notebook"]


def test_run_that_hangs_is_given_up(run, book):
    book.put_line("time.sleep(600)")
    assert run(limit_s=2)["error"] == "ran past its time limit of 2 seconds"


class DyingWorkers:
    def run(self, *arguments, log, **options):
        log.write_text("out of memory")
        return {"error": f"its worker process ended unexpectedly (exit code 137); see {log}"}


def test_worker_that_dies_names_no_file_that_is_gone():
    result = run_task(make_task("sums", "{}", {}, {"seed": 4}), DyingWorkers())
    assert result["error"] == "its worker process ended unexpectedly (exit code 137)"
    assert result["log"] == "out of memory"
