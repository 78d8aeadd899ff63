import pytest

from labsupport.pipeline.project import LabsError
from labsupport.pipeline.provenance import provenance_markdown, provenance_text, read_provenance

ROW = {
    "chapter": "a",
    "run": "2026, seed 0",
    "machine": "CPU",
    "seconds": "7",
    "peak MB": "9",
    "seal": "0f",
}


def test_rows_come_back_as_written(tmp_path):
    path = tmp_path / "provenance.csv"
    path.write_text(provenance_text([ROW]))
    assert read_provenance(path) == [ROW]


def test_no_file_is_no_row(tmp_path):
    assert read_provenance(tmp_path / "provenance.csv") == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "chapter\n",
        "chapter,run,machine,seconds,peak MB,seal\na,b\n",
        "chapter,run,machine,seconds,peak MB\na,b,c,7,9\n",
    ],
)
def test_damaged_file_is_refused(tmp_path, text):
    path = tmp_path / "provenance.csv"
    path.write_text(text)
    with pytest.raises(LabsError, match="is damaged"):
        read_provenance(path)


def test_provenance_has_a_table_for_each_machine_with_its_sum():
    rows = [
        ROW | {"chapter": name, "run": "today", "machine": machine, "seconds": seconds}
        for name, machine, seconds in (("a", "GPU", "7"), ("b", "CPU", "2"), ("c", "CPU", "3"))
    ]
    tables = provenance_markdown(rows).split("\n\n")
    header = "| chapter | run | seconds | peak MB |\n|---|---|--:|--:|\n"
    assert tables == [
        "\nCPU:",
        header + "| {doc}`b` | today | 2 | 9 |\n| {doc}`c` | today | 3 | 9 |\n"
        "| all, one after another | | 5 | |",
        "GPU:",
        header + "| {doc}`a` | today | 7 | 9 |\n| all, one after another | | 7 | |",
    ]
