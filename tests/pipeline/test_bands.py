"""A band is written as the book writes its number."""

import math

import pytest

from labsupport.pipeline.bands import as_printed, is_inside
from labsupport.pipeline.firmness import Firm


def row(name="total", low=0.0, high=1.0):
    return Firm("sums", "number", name, "0-8", 9, 0, "", low, 0.5, high, "", "", "")


@pytest.mark.parametrize(
    ("text", "name", "value", "written"),
    [
        ("0.846", "best", 0.8437, "0.844"),
        ("84.4%", "best", 0.8437, "84.4%"),
        ("1,234", "hits", 1317.5, "1,318"),
        ("17", "hits", 3.0, "3"),
        ("+0.5", "gain", 0.25, "+0.2"),
        ("-104.0", "limit", -103.97, "-104.0"),
        ("2.4e-04", "error", 0.00026, "2.6e-04"),
        ("1.23", "loop-ms", 0.00123, "1.23"),
        ("", "new", 0.123456, "0.1235"),
        ("0.5", "loss", math.inf, "inf"),
    ],
)
def test_value_is_written_as_the_book_writes_that_number(text, name, value, written):
    assert as_printed(text, row(name), value) == written


@pytest.mark.parametrize(
    ("value", "inside"),
    [(0.0, True), (1.0, True), (0.5, True), (-0.1, False), (1.1, False), ("nan", False)],
)
def test_number_of_the_book_lies_inside_or_outside(value, inside):
    assert is_inside(row(), {"total": {"value": value, "text": ""}}) is inside
    assert not is_inside(row("other"), {"total": {"value": value, "text": ""}})


@pytest.mark.parametrize(("text", "inside"), [("1.0", True), ("1.04", False)])
def test_number_printed_as_the_end_of_its_band_lies_inside(text, inside):
    assert is_inside(row(), {"total": {"value": 1.04, "text": text}}) is inside
