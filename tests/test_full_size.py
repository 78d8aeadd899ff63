"""The benchmark reads the chapter's tables by the ids of cells and the names of programs."""

import re

import full_size
import pytest
from conftest import ROOT

from labsupport.pipeline.notebooks import code_cells, read_notebook, tags

CHAPTER = read_notebook(ROOT / "book" / f"{full_size.CHAPTER}.ipynb")
TIMES = """| program | median in s | times as fast |
|---|---|---|
| slow | 3.0 | 1.0 |
| fast | 0.5 | 6.0 |"""


def test_ratio_is_that_of_the_medians():
    assert full_size.ratio(TIMES, "slow", "fast") == 6


def test_ratio_reads_the_times_beside_a_floor():
    table = (
        "| one epoch | time in ms | over the floor |\n|---|---|---|\n| a | 8 | 4 |\n| b | 2 | 1 |"
    )
    assert full_size.ratio(table, "a", "b") == 4


def test_every_table_of_times_is_read():
    shown = full_size.shown_tables(CHAPTER)
    assert list(shown) == list(full_size.TABLES)
    measured = {cell.id for cell in code_cells(CHAPTER) if "measured" in tags(cell)}
    assert measured - set(shown) == {"curves-figure", "where"}


def test_every_target_finds_its_rows():
    rows, _ = full_size.judge(full_size.shown_tables(CHAPTER))
    assert len(rows) == len(full_size.AT_LEAST) + len(full_size.AT_MOST)
    pattern = r"\| at (least|most) [0-9.]+ \| [0-9.]+ \| (yes|no: .+) \|$"
    assert all(re.search(pattern, row) for row in rows)


@pytest.mark.parametrize(("limit", "verdict"), [(6, "yes"), (6.1, "no: fast is slow")])
def test_a_missed_target_is_told_with_its_reason(monkeypatch, limit, verdict):
    target = full_size.Target("fast over slow", "times", ("slow", "fast"), limit, "fast is slow")
    monkeypatch.setattr(full_size, "AT_LEAST", [target])
    monkeypatch.setattr(full_size, "AT_MOST", [])
    assert full_size.judge({"times": TIMES}) == (
        [f"| fast over slow | at least {limit} | 6.0 | {verdict} |"],
        verdict == "yes",
    )


@pytest.mark.parametrize(("limit", "met"), [(6, True), (5.9, False)])
def test_a_program_too_far_over_its_floor_is_told(monkeypatch, limit, met):
    target = full_size.Target("slow over its floor", "times", ("slow", "fast"), limit)
    monkeypatch.setattr(full_size, "AT_LEAST", [])
    monkeypatch.setattr(full_size, "AT_MOST", [target])
    assert full_size.judge({"times": TIMES})[1] == met


def test_full_size_names_parameters_of_the_chapter():
    parameters = next(cell for cell in CHAPTER.cells if "parameters" in tags(cell))
    names = set(re.findall(r"^(\w+) =", parameters.source, re.MULTILINE))
    assert set(full_size.FULL_SIZE) < names


def test_page_shows_device_targets_and_tables():
    text, _ = full_size.compose(CHAPTER)
    assert re.match(r"Measured on [CG]PU, .+, with PyTorch [0-9.]+\.\n\n\| program over", text)
    assert all(f"\n\n**{title}:**\n\n|" in text for title in full_size.TABLES.values())
