import pytest

from labsupport.units import UNITS, Quantity, unit_in, unit_named_in


@pytest.mark.parametrize(
    ("value", "spec", "unit", "written"),
    [
        (0.5, ".1f", "s", "0.5"),
        (0.5, ".1f", "seconds", "0.5"),
        (0.00123, ".2f", "ms", "1.23"),
        (0.00123, ",.0f", "µs", "1,230"),
        (4e-9, ".0f", "ns", "4"),
        (8e7, ".0f", "MB", "80"),
        (2.43e10, ".1f", "GB/s", "24.3"),
        (1.41e11, ".0f", "billions per second", "141"),
    ],
)
def test_quantity_is_written_in_a_unit(value, spec, unit, written):
    assert Quantity(value, spec).in_unit(unit) == written


def test_every_unit_is_tried():
    marks = test_quantity_is_written_in_a_unit.pytestmark[0].args[1]
    assert {unit for _, _, unit, _ in marks} == set(UNITS)


def test_quantity_refuses_an_unknown_unit():
    with pytest.raises(ValueError, match="unknown unit 'us': use s, seconds, ms"):
        Quantity(1.0, ".1f").in_unit("us")


@pytest.mark.parametrize(
    ("titles", "unit"),
    [
        (["median in µs"], "µs"),
        (["there and back, ms"], "ms"),
        (["ms for one pass"], "ms"),
        (["seconds an epoch"], "seconds"),
        (["GB/s"], "GB/s"),
        (["here", "product rate in billions per second"], "billions per second"),
        (["sums", "times in ns per element", "in s"], "ns"),
        (["program", "median in s"], "s"),
    ],
)
def test_first_unit_that_is_named_counts(titles, unit):
    assert unit_named_in(*titles) == unit


@pytest.mark.parametrize(
    "title", ["times", "MBs", "m/s", "GB", "s/n", "in s/n", "begin s", "slope s", "a chapter's s"]
)
def test_parts_of_words_and_symbols_are_no_units(title):
    assert unit_in(title) == ""


def test_titles_without_a_unit_are_refused():
    with pytest.raises(ValueError, match="'n', 'time' names a unit: write one of in s, seconds"):
        unit_named_in("n", "time")


def test_two_units_in_one_title_are_refused():
    with pytest.raises(ValueError, match="names the units s and ms: keep one"):
        unit_in("in s or ms")
