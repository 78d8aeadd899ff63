"""What may be written into the book of a sweep, and what may not."""

import pytest

from labsupport.pipeline.blessed import bless_firmness
from labsupport.pipeline.firmness import read_firmness
from labsupport.pipeline.locks import book_locked
from labsupport.pipeline.project import LabsError, Project


def record(seed, chapter="sums", **changed):
    return {
        "chapter": chapter,
        "parameters": {"seed": seed},
        "findings": {"small": {"words": "The seed is small.", "held": seed < 4}},
        "numbers": {},
        "error": "",
        "stand_in": "",
        "environment": {"device": "CPU, an old one", "torch": "2.14.1"},
    } | changed


@pytest.fixture
def bless(book):
    """Return a function that blesses records."""
    return lambda records: bless_firmness(Project(book.root, book.root / "_build"), records)


def test_blessed_runs_stand_in_the_book(bless, book, capsys):
    bless([record(seed) for seed in range(10)])
    (row,) = read_firmness(book.root / "book/firmness.csv")
    assert (row.held, row.runs, row.seeds, row.breaking) == (4, 10, "0-9", "4-9")
    assert row.made.endswith("CPU, an old one, PyTorch 2.14.1")
    assert capsys.readouterr().out == "sums: seeds 0-9, 0 of 1 findings always held\n"


def test_runs_with_other_parameters_do_not_count(bless, book):
    other = record(3, parameters={"seed": 3, "lr": 0.1})
    bless([*(record(seed) for seed in range(10)), other])
    assert read_firmness(book.root / "book/firmness.csv")[0].runs == 10


def test_rows_of_other_chapters_stay(bless, book):
    bless([record(seed, "curves") for seed in range(10)])
    bless([record(seed) for seed in range(11)])
    rows = read_firmness(book.root / "book/firmness.csv")
    assert [(row.chapter, row.runs) for row in rows] == [("sums", 11), ("curves", 10)]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"error": "in cell 3: no"}, "its run with seed 9 failed in cell 3: no"),
        ({"stand_in": "no network"}, "seed 9 ran on stand-in data. no network"),
        ({"parameters": {"seed": 8}}, "9 seeds with the parameters of the book are there, and 10"),
    ],
)
def test_what_is_no_whole_sweep_is_refused(bless, book, changed, message):
    with pytest.raises(LabsError, match=f"sums is not blessed: {message}"):
        bless([*(record(seed) for seed in range(9)), record(9, **changed)])
    assert not (book.root / "book/firmness.csv").exists()


def test_sweep_that_lacks_a_finding_is_refused(bless):
    with pytest.raises(LabsError, match="no run came to its findings small"):
        bless([record(seed, findings={}) for seed in range(10)])


def test_nothing_is_blessed_while_another_command_writes_into_the_book(bless, book):
    with (
        book_locked(Project(book.root, book.root / "_other")),
        pytest.raises(LabsError, match="another labs update is at work"),
    ):
        bless([record(seed) for seed in range(10)])
    assert not (book.root / "book/firmness.csv").exists()
