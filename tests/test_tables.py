import pytest

from labsupport.tables import Table


def test_table_is_github_flavoured_markdown():
    table = Table(["n", "time in ms"], [[10, "0.2"]])
    assert repr(table) == "| n | time in ms |\n|---|---|\n| 10 | 0.2 |"
    assert table._repr_markdown_() == repr(table)


def test_table_refuses_a_row_of_another_length():
    with pytest.raises(ValueError, match="2 cells under 1 titles"):
        Table(["n"], [["1", "2"]])
