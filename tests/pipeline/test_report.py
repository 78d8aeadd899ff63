"""What `labs sweep --report` says of the runs so far."""

import matplotlib.pyplot as plt
import pytest
from PIL import Image

from labsupport.pipeline.project import Project
from labsupport.pipeline.report import same_parameters, write_report


def record(seed, lr=None, **changed):
    return {
        "chapter": "sums",
        "parameters": {"seed": seed} | ({"lr": lr} if lr else {}),
        "findings": {"small": {"words": "It is small.", "held": seed != 2}},
        "numbers": {"total": {"value": seed * (lr or 1.0), "text": "1.0"}},
        "error": "",
        "stand_in": "",
        "copy": "",
    } | changed


def test_runs_that_differ_in_the_seed_alone_stand_together():
    groups = same_parameters([record(0, 0.1), record(0, 0.2), record(1, 0.1), record(1)])
    assert [(p, len(runs)) for p, runs in groups] == [({"lr": 0.1}, 2), ({"lr": 0.2}, 1), ({}, 1)]


def test_order_of_parameters_tells_no_runs_apart():
    one, other = record(0, 0.1), record(1, 0.1)
    one["parameters"] |= {"size": 8}
    other["parameters"] = {"size": 8} | other["parameters"]
    assert [len(runs) for _, runs in same_parameters([one, other])] == [2]


@pytest.fixture
def report(book, tmp_path):
    """Return a function that writes a report and gives its text."""
    project = Project(book.root, book.root / "_build")
    return lambda records: write_report(project, records, tmp_path)


def test_report_counts_findings_and_names_the_seeds_that_break_them(report, tmp_path):
    text = report([record(seed) for seed in range(10)])
    assert "| small | 9 of 10 | 60% to 98% | 2 |" in text
    assert "## sums, the parameters of the book" in text
    assert (tmp_path / "report.md").read_text() == text


def test_report_says_where_numbers_lie_and_whether_the_book_lies_there(report):
    text = report([record(seed) for seed in range(11)])
    assert "| total |  | 5 | 0.5 to 9.5 | no |" in text  # the tiny book prints no such number


def test_report_tells_failures_and_stand_in_data(report):
    failed = record(1, error="in cell 3: no", copy="x.ipynb", findings={}, numbers={})
    text = report([record(0, stand_in="no network"), failed])
    assert "Seed 1 failed in cell 3: no (x.ipynb)" in text
    assert "1 of 2 runs used stand-in data." in text
    assert "| small | 1 of 1 |" in text
    assert "failed" in report([failed])


def test_parameter_with_one_value_is_not_drawn(report, tmp_path):
    assert "![" not in report([record(seed, 0.1) for seed in range(3)])
    assert list(tmp_path.glob("*.png")) == []


def test_figure_shows_the_median_of_each_number_inside_its_band(report, monkeypatch):
    drawn = []
    monkeypatch.setattr(plt, "close", drawn.append)
    report([record(seed, lr) for seed in range(5) for lr in (0.1, 0.2)])
    ax = drawn[0].axes[0]
    assert ax.get_title() == "total"
    assert ax.lines[0].get_xydata().ravel() == pytest.approx([0.1, 0.2, 0.2, 0.4])
    band = ax.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() < 0.2 < 0.4 < band[:, 1].max()


def test_swept_parameter_is_drawn_with_its_band(report, tmp_path):
    text = report([record(seed, lr) for seed in range(5) for lr in (0.1, 0.2, 0.4)])
    assert "## sums, lr 0.1" in text
    assert "![sums: numbers over lr](sums-lr.png)" in text
    with Image.open(tmp_path / "sums-lr.png") as figure:
        assert figure.width > 500
