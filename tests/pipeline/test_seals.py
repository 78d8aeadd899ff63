"""What programs wrote into the book is as they wrote it."""

import copy

import pytest
from conftest import ROOT

from labsupport.pipeline.notebooks import read_notebook
from labsupport.pipeline.project import Project
from labsupport.pipeline.provenance import PROVENANCE, read_provenance
from labsupport.pipeline.seals import is_sealed, seal_run, write_sealed

PROJECT = Project(ROOT, ROOT / "_build")
ROWS = {row["chapter"]: row for row in read_provenance(PROJECT.book / PROVENANCE)}
TABLES = {path.name: path for path in (PROJECT.book / "assets").glob("*.md")}


# the book


def test_every_chapter_has_one_row_of_provenance_in_the_order_of_the_book():
    rows = read_provenance(PROJECT.book / PROVENANCE)
    assert [row["chapter"] for row in rows] == PROJECT.chapters()


@pytest.mark.parametrize("chapter", PROJECT.chapters())
def test_committed_outputs_are_those_of_the_run_that_is_told(chapter):
    notebook = read_notebook(PROJECT.notebook(chapter))
    assert ROWS[chapter]["seal"] == seal_run(ROWS[chapter], notebook), (
        f"the outputs of {chapter} or its row of {PROVENANCE} were not written by labs update, "
        f"or not together: labs run {chapter} && labs update {chapter}"
    )


@pytest.mark.parametrize("name", TABLES)
def test_measured_tables_are_those_that_a_benchmark_wrote(name):
    assert is_sealed(TABLES[name].read_text(encoding="utf-8")), (
        f"book/assets/{name} was changed by hand: run the benchmark that writes it, or restore it"
    )


# the seal


@pytest.fixture
def run(blessed_book):
    """Return the row and the notebook of a chapter, to be changed at will."""
    rows = read_provenance(blessed_book.root / "book" / PROVENANCE)
    return copy.deepcopy((rows[0], read_notebook(blessed_book.path("sums"))))


def test_update_seals_what_it_writes(run):
    row, notebook = run
    assert len(row["seal"]) == 64
    assert row["seal"] == seal_run(row, notebook)


@pytest.mark.parametrize("column", ["chapter", "run", "machine", "seconds", "peak MB"])
def test_seal_breaks_when_a_field_is_edited(run, column):
    row, notebook = run
    assert seal_run(row | {column: f"{row[column]}0"}, notebook) != row["seal"]


@pytest.mark.parametrize(
    "edit",
    [
        lambda cell: cell.outputs[0].update(text="took 0.001 s\n"),
        lambda cell: cell.outputs[0].update(metadata={"labs": {"environment": {}}}),
        lambda cell: cell.outputs.append(cell.outputs[0]),
        lambda cell: cell.outputs.clear(),
        lambda cell: cell.update(id="watch"),
    ],
)
def test_seal_breaks_when_an_output_is_edited_measured_or_not(run, edit):
    row, notebook = run
    for cell in notebook.cells[3:]:
        other = copy.deepcopy(notebook)
        edit(next(c for c in other.cells if c.id == cell.id))
        assert seal_run(row, other) != row["seal"]


def test_seal_breaks_when_outputs_change_places(run):
    row, notebook = run
    notebook.cells[3:] = reversed(notebook.cells[3:])
    assert seal_run(row, notebook) != row["seal"]


def test_seal_holds_when_sources_and_prose_are_edited(run):
    row, notebook = run
    del notebook.cells[1]  # a cell without outputs
    for number, cell in enumerate(notebook.cells):
        cell.source += "\n# edited"
        if cell.cell_type == "code":
            cell.execution_count = number
            for output in cell.outputs:
                output["execution_count"] = number
    assert seal_run(row, notebook) == row["seal"]


def test_written_table_is_sealed_until_a_digit_is_edited(tmp_path):
    path = tmp_path / "table.md"
    write_sealed("| s |\n|---|\n| 7.5 |\n", path)
    text = path.read_text()
    assert text.startswith("| s |\n|---|\n| 7.5 |\n\n% sha256: ")
    assert is_sealed(text)
    assert not is_sealed(text.replace("7.5", "7.4"))
    assert not is_sealed(text + "| 7.4 |\n")


@pytest.mark.parametrize("text", ["", "| 7.5 |\n", "| 7.5 |\n\n% sha256: \n"])
def test_text_without_a_seal_is_not_sealed(text):
    assert not is_sealed(text)
