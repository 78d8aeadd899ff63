"""Sweeps: every run once, whatever happens on the way."""

import csv
import json
import signal

import pytest
from tiny_book import processes_in, wait_for

from labsupport.pipeline import sweep as module
from labsupport.pipeline.grid import plan, read_source
from labsupport.pipeline.project import Project


def table(book, build="_build"):
    with (book.root / build / "sweep/sweep.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def swept_book(blessed_book, tmp_path_factory):
    """Sweep the sums over seeds of which some break its finding."""
    book = blessed_book.copy(tmp_path_factory.mktemp("swept") / "book", without=["_build"])
    book.swept = book.labs("sweep", "sums", "--seeds", "1-5", "--jobs", "2")
    assert book.swept.returncode == 0, book.swept.stderr
    return book


def test_sweep_runs_every_seed_and_keeps_what_was_found(swept_book):
    held = {row["seed"]: row["held"] for row in table(swept_book)}
    assert held == {"1": "True", "2": "True", "3": "True", "4": "False", "5": "False"}
    assert (swept_book.root / "_build/sweep/sweep.parquet").exists()
    assert "sums     5       0         0  0 of 1" in swept_book.swept.stdout


def test_sweep_again_runs_nothing_and_says_so(swept_book, tmp_path):
    book = swept_book.copy(tmp_path / "book")
    before = {p: p.read_bytes() for p in (book.root / "_build/sweep/runs").iterdir()}
    result = book.labs("sweep", "sums", "--seeds", "1-5")
    assert "runs that were there already: 5" in result.stdout
    assert {p: p.read_bytes() for p in (book.root / "_build/sweep/runs").iterdir()} == before
    assert table(book) == table(swept_book)


def fake_engine(*, fail=(), stand_in=(), stop_after=None, told=lambda number: None):
    """Return an engine that runs nothing."""

    def run(project, tasks):
        for number, task in enumerate(tasks):
            if number == stop_after:
                raise KeyboardInterrupt
            seed = task["parameters"]["seed"]
            assert task["limit_s"] == 9
            told(number)
            yield (
                number,
                {
                    "error": "in cell 1: no" if seed in fail else "",
                    "stand_in": "no network" if seed in stand_in else "",
                    "findings": {"small": {"words": "Small.", "held": seed < 4}},
                    "numbers": {},
                    "environment": {},
                    "seconds": 1.0,
                    "worker": "nobody",
                    "notebook": "{}",
                    "log": "",
                },
            )

    return run


@pytest.fixture
def sweep(book):
    """Return a function that sweeps the sums with an engine of its own, over seeds 0 to 5."""
    project = Project(book.root, book.root / "_build")
    (book.root / "_build").mkdir()

    def sweep(engine):
        source = read_source(project, "sums")
        return module.sweep(project, [source], plan([source], range(6), {}, {}), engine, limit_s=9)

    return sweep


def test_interrupted_sweep_goes_on_where_it_was(sweep, book):
    with pytest.raises(KeyboardInterrupt):
        sweep(fake_engine(stop_after=4))
    assert [row["seed"] for row in table(book)] == ["0", "1", "2", "3"]
    done = []
    swept = sweep(fake_engine(told=done.append))
    assert (swept.num_reused, len(done), len(swept.records)) == (4, 2, 6)
    assert [row["seed"] for row in table(book)] == ["0", "1", "2", "3", "4", "5"]


def test_rows_arrive_as_runs_end(sweep, book):
    seen = []
    sweep(fake_engine(told=lambda number: seen.append(len(table(book)))))
    assert seen == [0, 1, 2, 3, 4, 5]


def test_failure_is_a_row_and_is_tried_again(sweep, book):
    swept = sweep(fake_engine(fail=[2]))
    assert len(swept.records) == 6
    (row,) = (row for row in table(book) if row["kind"] == "error")
    assert (row["seed"], row["error"]) == ("2", "in cell 1: no")
    assert row["copy"].endswith(".ipynb")
    assert sweep(fake_engine()).num_reused == 5


def test_stand_in_runs_are_marked_and_tried_again(sweep, book):
    sweep(fake_engine(stand_in=[1]))
    assert [row["seed"] for row in table(book) if row["stand_in"] == "no network"] == ["1"]
    assert sweep(fake_engine()).num_reused == 5


def test_chapter_edited_during_a_sweep_is_named(sweep, book):
    def edit(number):
        if number == 3:
            book.edit("sums", "total", lambda cell: cell.update(source="total = 1"))

    swept = sweep(fake_engine(told=edit))
    assert swept.edited == ["sums"]
    assert sweep(fake_engine()).num_reused == 0


def test_full_disk_at_the_client_keeps_what_is_done(sweep, book, monkeypatch):
    keep = module.Results.keep

    def fill(results, run, *arguments):
        if run.parameters["seed"] == 3:
            raise OSError(28, "No space left on device", "there")
        return keep(results, run, *arguments)

    monkeypatch.setattr(module.Results, "keep", fill)
    with pytest.raises(OSError, match="No space left"):
        sweep(fake_engine())
    monkeypatch.undo()
    assert sweep(fake_engine()).num_reused == 3


def reach(book, then):
    """Let each run of the sums leave a file beside the book, and do something."""
    place = str(book.root / "reached")
    book.put_line(f"open({place!r} + str(seed), 'w').close()\n{then}")


def test_killed_sweep_leaves_nothing_running_and_goes_on(unrun_book):
    reach(unrun_book, "time.sleep(1)")
    arguments = ["sweep", "sums", "--seeds", "0-2", "--jobs", "1"]
    with unrun_book.start_labs(*arguments) as labs:
        wait_for((unrun_book.root / "reached1").exists)
        labs.send_signal(signal.SIGKILL)
    wait_for(lambda: not processes_in(unrun_book.root))
    result = unrun_book.labs(*arguments)
    assert result.returncode == 0, result.stderr
    assert "runs that were there already: 1" in result.stdout
    assert [row["seed"] for row in table(unrun_book)] == ["0", "1", "2"]


def test_two_sweeps_at_once_are_refused(unrun_book):
    reach(unrun_book, "time.sleep(60)")
    with unrun_book.start_labs("sweep", "sums", "--seeds", "0-1") as labs:
        wait_for((unrun_book.root / "reached0").exists)
        second = unrun_book.labs("sweep", "sums", "--seeds", "0-1")
        labs.send_signal(signal.SIGINT)
        labs.communicate(timeout=60)
    assert second.returncode == 1
    assert "another labs command is at work" in second.stderr
    assert labs.returncode == 130


def test_swept_parameters_stand_in_the_table(book):
    result = book.labs("sweep", "sums", "--seeds", "3", "-p", "device", "cpu", "auto")
    assert result.returncode == 0, result.stderr
    assert [json.loads(row["parameters"]) for row in table(book)] == [{}, {}]


def test_runs_at_once_share_the_cores(monkeypatch):
    at_once = []
    monkeypatch.setattr(
        module, "kernel_environment", lambda _, number: at_once.append(number) or {}
    )
    monkeypatch.setattr(module, "run_task", lambda task, workers: {})
    assert len(list(module.run_locally(3)(None, [{"chapter": "sums"}] * 2))) == 2
    assert at_once == [2]
