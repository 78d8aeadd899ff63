import nbformat
import pytest
from tiny_book import FIGURE

from labsupport.findings import Finding
from labsupport.pipeline.lint import lint, refuse_broken_rules
from labsupport.pipeline.notebooks import code_cells
from labsupport.pipeline.project import LabsError

PNG = "iVBORw0KGgo="


def problems(notebook, chapter="sums"):
    return lint(notebook, chapter=chapter, num_granted=1)


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
        ("update_display(x)", "rewrites its output"),
        ("display(x, display_id=True)", "rewrites its output"),
        ("x = 1" + "\n" * 30 + "y = 2", "has 31 lines"),
        (f"x = '{'a' * 74}'", "has a line of 80 characters"),
    ],
)
def test_lint_refuses_sources(notebook, source, problem):
    code_cells(notebook)[2].source = source
    (found,) = problems(notebook)
    assert found.startswith(f"cell 3 (total) {problem}")


@pytest.mark.parametrize(
    "source",
    [
        "x = 7 % 3",
        "warnings.filterwarnings('ignore', message='one')",
        "print('50%')",
        "",
        "x = 1" + "\n" * 29 + "y = 2",
        f"x = '{'a' * 73}'",
    ],
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


def test_lint_shows_the_beginning_of_what_is_on_stderr(notebook):
    put_out(notebook, nbformat.v4.new_output("stream", name="stderr", text=" oh\n" * 99))
    shown = repr("oh\n " * 20)
    assert problems(notebook) == [f"cell 3 (total) writes to stderr: {shown}"]


@pytest.mark.parametrize(("address", "found"), [("0x7f30b", False), ("0x7f30b0", True)])
def test_lint_takes_six_digits_for_an_address(notebook, address, found):
    put_out(notebook, nbformat.v4.new_output("stream", name="stdout", text=f"at {address}"))
    assert bool(problems(notebook)) == found


def test_lint_wants_caption_name_and_alt_text(notebook):
    put_out(notebook, nbformat.v4.new_output("display_data", {"image/png": PNG}))
    assert len(problems(notebook)) == 3
    cell = code_cells(notebook)[2]
    cell.metadata.mystnb = FIGURE
    assert problems(notebook, chapter="curves") == []
    assert problems(notebook)[0].endswith("is not fig-sums-…")
    assert problems(notebook, chapter="two_words")[0].endswith("is not fig-two-words-…")
    cell.outputs *= 2
    assert "draws 2 figures" in problems(notebook, chapter="curves")[0]


def test_lint_wants_execution_in_order(notebook):
    code_cells(notebook)[2].execution_count = 7
    code_cells(notebook)[3].execution_count = None
    assert problems(notebook) == [
        "cell 3 (total) has execution count 7: run all cells in order, once",
        "cell 4 (clock) has no execution count: it would never be compared",
    ]


@pytest.mark.parametrize("key", ["papermill", "widgets"])
def test_lint_refuses_traces_in_the_metadata_of_a_notebook(notebook, key):
    notebook.metadata[key] = {}
    assert problems(notebook) == [f"the notebook carries {key} metadata"]


@pytest.mark.parametrize("key", ["papermill", "execution"])
def test_lint_refuses_traces_in_the_metadata_of_a_cell(notebook, key):
    code_cells(notebook)[0].metadata[key] = {}
    assert problems(notebook) == [f"cell 1 (imports) carries {key} metadata"]


def test_lint_refuses_foreign_tags(notebook):
    code_cells(notebook)[0].metadata.tags = ["slow"]
    assert problems(notebook) == [
        "cell 1 (imports) has the tag 'slow'; only hide-input, measured, parameters exist"
    ]


def test_lint_accepts_folded_cells(notebook):
    code_cells(notebook)[0].metadata.tags = ["hide-input"]
    assert problems(notebook) == []


def test_lint_refuses_a_finding_that_does_not_hold(notebook):
    data, metadata = Finding("slow", "The loop is slow.", False)._repr_mimebundle_()
    put_out(notebook, nbformat.v4.new_output("display_data", data, metadata=metadata))
    assert problems(notebook) == ["the finding 'slow' does not hold: The loop is slow."]


def test_lint_wants_a_finding_outside_of_the_cell_of_a_figure(notebook):
    cell = code_cells(notebook)[2]
    cell.metadata.mystnb = FIGURE
    data, metadata = Finding("slow", "The loop is slow.", True)._repr_mimebundle_()
    finding = nbformat.v4.new_output("display_data", data, metadata=metadata)
    cell.outputs = [nbformat.v4.new_output("display_data", {"image/png": PNG}), finding]
    assert problems(notebook, chapter="curves") == [
        "cell 3 (total) draws a figure and states a finding; give the finding its own cell"
    ]


def test_typed_numbers_break_the_rules(notebook, tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.labs.measured]\nsums = 1\n")
    notebook.cells[0].source = "# A chapter\n\nThe total is 0.69."
    with pytest.raises(LabsError, match="cell title types the number 0.69 in its text: quote it"):
        refuse_broken_rules(notebook, chapter="sums", root=tmp_path)


def test_lint_wants_one_parameters_cell(notebook):
    del code_cells(notebook)[1].metadata["tags"]
    assert problems(notebook) == ["0 cells are tagged parameters; there must be one"]


@pytest.mark.parametrize(("granted", "tagged"), [(1, 0), (1, 2), (2, 1), (0, 1)])
def test_lint_wants_as_many_measured_cells_as_are_granted(notebook, granted, tagged):
    for cell in code_cells(notebook)[2:]:
        cell.metadata.tags = []
    for cell in code_cells(notebook)[2 : 2 + tagged]:
        cell.metadata.tags, cell.source = ["measured"], "lap_s"
    (problem,) = lint(notebook, chapter="sums", num_granted=granted)
    assert problem == (
        f"{tagged} cells are tagged measured, pyproject.toml grants {granted}: if the tags are "
        f"right, write sums = {tagged} under [tool.labs.measured]"
    )


def test_lint_wants_unique_ids(notebook):
    notebook.cells[0].id = notebook.cells[1].id
    assert problems(notebook) == ["cell ids are missing or occur twice"]


MEASURED = (
    "1e6 * lap_s",
    "num_bytes / 1e9",
    "2 * X.numel()",
    "n = 10**7",
    "lap_s *= 1e3",
    "1 + lap_s",
)


@pytest.mark.parametrize("source", MEASURED)
def test_lint_refuses_arithmetic_with_literals_in_a_measured_cell(notebook, source):
    cells = code_cells(notebook)
    cells[2].source = cells[3].source = source
    (found,) = problems(notebook)
    assert found.startswith("cell 4 (clock) computes ")
    assert "name the unit (labsupport.units)" in found


@pytest.mark.parametrize(
    "source",
    ["num_bytes / lap_s", "assert slow_s > 3 * fast_s", "laps_s[-1]", "'%s' % lap_s", "-1.0"],
)
def test_lint_accepts_other_sources_of_a_measured_cell(notebook, source):
    code_cells(notebook)[3].source = source
    assert problems(notebook) == []


def test_settings_that_are_not_toml_are_named(notebook, tmp_path):
    settings = tmp_path / "pyproject.toml"
    settings.write_text("[tool")
    with pytest.raises(LabsError, match=f"^{settings} is not TOML: "):
        refuse_broken_rules(notebook, chapter="sums", root=tmp_path)
