"""What runs of sweeps leave, and the table that is made of it."""

import csv
import json

import pyarrow.parquet as pq
import pytest

from labsupport.pipeline.grid import PlannedRun, Source
from labsupport.pipeline.results import COLUMNS, Results, rows_of, table_text, write_parquet

RUN = PlannedRun("sums", {"seed": 3, "device": "cpu", "lr": 0.1}, "0123")
SOURCE = Source("sums", "{}", {}, "state")
RESULT = {
    "error": "",
    "stand_in": "",
    "findings": {"small": {"words": "It is small, so.", "held": True}},
    "numbers": {
        "total": {"value": 1.25, "text": "1.2"},
        "class": {"value": "Shirt", "text": "Shirt"},
        "loss": {"value": "nan", "text": "nan"},
    },
    "environment": {"torch": "2"},
    "seconds": 1.5,
    "worker": "here",
    "notebook": "",
    "log": "complaints",
}
FAILURE = RESULT | {"error": "in cell 3: E", "findings": {}, "numbers": {}, "notebook": "{}"}


@pytest.fixture
def results(tmp_path):
    return Results(tmp_path / "sweep")


def test_run_that_ended_well_is_there_afterwards(results):
    assert not results.has(RUN)
    record = results.keep(RUN, SOURCE, RESULT)
    assert results.has(RUN)
    assert results.read(RUN) == record
    assert record["environment"] == RESULT["environment"]
    assert results.current([SOURCE]) == [record]
    assert list(results.failed.iterdir()) == []


@pytest.mark.parametrize("result", [FAILURE, RESULT | {"stand_in": "no network"}])
def test_run_that_failed_or_stood_in_is_to_be_run_again(results, result):
    results.keep(RUN, SOURCE, result)
    assert not results.has(RUN)
    assert results.read(RUN)["error"] == result["error"]


def test_failed_run_leaves_its_copy_and_its_log_until_it_ends_well(results):
    record = results.keep(RUN, SOURCE, FAILURE)
    assert record["copy"] == str(results.failed / "0123.ipynb")
    assert (results.failed / "0123.log").read_text() == "complaints"
    assert results.keep(RUN, SOURCE, RESULT)["copy"] == ""
    assert not (results.failed / "0123.ipynb").exists()


def test_damaged_record_is_none(results):
    results.keep(RUN, SOURCE, RESULT)
    (results.runs / "0123.json").write_text("{")
    assert not results.has(RUN)
    assert results.current([SOURCE]) == []


def test_record_of_another_state_is_not_current(results):
    results.keep(RUN, SOURCE, RESULT)
    assert results.current([Source("sums", "{}", {}, "another")]) == []
    assert results.current([Source("curves", "{}", {}, "state")]) == []


def test_rows_are_tidy(results):
    rows = list(rows_of(results.keep(RUN, SOURCE, RESULT)))
    assert all(tuple(row) == COLUMNS for row in rows)
    told = [(r["kind"], r["name"], r["held"], r["value"], r["text"]) for r in rows]
    assert told == [
        ("finding", "small", True, None, "It is small, so."),
        ("number", "total", None, 1.25, "1.2"),
        ("number", "class", None, None, "Shirt"),
        ("number", "loss", None, None, "nan"),
    ]
    assert {(r["run"], r["seed"], r["parameters"]) for r in rows} == {("0123", 3, '{"lr": 0.1}')}


def test_failure_is_one_row(results):
    (row,) = rows_of(results.keep(RUN, SOURCE, FAILURE))
    assert (row["kind"], row["error"], row["name"]) == ("error", "in cell 3: E", None)
    assert row["copy"].endswith("0123.ipynb")


def test_both_tables_say_the_same(results, tmp_path):
    records = [results.keep(RUN, SOURCE, RESULT), results.keep(RUN, SOURCE, FAILURE)]
    rows = list(csv.DictReader(table_text(records).splitlines()))
    write_parquet(records, tmp_path / "t.parquet")
    others = pq.read_table(tmp_path / "t.parquet").to_pylist()
    assert [{k: "" if v is None else str(v) for k, v in row.items()} for row in others] == rows
    assert table_text(records, header=False) == table_text(records).partition("\n")[2]
    assert json.loads(rows[0]["parameters"]) == {"lr": 0.1}
