"""Each test plants one fault into a tiny book and reads what `pytest --nbval book/` says."""

import json
import re
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parents[1] / "Makefile"


@pytest.fixture(scope="module")
def untouched(blessed_book):
    """Test the book on two workers, as the Makefile does."""
    sharing = re.search(r"--dist \w+", MAKEFILE.read_text(encoding="utf-8"))[0].split()
    return blessed_book.pytest("book", "--verbose", "--numprocesses", "2", *sharing)


def test_untouched_book_passes(untouched):
    assert untouched.returncode == 0, untouched.stdout
    assert "9 passed" in untouched.stdout


def test_one_worker_runs_all_cells_of_a_chapter(untouched):
    places = set(re.findall(r"\[(gw\d)\].*book/(\w+)\.ipynb", untouched.stdout))
    assert sorted(chapter for _, chapter in places) == ["curves", "sums"]


def test_changed_constant_is_named_with_its_distance(book):
    book.replace_source("sums", "total", "0.41", "0.42")
    result = book.pytest("book/sums.ipynb")
    assert result.returncode == 1
    assert "sums, cell 3 (total): the outputs are not those that the page promises" in result.stdout
    assert "1.230 was promised, 1.260 found, 30 units of its last place apart" in result.stdout
    assert "1 failed" in result.stdout


def test_change_within_one_unit_passes(book):
    book.replace_source("sums", "total", "0.41", "0.4103")
    assert book.pytest("book/sums.ipynb").returncode == 0


def test_changed_integer_fails(book):
    book.replace_source("sums", "total", "{seed}", "{seed + 1}")
    result = book.pytest("book/sums.ipynb")
    assert "3 was promised exactly, 4 found" in result.stdout


def test_changed_word_fails(book):
    book.replace_source("sums", "total", "total {", "Total {")
    result = book.pytest("book/sums.ipynb")
    assert "other words" in result.stdout
    assert "promised  total 1.230 of 3 parts" in result.stdout
    assert "found     Total 1.230 of 3 parts" in result.stdout


def test_measured_cell_masks_numbers_but_not_words(book):
    book.replace_source("sums", "clock", "took", "needed")
    result = book.pytest("book/sums.ipynb")
    assert "sums, cell 4 (clock)" in result.stdout
    assert "promised  took # s" in result.stdout


def test_changed_curve_fails(book):
    book.replace_source("curves", "imports", "1.0", "1.1")
    result = book.pytest("book/curves.ipynb")
    assert "curves, cell 3 (figure)" in result.stdout
    assert "figure: other pixels" in result.stdout


def test_figure_that_is_no_longer_drawn_fails(book):
    book.edit("curves", "figure", lambda cell: cell.update(source="pass"))
    result = book.pytest("book/curves.ipynb")
    assert "found     no output" in result.stdout


def test_removed_png_fails(book):
    def remove_png(cell):
        del cell.outputs[0].data["image/png"]

    book.edit("curves", "figure", remove_png)
    result = book.pytest("book/curves.ipynb")
    assert "found     image/png, text/plain" in result.stdout


def test_removed_outputs_fail(book):
    book.edit("sums", "total", lambda cell: cell.update(outputs=[]))
    result = book.pytest("book/sums.ipynb")
    assert "promised  no output" in result.stdout


def test_removed_execution_count_fails(book):
    book.edit("sums", "total", lambda cell: cell.update(execution_count=None))
    result = book.pytest("book/sums.ipynb")
    assert "cell 3 (total) has no execution count: it would never be compared" in result.stdout
    assert result.returncode == 1


def test_error_stops_the_chapter_and_is_shown_once(book):
    book.replace_source("sums", "parameters", "seed = 3", "seed = 3\nmissing_name")
    result = book.pytest("book/sums.ipynb", "-rs")
    assert "sums, cell 2 (parameters): Cell execution caused an exception" in result.stdout
    assert "NameError" in result.stdout
    assert "not run, because cell 2 failed" in result.stdout
    assert "1 failed, 2 passed, 2 skipped" in result.stdout


def test_dead_kernel_is_noticed_at_once(book):
    kill = "import os\nos.kill(os.getpid(), 9)"
    book.edit("sums", "total", lambda cell: cell.update(source=kill))
    result = book.pytest("book/sums.ipynb", "--durations=1")
    assert "sums, cell 3 (total): the kernel died while the cell was running" in result.stdout
    assert "1 failed, 3 passed, 1 skipped" in result.stdout


def test_selected_cell_runs_those_before_it(book):
    result = book.pytest("book/sums.ipynb::3-total")
    assert "1 passed" in result.stdout, result.stdout


def test_stand_in_run_is_skipped_with_its_reason(book):
    mark = {"labs": {"stand_in": "no network here"}}
    book.replace_source("sums", "total", "total =", f"display('x', metadata={mark})\ntotal =")
    result = book.pytest("book/sums.ipynb", "-rs")
    assert result.returncode == 0
    assert "sums ran on stand-in data: no network here" in result.stdout
    assert "3 passed, 2 skipped" in result.stdout


def test_file_that_is_not_a_notebook_is_an_error(book):
    book.path("sums").write_text("{ not JSON")
    result = book.pytest("book/sums.ipynb")
    assert result.returncode != 0
    assert "is not a valid notebook" in result.stdout


@pytest.mark.parametrize("tag", ["nbval-ignore-output", "nbval-skip", "raises-exception", "slow"])
def test_foreign_tags_fail(book, tag):
    book.edit("sums", "total", lambda cell: cell.metadata.update(tags=[tag]))
    result = book.pytest("book/sums.ipynb::lint")
    assert f"has the tag '{tag}'" in result.stdout


def test_measured_budget_is_kept(book):
    book.edit("sums", "total", lambda cell: cell.metadata.update(tags=["measured"]))
    result = book.pytest("book/sums.ipynb::lint")
    assert "2 cells are tagged measured; pyproject.toml grants 1" in result.stdout


def test_outputs_are_merged_however_the_kernel_cuts_them(book):
    raw = json.loads(book.path("sums").read_text())
    cell = next(cell for cell in raw["cells"] if cell["id"] == "total")
    text = "".join(cell["outputs"][0]["text"])
    pieces = [text[:5], text[5:]]
    cell["outputs"] = [
        {"name": "stdout", "output_type": "stream", "text": piece} for piece in pieces
    ]
    book.path("sums").write_text(json.dumps(raw))
    assert book.pytest("book/sums.ipynb").returncode == 0
