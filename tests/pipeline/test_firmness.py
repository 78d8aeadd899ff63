"""How often findings held and how far numbers spread, from the records of runs to the file."""

import math

import pytest
from scipy.stats import binomtest

from labsupport.pipeline.firmness import (
    Firm,
    firmness_of,
    firmness_text,
    quantile,
    read_firmness,
    seeds_text,
    wilson_interval,
)
from labsupport.pipeline.project import LabsError


@pytest.mark.parametrize(("held", "runs"), [(0, 10), (50, 50), (7, 9), (1, 1), (25, 50)])
def test_interval_is_that_of_scipy(held, runs):
    theirs = binomtest(held, runs).proportion_ci(0.95, method="wilson")
    assert wilson_interval(held, runs) == pytest.approx((theirs.low, theirs.high))


@pytest.mark.parametrize("share", [0, 0.05, 0.5, 0.95, 1])
@pytest.mark.parametrize("values", [[3.0], [2.0, 1.0], [5.0, 1.0, 2.0, 9.0, 4.0]])
def test_quantile_is_that_of_numpy(values, share):
    np = pytest.importorskip("numpy")
    assert quantile(values, share) == pytest.approx(np.quantile(values, share))


def test_quantile_of_infinite_values_is_no_nan():
    assert quantile([1.0, math.inf, math.inf], 0.95) == math.inf
    assert math.isnan(quantile([1.0, math.nan], 0.5))


@pytest.mark.parametrize(
    ("seeds", "text"), [([], ""), ([3], "3"), ([2, 0, 1, 7, 9, 10], "0-2,7,9-10"), ([1, 1], "1")]
)
def test_seeds_are_written_as_they_are_read(seeds, text):
    assert seeds_text(seeds) == text


def record(seed, held, value, word="Shirt"):
    return {
        "chapter": "sums",
        "parameters": {"seed": seed},
        "findings": {"small": {"words": "It is small.", "held": held}},
        "numbers": {
            "total": {"value": value, "text": str(value)},
            "class": {"value": word, "text": word},
        },
    }


def test_records_become_rows():
    records = [record(s, s != 2, float(s), "Coat" if s == 3 else "Shirt") for s in range(5)]
    finding, number, word = firmness_of(records, made="today", sources="abc")
    common = (finding.chapter, finding.seeds, finding.made, finding.sources)
    assert common == ("sums", "0-4", "today", "abc")
    assert (finding.kind, finding.held, finding.runs, finding.breaking) == ("finding", 4, 5, "2")
    assert (number.low, number.median, number.high) == pytest.approx((0.2, 2, 3.8))
    assert (word.kind, word.word, word.held, word.breaking) == ("word", "Shirt", 4, "3")


def test_number_that_is_not_finite_is_a_number():
    records = [record(0, True, "inf"), record(1, True, 1.0)]
    assert firmness_of(records)[1].high == math.inf


ROW = Firm("sums", "number", "total", "0-9", 10, 0, "", 0.1, 0.25, 1e-9, "", "today, CPU", "abc")


def test_file_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "firmness.csv"
    rows = [*firmness_of([record(0, True, 0.5), record(1, False, "nan")]), ROW]
    path.write_text(firmness_text(rows))
    assert firmness_text(read_firmness(path)) == firmness_text(rows)
    assert read_firmness(path)[-1] == ROW
    assert read_firmness(tmp_path / "none.csv") == []


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("10,0", "10,1", "line 2 was not written by labs sweep --bless"),
        ("today", "yesterday", "line 2 was not written"),
        ("chapter,", "", "its columns are kind"),
        ("0.25,", "", "line 2 was not written"),
        ("sums", '"sums', "is damaged"),
    ],
)
def test_file_that_was_edited_is_named(tmp_path, old, new, reason):
    path = tmp_path / "firmness.csv"
    path.write_text(firmness_text([ROW]).replace(old, new, 1))
    with pytest.raises(LabsError, match=reason):
        read_firmness(path)
