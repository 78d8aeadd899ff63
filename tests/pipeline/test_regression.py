"""Each test plants one fault into a tiny chapter and reads what `pytest --nbval book/` says.

Every fault has a copy of its chapter in a folder of its own; one run goes through all of them.
"""

import dataclasses
import json
import re
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parents[2] / "Makefile"
FOREIGN_TAGS = ["nbval-ignore-output", "nbval-skip", "raises-exception", "slow"]
OUTCOMES = {"failure": "failed", "error": "error", "skipped": "skipped"}

faults = {}  # name of a test: what it runs, how it spoils that


def fault(target, plant=lambda book, chapter: None):
    """Keep for a test what spoils its copy of a chapter and what is then run of it."""

    def keep(test):
        faults[test.__name__] = target, plant
        return test

    return keep


def tagged(tag):
    """Return what gives a cell of the sums this tag only."""
    return lambda book, sums: book.edit(
        sums, "total", lambda cell: cell.metadata.update(tags=[tag])
    )


@dataclasses.dataclass
class Report:
    """How many lints and cells of one copy ended how, and why those that did not pass."""

    outcomes: Counter = dataclasses.field(default_factory=Counter)
    text: str = ""

    def add(self, case):
        """Read a test case of JUnit's XML."""
        reasons = [child for child in case if child.tag in OUTCOMES]
        self.outcomes.update([OUTCOMES[child.tag] for child in reasons] or ["passed"])
        self.text += "".join(f"{child.text}\n" for child in reasons)


@pytest.fixture(scope="module")
def faulty_run(blessed_book, tmp_path_factory):
    """Test all spoilt copies in one run."""
    book = blessed_book.copy(tmp_path_factory.mktemp("faulty") / "book", without=["_build"])
    targets = []
    for name, (target, plant) in faults.items():
        chapter = target.partition("::")[0]
        copy = f"{_folder(name)}/{chapter}"
        book.path(copy).parent.mkdir()
        book.write(copy, book.read(chapter))
        plant(book, copy)
        targets.append(f"book/{_folder(name)}/{target.replace(chapter, f'{chapter}.ipynb')}")
    options = ["--continue-on-collection-errors", "--nbval-cell-timeout=100"]
    result = book.pytest(*targets, *options, "--junitxml=report.xml")
    result.reports = {}
    report = book.root / "report.xml"
    assert report.exists(), result.stdout + result.stderr
    for case in ET.parse(report).iter("testcase"):
        folder = re.search(r"book\.(\w+)\.", f"{case.get('classname')}{case.get('name')}")[1]
        result.reports.setdefault(folder, Report()).add(case)
    return result


@pytest.fixture
def report(request, faulty_run):
    """Return what the run says of the copy that belongs to a test."""
    return faulty_run.reports.get(_folder(request.node.name), Report())


def _folder(name):
    return re.sub(r"\W+", "_", name)


@pytest.fixture(scope="module")
def untouched(blessed_book):
    """Test the book on two workers, as the Makefile does."""
    sharing = re.search(r"--dist \w+", MAKEFILE.read_text(encoding="utf-8"))[0].split()
    return blessed_book.pytest("book", "--verbose", "--numprocesses", "2", *sharing)


def test_untouched_book_passes(untouched):
    assert untouched.returncode == 0, untouched.stdout
    assert "10 passed" in untouched.stdout


def test_one_worker_runs_all_cells_of_a_chapter(untouched):
    places = set(re.findall(r"\[(gw\d)\].*book/(\w+)\.ipynb", untouched.stdout))
    assert sorted(chapter for _, chapter in places) == ["curves", "sums"]


@fault("sums", lambda book, sums: book.replace_source(sums, "total", "0.41", "0.42"))
def test_changed_constant_is_named_with_its_distance(report, faulty_run):
    assert report.outcomes == {"failed": 1, "passed": 5}
    assert faulty_run.returncode == 1
    assert "sums, cell 3 (total): the outputs are not those that the page promises" in report.text
    assert "1.230 was promised, 1.260 found, 30 units of its last place apart" in report.text


@fault("sums", lambda book, sums: book.replace_source(sums, "total", "0.41", "0.4103"))
def test_change_within_one_unit_passes(report):
    assert report.outcomes == {"passed": 6}, report.text


@fault("sums", lambda book, sums: book.replace_source(sums, "total", "{seed}", "{seed + 1}"))
def test_changed_integer_fails(report):
    assert "3 was promised exactly, 4 found" in report.text


@fault("sums", lambda book, sums: book.replace_source(sums, "total", "total {", "Total {"))
def test_changed_word_fails(report):
    assert "other words" in report.text
    assert "promised  total 1.230 of 3 parts" in report.text
    assert "found     Total 1.230 of 3 parts" in report.text


@fault("sums", lambda book, sums: book.replace_source(sums, "clock", "took", "needed"))
def test_measured_cell_masks_numbers_but_not_words(report):
    assert "sums, cell 4 (clock)" in report.text
    assert "promised  took # s" in report.text


@fault("sums", lambda book, sums: book.replace_source(sums, "smallness", "seed < 4", "seed >= 4"))
def test_inverted_finding_fails(report):
    assert report.outcomes == {"failed": 1, "passed": 5}
    assert "sums, cell 5 (smallness)" in report.text
    assert "output 1: the finding 'small' does not hold" in report.text


