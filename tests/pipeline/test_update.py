"""Outputs are blessed whole or not at all, and nothing else is."""

import csv
import errno
import os
import re
import signal

import nbformat
import pytest

from labsupport.pipeline.notebooks import write_notebook


def test_damaged_record_of_a_run_is_named(finished_book, capsys):
    record = finished_book.root / "_build/executed/sums.json"
    for text in ("", "[]", '{"colour": 1}'):
        record.write_text(text)
        assert finished_book.main("update") == 1
        assert (
            capsys.readouterr().err == f"labs: {record} is damaged; run it again: labs run sums\n"
        )


@pytest.fixture(scope="module")
def updated_book(blessed_book, tmp_path_factory):
    """Change a number of a chapter, run it, bless it."""
    book = blessed_book.copy(tmp_path_factory.mktemp("updated") / "book", without=["_build"])
    book.replace_source("sums", "total", "0.41", "0.43")
    book.edited = book.read("sums")
    assert book.labs("run", "sums", "--no-html").returncode == 0
    book.updated = book.labs("update", "sums")
    return book


def test_update_copies_outputs_and_nothing_else(updated_book):
    assert updated_book.updated.returncode == 0, updated_book.updated.stderr
    shown = updated_book.updated.stdout
    assert "sums: 2 of 5 cells change\n  cell 3 (total)\n" in shown
    assert "1.230 was promised, 1.290 found, 60 units of its last place apart" in shown
    edited, blessed = updated_book.edited, updated_book.read("sums")
    assert blessed.cells[3].outputs[0].text == "total 1.290 of 3 parts\n"
    for notebook in (edited, blessed):
        for cell in notebook.cells:
            cell.pop("outputs", None)
    assert blessed == edited


def test_update_records_provenance(book):
    with (book.root / "book/provenance.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["chapter"] for row in rows] == ["sums", "curves"]
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC, commit unknown, seed", rows[0]["run"])
    assert int(rows[0]["peak MB"]) > 10


def test_update_forgets_chapters_that_are_no_more(finished_book):
    provenance = finished_book.root / "book/provenance.csv"
    sound = provenance.read_text()
    provenance.write_text(f"{sound}gone,today,CPU,7,9,seal\n")
    assert finished_book.main("update", "sums") == 0
    assert provenance.read_text() == sound


def test_update_refuses_a_chapter_that_was_edited_since(finished_book, capsys):
    finished_book.replace_source("sums", "total", "0.41", "0.43")
    before = finished_book.contents()
    assert finished_book.main("update") == 1
    errors = capsys.readouterr().err
    assert "cell 'total' was edited since the run; run it again: labs run sums" in errors
    assert finished_book.contents() == before


def test_update_refuses_what_lint_refuses(finished_book, capsys):
    notebook = finished_book.executed("sums")
    message = "Matplotlib made a cache in /tmp/matplotlib-1"
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", name="stderr", text=message)]
    write_notebook(notebook, finished_book.root / "_build/executed/sums.ipynb")
    before = finished_book.contents()
    assert finished_book.main("update") == 1
    assert capsys.readouterr().err.splitlines() == [
        "labs: sums is not updated: sums breaks the rules of the book:",
        f"cell 1 (imports) writes to stderr: {message!r}",
        "cell 1 (imports) prints a local path",
    ]
    assert finished_book.contents() == before


@pytest.mark.parametrize(("granted", "code"), [("sums = 1", 0), ("curves = 1", 1)])
def test_update_counts_measured_cells_as_pytest_does(finished_book, capsys, granted, code):
    settings = finished_book.root / "pyproject.toml"
    settings.write_text(settings.read_text().replace("sums = 1", granted))
    assert finished_book.main("update") == code
    refused = "1 cells are tagged measured, pyproject.toml grants 0" in capsys.readouterr().err
    assert refused == bool(code)


def test_long_output_is_cut_when_what_changes_is_shown(finished_book, capsys):
    notebook = finished_book.executed("sums")
    notebook.cells[3].outputs[0].text = "x" * 10**6
    write_notebook(notebook, finished_book.root / "_build/executed/sums.ipynb")
    assert finished_book.main("update", "sums") == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) == len("    ") + 1000


@pytest.fixture
def stale_book(finished_book):
    """Return a book that an update will change in three files."""
    for chapter, cell_id in (("sums", "total"), ("curves", "figure")):
        finished_book.edit(chapter, cell_id, lambda cell: cell.update(outputs=[]))
    provenance = finished_book.root / "book/provenance.csv"
    provenance.write_text(provenance.read_text().splitlines()[0] + "\n")
    return finished_book


POWER_CUT = """
import os, sys
from labsupport.pipeline.cli import main
replace, left = os.replace, int(sys.argv[1])
def cut(*paths):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), 9)
    replace(*paths)
os.replace = cut
main(["update"])
"""


@pytest.mark.parametrize("renames", [1, 2, 3])
def test_power_cut_leaves_each_file_old_or_new_and_the_next_update_repairs(
    stale_book, blessed_book, renames
):
    old, new = stale_book.contents(), blessed_book.contents()
    assert stale_book.python("-c", POWER_CUT, str(renames)).returncode == -signal.SIGKILL
    now = stale_book.contents()
    assert sum(now[path] == new[path] != old[path] for path in old) == renames - 1
    assert all(now[path] in (old[path], new[path]) for path in old)
    assert stale_book.main("update") == 0
    assert stale_book.contents() == new


@pytest.mark.parametrize(
    ("file_number", "name"), [(1, "sums.ipynb"), (2, "curves.ipynb"), (3, "provenance.csv")]
)
def test_full_disk_changes_no_file_of_an_update(
    stale_book, blessed_book, monkeypatch, capsys, file_number, name
):
    calls = []

    def no_space(handle):
        calls.append(handle)
        if len(calls) == file_number:
            raise OSError(errno.ENOSPC, "No space left on device")

    before = stale_book.contents()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", no_space)
        assert stale_book.main("update") == 1
    path = stale_book.root / "book" / name
    message = f"labs: cannot use {path}: No space left on device. Free space or make it writable"
    assert capsys.readouterr().err.startswith(message)
    assert stale_book.contents() == before
    assert stale_book.main("update") == 0
    assert stale_book.contents() == blessed_book.contents()


@pytest.mark.parametrize("damage", ["<<<<<<< HEAD\n", "sums,run\n", '"'])
def test_damaged_provenance_is_named_before_anything_is_written(stale_book, capsys, damage):
    provenance = stale_book.root / "book/provenance.csv"
    provenance.write_text(provenance.read_text() + damage)
    before = stale_book.contents()
    assert stale_book.main("update") == 1
    assert capsys.readouterr().err.startswith(f"labs: {provenance} is damaged (")
    assert stale_book.contents() == before
