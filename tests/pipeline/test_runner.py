"""Chapters run side by side: what is kept, what is said, what an interruption leaves."""

import json
import os
import re
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest
from tiny_book import processes_in, wait_for

from labsupport.pipeline import costs, runner
from labsupport.pipeline.notebooks import code_cells, read_notebook, tags, write_notebook
from labsupport.pipeline.project import Project


def test_run_executes_without_touching_the_book(blessed_book):
    assert re.search(r"sums +5 +[\d.]+ +\d+ +1 of 1  ok", blessed_book.ran.stdout)
    assert re.search(r"curves +3 +[\d.]+ +\d+ +0 of 0  ok", blessed_book.ran.stdout)
    assert blessed_book.contents_after_run == blessed_book.contents_before_run
    notebook = blessed_book.executed("sums")
    assert "papermill" not in notebook.metadata
    assert [cell.execution_count for cell in notebook.cells[1:]] == [1, 2, 3, 4, 5]


def test_run_with_a_device_injects_no_visible_cell(blessed_book):
    cells = blessed_book.executed("sums").cells
    assert [cell.id for cell in cells] == [cell.id for cell in blessed_book.read("sums").cells]


def test_run_in_a_hostile_place_gives_the_same_bytes(blessed_book, tmp_path):
    book = blessed_book.copy(tmp_path / 'it\'s {a} "book" 模型', without=["_build"])
    environment = os.environ | {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    environment.pop("HOME", None)
    command = 'exec "$0" -m labsupport.pipeline.cli run curves --no-html <&- >&- 2>&-'
    result = subprocess.run(
        ["sh", "-c", command, sys.executable],
        cwd=book.root,
        env=environment,
        check=False,
    )
    assert result.returncode == 0
    mine, other = (b.root / "_build/executed/curves.ipynb" for b in (book, blessed_book))
    assert mine.read_bytes() == other.read_bytes()


@pytest.fixture(scope="module")
def odd_run(blessed_book, tmp_path_factory):
    """Run a chapter with another parameter, on data that it says are not those wanted."""
    book = blessed_book.copy(tmp_path_factory.mktemp("odd") / "book", without=["_build"])
    mark = {"labs": {"stand_in": "no network here"}}
    book.put_line(f"display('x', metadata={mark})")
    book.ran = book.labs("run", "sums", "-p", "seed", "5")
    assert book.ran.returncode == 0, book.ran.stderr
    return book


def test_run_with_parameters_shows_them(odd_run):
    notebook = odd_run.executed("sums")
    assert "total 2.050 of 5 parts" in notebook.cells[4].outputs[1].text
    assert "seed = 5" in notebook.cells[3].source


def test_run_goes_on_past_a_finding_that_does_not_hold_and_says_so(odd_run):
    assert re.search(r"sums +5 +[\d.]+ +\d+ +0 of 1  on stand-in data", odd_run.ran.stdout)
    told = "sums: the finding 'small' does not hold here: The seed is small."
    assert told in odd_run.ran.stdout
    page = (odd_run.root / "_build/html/book/sums.html").read_text(encoding="utf-8")
    assert "✗ <strong>Does not hold here:</strong> The seed is small." in page


def test_update_refuses_a_finding_that_does_not_hold(odd_run, tmp_path, capsys):
    book = odd_run.copy(tmp_path / "book")
    record = book.root / "_build/executed/sums.json"
    harmless = {"stand_in": "", "parameters": {}}
    record.write_text(json.dumps(json.loads(record.read_text()) | harmless))
    executed = book.root / "_build/executed/sums.ipynb"
    notebook = read_notebook(executed)
    notebook.cells = [c for c in notebook.cells if "injected-parameters" not in tags(c)]
    for number, cell in enumerate(code_cells(notebook), start=1):
        cell.execution_count = number
    write_notebook(notebook, executed)
    before = book.contents()
    assert book.main("update") == 1
    assert "the finding 'small' does not hold: The seed is small." in capsys.readouterr().err
    assert book.contents() == before


def test_stand_in_data_are_announced_in_the_summary_and_on_the_page(odd_run):
    assert "on stand-in data" in odd_run.ran.stdout
    assert "sums ran on stand-in data. no network here" in odd_run.ran.stdout
    page = (odd_run.root / "_build/html/book/sums.html").read_text()
    assert page.index("This page was run on stand-in data") < page.index("cell_input")


def test_update_refuses_stand_in_data(odd_run, capsys):
    before = odd_run.contents()
    assert odd_run.main("update") == 1
    message = "sums is not updated: its run used stand-in data. no network here"
    assert message in capsys.readouterr().err
    assert odd_run.contents() == before


def test_update_refuses_changed_parameters(odd_run, tmp_path, capsys):
    book = odd_run.copy(tmp_path / "book")
    record = book.root / "_build/executed/sums.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"stand_in": ""}))
    before = book.contents()
    assert book.main("update") == 1
    assert "its run changed parameters: {'seed': 5}" in capsys.readouterr().err
    assert book.contents() == before


def plan(book, monkeypatch, *, free_mb=100_000, cores=64):
    """Return in which order chapters would be started, and how many at a time."""
    planned = []

    def run_here(project, stage, runs, bar, num_jobs):
        planned.append(([run.chapter for run in runs], num_jobs))

    monkeypatch.setattr(runner, "_run_here", run_here)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    memory = SimpleNamespace(available=free_mb * 1e6)
    monkeypatch.setattr(costs.psutil, "virtual_memory", lambda: memory)
    runner.run_chapters(Project(book.root, book.root / "_build"), ["sums", "curves"], parameters={})
    return planned[0]


def record(book, sums, curves):
    rows = [f"{name},today,CPU,{cost},seal" for name, cost in (("sums", sums), ("curves", curves))]
    text = "\n".join(["chapter,run,machine,seconds,peak MB,seal", *rows, ""])
    (book.root / "book/provenance.csv").write_text(text)


@pytest.mark.parametrize(
    ("sums", "curves", "first"),
    [("3,900", "20,900", "curves"), ("30,900", "20,900", "sums"), ("x,900", "20,9", "sums")],
)
def test_longest_chapter_starts_first(book, monkeypatch, sums, curves, first):
    record(book, sums, curves)
    assert plan(book, monkeypatch)[0][0] == first


@pytest.mark.parametrize(
    ("free_mb", "cores", "jobs"),
    [(100_000, 4, 4), (6_100, 64, 3), (1_000, 64, 1)],
)
def test_jobs_follow_cores_and_memory(book, monkeypatch, free_mb, cores, jobs):
    record(book, "3,900", "20,2000")
    assert plan(book, monkeypatch, free_mb=free_mb, cores=cores)[1] == jobs


@pytest.mark.parametrize(("free_mb", "jobs"), [(5_999, 2), (6_000, 3)])
def test_jobs_of_a_book_without_record_leave_room(unrun_book, monkeypatch, free_mb, jobs):
    assert plan(unrun_book, monkeypatch, free_mb=free_mb)[1] == jobs


@pytest.fixture(scope="module")
def failed_run(blessed_book, tmp_path_factory):
    """Run a chapter that fails beside one that does not, where both had been run before."""
    book = blessed_book.copy(tmp_path_factory.mktemp("failed") / "book")
    book.put_line("raise ValueError('no such thing!!' + ' at all' * 999)")
    book.contents_before_run = book.contents()
    book.ran = book.labs("run")
    return book


def test_failing_cell_is_named_and_the_others_still_run(failed_run):
    assert failed_run.ran.returncode == 1
    errors = failed_run.ran.stderr
    assert "labs: sums failed in cell 3 (total): ValueError: no such thing" in errors
    assert re.search(r"curves .* ok", failed_run.ran.stdout)
    failed = failed_run.root / "_build/failed/sums.ipynb"
    assert f"the failed copy: {failed}" in errors
    assert "no such thing" in failed.read_text()
    assert not (failed_run.root / "_build/html").exists()
    assert failed_run.contents() == failed_run.contents_before_run


def test_long_error_is_cut(failed_run):
    shown = ("no such thing!!" + " at all" * 999)[:500]
    message = f"labs: sums failed in cell 3 (total): ValueError: {shown}"
    assert [line for line in failed_run.ran.stderr.splitlines() if "ValueError" in line] == [
        message
    ]


def test_update_refuses_a_failed_run(failed_run, capsys):
    assert failed_run.main("update", "sums") == 1
    assert "sums has no finished run" in capsys.readouterr().err
    assert failed_run.contents() == failed_run.contents_before_run


# what a cell has started must end with it
BUSY = """
import subprocess
subprocess.Popen(['sleep', '600'])
open('reached', 'w').close()
time.sleep(600)"""


@pytest.mark.parametrize(
    ("signal_number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_interrupted_run_leaves_nothing_behind(
    finished_book, tmp_path, capsys, signal_number, code
):
    book = finished_book
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    pristine = book.path("sums").read_bytes()
    failed = book.root / "_build/failed/sums.ipynb"
    failed.write_text("the copy of an earlier run")
    book.put_line(BUSY)
    before = book.contents()
    labs = book.start_labs("run", "sums", "--no-html", TMPDIR=str(temporary))
    wait_for((book.root / "_build/stage/book/reached").exists)
    labs.send_signal(signal_number)
    _, errors = labs.communicate(timeout=60)
    assert labs.returncode == code
    assert "Traceback" not in errors
    if signal_number != signal.SIGKILL:
        assert errors.splitlines()[-1].startswith("labs: interrupted; no file in book/ is half-")
    assert book.contents() == before
    assert not failed.exists()
    wait_for(lambda: not processes_in(book.root))
    assert list(temporary.iterdir()) == []
    book.path("sums").write_bytes(pristine)  # which the run before would fit
    assert book.main("update", "sums") == 1
    assert "has no finished run" in capsys.readouterr().err
    assert book.labs("run", "sums", "--no-html").returncode == 0


def test_interrupted_run_waits_for_every_worker(unrun_book):
    for chapter in ("sums", "curves"):
        reached = f"import time\nopen('reached-{chapter}', 'w').close()\ntime.sleep(600)"
        unrun_book.edit(
            chapter, "imports", lambda cell, reached=reached: cell.update(source=reached)
        )
    labs = unrun_book.start_labs("run", "--no-html", "--jobs", "2")
    for chapter in ("sums", "curves"):
        wait_for((unrun_book.root / "_build/stage/book" / f"reached-{chapter}").exists)
    labs.send_signal(signal.SIGINT)
    labs.communicate(timeout=60)
    assert labs.returncode == 130
    assert not processes_in(unrun_book.root)


@pytest.mark.parametrize(
    ("error", "message"),
    [("", "its worker process ended unexpectedly (exit code 3); see "), ("in cell 2", "in cell 2")],
)
def test_worker_that_fails_after_its_outcome_has_failed(
    unrun_book, monkeypatch, capsys, error, message
):
    worker = unrun_book.root / "worker"
    worker.write_text(f"#!/bin/sh\necho '{json.dumps({'outcome': {'error': error}})}'\nexit 3\n")
    worker.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(worker))
    assert unrun_book.main("run", "sums", "--no-html") == 1
    assert f"labs: sums failed {message}" in capsys.readouterr().err
    assert not list((unrun_book.root / "_build/executed").iterdir())