@fault("sums", lambda book, sums: book.replace_source(sums, "smallness", "is small", "is tiny"))
def test_changed_words_of_a_finding_fail(report):
    assert "promised  ✓ **Found:** The seed is small." in report.text
    assert "found     ✓ **Found:** The seed is tiny." in report.text


@fault("sums", lambda book, sums: book.replace_source(sums, "smallness", "display(Fin", "x = (Fin"))
def test_removed_finding_fails(report):
    assert report.outcomes == {"failed": 1, "passed": 5}
    assert "sums, cell 5 (smallness)" in report.text


@fault("curves", lambda book, curves: book.replace_source(curves, "imports", "1.0", "1.1"))
def test_changed_curve_fails(report):
    assert "curves, cell 3 (figure)" in report.text
    assert "figure: other pixels" in report.text


@fault(
    "curves",
    lambda book, curves: book.edit(curves, "figure", lambda cell: cell.update(source="pass")),
)
def test_figure_that_is_no_longer_drawn_fails(report):
    assert "found     no output" in report.text


def remove_png(book, curves):
    def remove(cell):
        del cell.outputs[0].data["image/png"]

    book.edit(curves, "figure", remove)


@fault("curves", remove_png)
def test_removed_png_fails(report):
    assert "found     image/png, text/plain" in report.text


@fault("sums", lambda book, sums: book.edit(sums, "total", lambda cell: cell.update(outputs=[])))
def test_removed_outputs_fail(report):
    assert "promised  no output" in report.text


@fault(
    "sums",
    lambda book, sums: book.edit(sums, "total", lambda cell: cell.update(execution_count=None)),
)
def test_removed_execution_count_fails(report):
    assert report.outcomes["failed"]
    assert "cell 3 (total) has no execution count: it would never be compared" in report.text


@fault(
    "sums",
    lambda book, sums: book.replace_source(sums, "parameters", "seed = 3", "seed = 3\nmissing"),
)
def test_error_stops_the_chapter_and_is_shown_once(report):
    assert "sums, cell 2 (parameters): Cell execution caused an exception" in report.text
    assert "NameError" in report.text
    assert "not run, because cell 2 failed" in report.text
    assert report.outcomes == {"failed": 1, "passed": 2, "skipped": 3}


KILL = "import os\nos.kill(os.getpid(), 9)"


@fault("sums", lambda book, sums: book.edit(sums, "total", lambda cell: cell.update(source=KILL)))
def test_dead_kernel_is_noticed_at_once(report):
    assert "sums, cell 3 (total): the kernel died while the cell was running" in report.text
    assert report.outcomes == {"failed": 1, "passed": 3, "skipped": 2}


@fault("sums::3-total")
def test_selected_cell_runs_those_before_it(report):
    assert report.outcomes == {"passed": 1}, report.text


@fault(
    "sums::4-clock",
    lambda book, sums: book.replace_source(sums, "parameters", "seed = 3", "missing"),
)
def test_selected_cell_names_the_earlier_one_that_fails(report):
    assert report.text.startswith("sums, cell 2 (parameters): Cell execution caused an exception")


@fault(
    "sums::4-clock", lambda b, sums: b.edit(sums, "total", lambda cell: cell.update(source=KILL))
)
def test_selected_cell_names_the_earlier_one_that_kills_the_kernel(report):
    assert report.text.startswith("sums, cell 3 (total): the kernel died while the cell was")


STAND_IN = f"display('x', metadata={ {'labs': {'stand_in': 'no network here'}} })\ntotal ="


@fault("sums", lambda book, sums: book.replace_source(sums, "total", "total =", STAND_IN))
def test_stand_in_run_is_skipped_with_its_reason(report):
    assert "sums ran on stand-in data: no network here" in report.text
    assert report.outcomes == {"passed": 3, "skipped": 3}


@fault("sums", lambda book, sums: book.path(sums).write_text("{ not JSON"))
def test_file_that_is_not_a_notebook_is_an_error(report):
    assert report.outcomes == {"error": 1}
    assert "is not a valid notebook" in report.text


for tag in FOREIGN_TAGS:
    faults[f"test_foreign_tags_fail[{tag}]"] = "sums::lint", tagged(tag)


@pytest.mark.parametrize("tag", FOREIGN_TAGS)
def test_foreign_tags_fail(report, tag):
    assert f"has the tag '{tag}'" in report.text


@fault("sums::lint", tagged("measured"))
def test_grant_of_measured_cells_is_kept(report):
    assert "2 cells are tagged measured, pyproject.toml grants 1: if" in report.text


def cut_output(book, sums):
    raw = json.loads(book.path(sums).read_text())
    cell = next(cell for cell in raw["cells"] if cell["id"] == "total")
    text = "".join(cell["outputs"][0]["text"])
    pieces = [text[:5], text[5:]]
    cell["outputs"] = [
        {"name": "stdout", "output_type": "stream", "text": piece} for piece in pieces
    ]
    book.path(sums).write_text(json.dumps(raw))


@fault("sums", cut_output)
def test_outputs_are_merged_however_the_kernel_cuts_them(report):
    assert report.outcomes == {"passed": 6}, report.text
