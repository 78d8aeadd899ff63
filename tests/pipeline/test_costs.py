"""How many chapters run at a time, and with how many threads; see also test_runner.py."""

import os

import pytest

from labsupport.pipeline.costs import recorded_costs, threads_each
from labsupport.pipeline.project import Project


def test_costs_are_those_of_the_provenance_and_none_if_it_is_damaged(book):
    project = Project(book.root, book.root / "_build")
    assert set(recorded_costs(project)) == {"sums", "curves"}
    (book.root / "book/provenance.csv").write_text("x")
    assert recorded_costs(project) == {}


@pytest.mark.parametrize(("num_chapters", "threads"), [(2, "4"), (3, "2"), (8, "1"), (20, "1")])
def test_chapters_share_the_cores(monkeypatch, num_chapters, threads):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    assert threads_each(num_chapters) == {"OMP_NUM_THREADS": threads}


def test_one_chapter_has_all_cores_as_its_libraries_find_them():
    assert threads_each(1) == threads_each(0) == {}
