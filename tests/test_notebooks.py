import json
import os

import nbformat
import pytest
from conftest import CURVES, FIGURE, SUMS, make_notebook

from labsupport.notebooks import (
    NotebookError,
    clean_execution,
    code_cells,
    lint,
    read_notebook,
    remove_leftovers,
    stand_in_reason,
    transplant_outputs,
    write_notebook,
    write_together,
)

PNG = "iVBORw0KGgo="


@pytest.fixture
def notebook():
    """Return a chapter that breaks no rule."""
    notebook = make_notebook(SUMS)
    for number, cell in enumerate(code_cells(notebook), start=1):
        cell.execution_count = number
    return notebook


def problems(notebook, chapter="sums"):
    return lint(notebook, chapter=chapter, measured_budget=1)


def put_out(notebook, output):
    code_cells(notebook)[2].outputs = [output]


def test_lint_accepts_a_clean_chapter(notebook):
    assert problems(notebook) == []


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("# NBVAL_IGNORE_OUTPUT\n1", "escapes the output contract"),
        ("  #NBVAL_SKIP", "escapes the output contract"),
        ("%matplotlib inline", "uses a magic"),
        ("!ls", "uses a magic"),
        ("%pip install x", "uses a magic"),
        ("from torch import *", "imports with a star"),
        ("warnings.filterwarnings('ignore')", "silences every warning"),
        ('warnings.simplefilter( "ignore" )', "silences every warning"),
        ("clear_output(wait=True)", "rewrites its output"),
        ("x = 1" + "\n" * 30 + "y = 2", "has 31 lines"),
        (f"x = '{'a' * 74}'", "has a line of 80 characters"),
    ],
)
def test_lint_refuses_sources(notebook, source, problem):
    code_cells(notebook)[2].source = source
    (found,) = problems(notebook)
    assert found.startswith(f"cell 3 (total) {problem}")


@pytest.mark.parametrize(
    "source", ["x = 7 % 3", "warnings.filterwarnings('ignore', message='one')", "print('50%')"]
)
def test_lint_accepts_innocent_sources(notebook, source):
    code_cells(notebook)[2].source = source
    assert problems(notebook) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("<object object at 0x7f30b0c3e2d0>", "prints the address of an object"),
        ("saved to /home/me/x.pt", "prints a local path"),
        ("saved to C:\\Users\\me", "prints a local path"),
        ("tensor([1.], device='cuda:0')", "prints a tensor or device that is on the GPU"),
        ("device(type='cuda', index=0)", "prints a tensor or device that is on the GPU"),
    ],
)
def test_lint_refuses_texts(notebook, text, problem):
    put_out(notebook, nbformat.v4.new_output("execute_result", {"text/plain": text}))
    assert problems(notebook) == [f"cell 3 (total) {problem}"]


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        (nbformat.v4.new_output("error", ename="KeyError", evalue="1"), "ends in an error"),
        (nbformat.v4.new_output("stream", name="stderr", text="oh"), "writes to stderr"),
        (
            nbformat.v4.new_output("display_data", {"application/javascript": "1"}),
            "holds active content",
        ),
        (
            nbformat.v4.new_output(
                "display_data", {"application/vnd.jupyter.widget-view+json": {}}
            ),
            "holds active content",
        ),
        (
            nbformat.v4.new_output(
                "display_data", {"text/plain": ""}, metadata={"labs": {"stand_in": "none"}}
            ),
            "was run on stand-in data",
        ),
    ],
)
def test_lint_refuses_outputs(notebook, output, problem):
    put_out(notebook, output)
    (found,) = problems(notebook)
    assert found.startswith(f"cell 3 (total) {problem}")


def test_lint_wants_caption_name_and_alt_text(notebook):
    put_out(notebook, nbformat.v4.new_output("display_data", {"image/png": PNG}))
    assert len(problems(notebook)) == 3
    cell = code_cells(notebook)[2]
    cell.metadata.mystnb = FIGURE
    assert problems(notebook, chapter="curves") == []
    assert "is not fig-sums-…" in problems(notebook)[0]
    assert "is not fig-two-words-…" in problems(notebook, chapter="two_words")[0]
    cell.outputs *= 2
    assert "draws 2 figures" in problems(notebook, chapter="curves")[0]


def test_lint_wants_execution_in_order(notebook):
    code_cells(notebook)[2].execution_count = 7
    code_cells(notebook)[3].execution_count = None
    assert problems(notebook) == [
        "cell 3 (total) has execution count 7: run all cells in order, once",
        "cell 4 (clock) has no execution count: it would never be compared",
    ]


def test_lint_refuses_traces_of_papermill(notebook):
    notebook.metadata.papermill = {}
    code_cells(notebook)[0].metadata.execution = {}
    assert problems(notebook) == [
        "the notebook carries papermill metadata",
        "cell 1 (imports) carries execution metadata",
    ]


def test_lint_wants_one_parameters_cell(notebook):
    del code_cells(notebook)[1].metadata["tags"]
    assert problems(notebook) == ["0 cells are tagged parameters; there must be one"]


def test_lint_wants_unique_ids(notebook):
    notebook.cells[0].id = notebook.cells[1].id
    assert problems(notebook) == ["cell ids are missing or occur twice"]


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


def test_write_together_writes_all_or_none(tmp_path):
    old, absent = tmp_path / "old", tmp_path / "no folder" / "new"
    old.write_text("old")
    with pytest.raises(FileNotFoundError, match="no folder/new'"):
        write_together({old: "new", absent: "new"})
    assert old.read_text() == "old"
    assert list(tmp_path.iterdir()) == [old]


def test_write_together_keeps_the_mode_of_a_file(tmp_path):
    path = tmp_path / "x"
    path.touch()
    path.chmod(0o640)
    write_together({path: "new"})
    assert path.stat().st_mode & 0o777 == 0o640


def test_write_together_makes_the_renames_last(tmp_path, monkeypatch):
    synced = []

    def fsync(handle):
        synced.append((os.readlink(f"/proc/self/fd/{handle}"), sorted(os.listdir(tmp_path))))

    monkeypatch.setattr(os, "fsync", fsync)
    write_together({tmp_path / "x": "new"})
    assert synced[-1] == (str(tmp_path), ["x"])


def test_leftovers_of_a_killed_write_are_removed_and_nothing_else(tmp_path):
    for name in (".new-abc", ".hidden", "new-page.md"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".hidden", "new-page.md"]
