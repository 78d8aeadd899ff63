import json
import os

import nbformat
import pytest
from tiny_book import CURVES, SUMS, make_notebook

from labsupport.pipeline.notebooks import (
    NotebookError,
    clean_execution,
    code_cells,
    code_digest,
    numbers,
    read_notebook,
    stand_in_reason,
    transplant_outputs,
    write_notebook,
)


def test_clean_execution_merges_streams_and_renumbers():
    notebook = make_notebook(CURVES)
    injected = nbformat.v4.new_code_cell("device = 'cpu'")
    injected.metadata.tags = ["injected-parameters"]
    notebook.cells.insert(3, injected)
    for number, cell in enumerate(code_cells(notebook), start=1):
        cell.execution_count = number
        cell.metadata.papermill = {"duration": 1}
    last = code_cells(notebook)[-1]
    last.outputs = [
        nbformat.v4.new_output("stream", name="stdout", text="a"),
        nbformat.v4.new_output("stream", name="stdout", text="b\n"),
        nbformat.v4.new_output("execute_result", {"text/plain": "1"}, execution_count=4),
    ]
    clean_execution(notebook, drop_injected=True)
    assert [cell.execution_count for cell in code_cells(notebook)] == [1, 2, 3]
    assert [output.get("text") for output in last.outputs] == ["ab\n", None]
    assert last.outputs[1].execution_count == 3
    assert "papermill" not in last.metadata


def test_transplant_refuses_moved_cells(notebook):
    other = make_notebook(SUMS[::-1])
    with pytest.raises(NotebookError, match="added, removed or moved"):
        transplant_outputs(notebook, other)


def test_stand_in_reason_is_empty_for_ordinary_outputs():
    assert stand_in_reason([nbformat.v4.new_output("stream", name="stdout", text="a")]) == ""


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"nbformat": 4}', "\x00\x01", "[" * 99999])
def test_read_notebook_names_a_file_that_is_none(tmp_path, content):
    path = tmp_path / "x.ipynb"
    path.write_text(content)
    with pytest.raises(NotebookError, match="x.ipynb is not a valid notebook"):
        read_notebook(path)


def without_id(raw):
    del raw["cells"][2]["id"]


def without_source(raw):
    del raw["cells"][2]["source"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda raw: raw.update(nbformat=3), "its nbformat is 3, not 4: save it from Jupyter"),
        (lambda raw: raw.update(nbformat=5), "its nbformat is 5, not 4: save it from Jupyter"),
        (lambda raw: raw["cells"][1].update(id="total"), "two cells have the id 'total': give"),
        (without_id, "cell 3 of all has no id: give it one"),
        (without_source, "'source' is a required property"),
        (lambda raw: raw.update(cells=[1]), "'int' object has no attribute 'get'"),
    ],
)
def test_read_notebook_repairs_nothing_in_silence(tmp_path, change, problem):
    raw = json.loads(nbformat.writes(make_notebook(SUMS)))
    change(raw)
    path = tmp_path / "x.ipynb"
    path.write_text(json.dumps(raw))
    with pytest.raises(NotebookError, match=f"x.ipynb is not a valid notebook: {problem}"):
        read_notebook(path)


def test_read_notebook_names_a_missing_file(tmp_path):
    with pytest.raises(NotebookError, match="cannot read .*x.ipynb: No such file"):
        read_notebook(tmp_path / "x.ipynb")


def test_write_notebook_leaves_the_old_file_when_it_fails(tmp_path, notebook, monkeypatch):
    path = tmp_path / "x.ipynb"
    write_notebook(notebook, path)
    before = path.read_bytes()

    def no_space(*paths):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", no_space)
    with pytest.raises(OSError, match="No space left"):
        write_notebook(make_notebook(CURVES), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_numbers_are_read_with_what_is_printed():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(id="a")])
    metadata = {"labs": {"number": {"name": "half", "value": 0.512}}}
    data = {"application/papermill.record/text/plain": "'0.5'"}
    notebook.cells[0].outputs = [
        nbformat.v4.new_output("display_data", data, metadata=metadata),
        nbformat.v4.new_output("stream", name="stdout", text="0.512"),
    ]
    assert numbers(notebook) == {"half": {"value": 0.512, "text": "0.5"}}


def test_digest_of_the_code_sees_ids_and_tags(book):
    before = code_digest(book.read("sums"))
    book.edit("sums", "total", lambda cell: cell.metadata.update(tags=["hide-input"]))
    assert code_digest(book.read("sums")) != before
