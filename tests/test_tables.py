import pytest

from labsupport.tables import Table
from labsupport.units import Quantity


def test_table_is_github_flavoured_markdown():
    table = Table(["n", "mean"], [[10, "0.2"]])
    assert repr(table) == "| n | mean |\n|---|---|\n| 10 | 0.2 |"
    assert table._repr_markdown_() == repr(table)


def test_table_refuses_a_row_of_another_length():
    with pytest.raises(ValueError, match="2 cells under 1 titles"):
        Table(["n"], [["1", "2"]])


def test_table_writes_a_quantity_in_the_unit_of_its_column_row_or_of_the_first_title_with_one():
    quantity = Quantity(0.0205, ".1f")
    assert Table(["n", "ms"], [["1", quantity]]).rows == [["1", "20.5"]]
    assert Table(["what", "here"], [["lap in s", quantity]]).rows == [["lap in s", "0.0"]]
    assert Table(["n, in µs", "loop"], [["1", quantity]]).rows == [["1", "20500.0"]]
    rows = Table(["n", "median in s", "spread"], [["1", quantity, quantity]]).rows
    assert rows == [["1", "0.0", "0.0"]]
    both = Table(["n", "ms"], [["lap in s", quantity]]).rows
    assert both == [["lap in s", "20.5"]]


def test_table_refuses_a_quantity_without_unit():
    with pytest.raises(ValueError, match="none of 'loop', '1', 'n', 'loop' names a unit"):
        Table(["n", "loop"], [["1", Quantity(1.0, ".1f")]])


@pytest.mark.parametrize("number", ["20.5", 20, "1,230", "-4", "1.2e-05"])
@pytest.mark.parametrize(
    ("header", "name"), [(["n", "ms"], "1"), (["what", "here"], "lap in ms"), (["ms", "loop"], "1")]
)
def test_table_refuses_a_number_by_hand_beside_a_unit(header, name, number):
    with pytest.raises(ValueError, match=f"{number}' stands beside the unit ms: give a Quantity"):
        Table(header, [[name, number]])


@pytest.mark.parametrize(
    ("header", "row"),
    [(["n", "ms"], ["1", "–"]), (["ms", "slope s"], ["a", "b"]), (["n", "ms", "rate"], [1, "", 2])],
)
def test_table_takes_words_beside_a_unit_and_numbers_elsewhere(header, row):
    assert Table(header, [row]).rows == [[str(field) for field in row]]
