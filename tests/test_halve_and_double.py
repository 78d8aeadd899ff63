"""The tool that halves and doubles parameters knows which, and what a run may do with them."""

import nbformat
import pytest
from conftest import ROOT
from halve_and_double import changed_values, outcome_of, try_chapters

from labsupport.pipeline.grid import Source
from labsupport.pipeline.project import Project

CHEAP = ["broadcasting"]  # chapters that run in about a second
PARAMETERS = 'seed = 0\nlr = 0.5\nnum_epochs = 3\ndevice = "auto"\nfast = True'


def test_each_numeric_parameter_is_halved_and_doubled():
    cell = nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": KERNEL})
    source = Source("sums", nbformat.writes(notebook), {}, "")
    assert list(changed_values(source)) == [
        ("lr", 0.25),
        ("lr", 1.0),
        ("num_epochs", 1),
        ("num_epochs", 6),
    ]


KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def record(**changes):
    """Return what is kept of a run with another rate."""
    findings = {"small": {"held": True}, "smooth": {"held": False}}
    same = {"parameters": {"seed": 0, "lr": 1.0}, "findings": findings, "stand_in": "", "error": ""}
    return same | changes


@pytest.mark.parametrize(
    ("changes", "passed", "words"),
    [
        ({}, True, "held 1 of 2, not smooth"),
        ({"stand_in": "no data"}, False, "held 1 of 2, not smooth"),
        (
            {"error": "in cell 3: ValueError: lr is 1.0: give a finite number below 1"},
            True,
            "ValueError: lr is 1.0: give a finite number below 1",
        ),
        (
            {"error": "in cell 9: ValueError: momentum is 1.0: give a finite number"},
            False,
            "FAILS in cell 9: ValueError: momentum is 1.0: give a finite number",
        ),
        ({"error": "in cell 9: AssertionError"}, False, "FAILS in cell 9: AssertionError"),
    ],
)
def test_run_may_end_or_refuse_the_value_under_its_name(changes, passed, words):
    assert outcome_of(record(**changes)) == (passed, words)


def test_cheap_chapter_ends_or_refuses_with_each_parameter_halved_and_doubled(tmp_path):
    tried = try_chapters(Project(ROOT, tmp_path / "build"), CHEAP)
    assert len(tried) > len(CHEAP)
    assert [
        (run.parameters, record["error"]) for run, record in tried if not outcome_of(record)[0]
    ] == []
