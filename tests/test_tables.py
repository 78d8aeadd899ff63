import pytest

from labsupport.tables import Table
from labsupport.units import Quantity


def test_table_is_github_flavoured_markdown():
    table = Table(["n", "time in ms"], [[10, "0.2"]])
    assert repr(table) == "| n | time in ms |\n|---|---|\n| 10 | 0.2 |"
    assert table._repr_markdown_() == repr(table)


def test_table_refuses_a_row_of_another_length():
    with pytest.raises(ValueError, match="2 cells under 1 titles"):
        Table(["n"], [["1", "2"]])


def test_table_writes_a_quantity_in_the_unit_of_its_column_row_or_first_title():
    quantity = Quantity(0.0205, ".1f")
    assert Table(["n", "ms"], [["1", quantity]]).rows == [["1", "20.5"]]
    assert Table(["what", "here"], [["lap in s", quantity]]).rows == [["lap in s", "0.0"]]
    assert Table(["n, in µs", "loop"], [["1", quantity]]).rows == [["1", "20500.0"]]


def test_table_refuses_a_quantity_without_unit():
    with pytest.raises(ValueError, match="none of 'loop', '1', 'n' names a unit"):
        Table(["n", "loop"], [["1", Quantity(1.0, ".1f")]])
