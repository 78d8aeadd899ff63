"""How many chapters run at a time, and with how many threads; see also test_runner.py."""

import os
from types import SimpleNamespace

import psutil
import pytest

from labsupport.pipeline import costs
from labsupport.pipeline.costs import default_jobs, recorded_costs, threads_each
from labsupport.pipeline.project import Project


def test_costs_are_those_of_the_provenance_and_none_if_it_is_damaged(book):
    project = Project(book.root, book.root / "_build")
    assert set(recorded_costs(project)) == {"sums", "curves"}
    (book.root / "book/provenance.csv").write_text("x")
    assert recorded_costs(project) == {}


@pytest.mark.parametrize(("num_chapters", "threads"), [(2, "4"), (3, "2"), (8, "1"), (20, "1")])
def test_chapters_share_the_cores(monkeypatch, num_chapters, threads):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    shared = {"OMP_NUM_THREADS": threads, "OMP_WAIT_POLICY": "PASSIVE"}
    assert threads_each(num_chapters) == shared


@pytest.mark.parametrize(
    ("chapter", "need_mb", "free_mb", "jobs"),
    [
        ("sums", 300, 299, 1),
        ("sums", 300, 900, 3),
        ("sums", 300, 9000, 8),
        ("unrecorded", 300, 5000, 2),
    ],
)
def test_jobs_are_what_cores_and_memory_can_take(
    book, monkeypatch, chapter, need_mb, free_mb, jobs
):
    monkeypatch.setattr(costs, "recorded_costs", lambda project: {"sums": (1.0, need_mb)})
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    free = SimpleNamespace(available=free_mb * 1e6)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    project = Project(book.root, book.root / "_build")
    assert default_jobs(project, [chapter]) == jobs


def test_platform_that_binds_no_process_to_cores_shares_all_that_it_counts(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert threads_each(2)["OMP_NUM_THREADS"] == "4"


def test_one_chapter_has_all_cores_as_its_libraries_find_them():
    assert threads_each(1) == threads_each(0) == {}
