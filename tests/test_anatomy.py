"""What a chapter is made of, and that a run stands behind its sentences."""

import ast
import hashlib
import re
from pathlib import Path

import pytest

from labsupport.pipeline.notebooks import code_cells, read_notebook, tags
from labsupport.pipeline.project import Project, read_yaml

ROOT = Path(__file__).parents[1]
NAMES = Project(ROOT, ROOT / "_build").chapters()
CHAPTERS = {name: read_notebook(ROOT / "book" / f"{name}.ipynb") for name in NAMES}
EQUATIONS = {entry["equation"]: entry for entry in read_yaml(ROOT / "book" / "equations.yml")}
SECTIONS = (
    "In short",
    "What you will be able to do",
    "The data",
    "The method",
    "Check",
    "Experiments",
    "The report on trial",
    "Results",
    "Limits",
    "Summary",
    "Exercises",
    "Where it ran",
)
MOST_WORDS = 3000  # half an hour
EQUATION = r"^\$\$\n(.*?)^\$\$(?: \((eq-[\w-]+)\))?"

each_chapter = pytest.mark.parametrize("chapter", CHAPTERS)


def markdown(chapter):
    return "\n\n".join(c.source for c in CHAPTERS[chapter].cells if c.cell_type == "markdown")


def equations(chapter):
    return re.findall(EQUATION, markdown(chapter), re.MULTILINE | re.DOTALL)


@each_chapter
def test_sections_come_in_their_order(chapter):
    titles = re.findall(r"^## ([^\n:]+)", markdown(chapter), re.MULTILINE)
    assert [title for title in titles if title in SECTIONS] == list(SECTIONS)


@each_chapter
def test_main_line_is_read_in_half_an_hour(chapter):
    text = markdown(chapter)
    for left_out in (
        r"```\{solution-start\}.*?```\{solution-end\}",
        r"^(:::+|````+)\{dropdown\}.*?^\1$",
    ):
        text = re.sub(left_out, "", text, flags=re.DOTALL | re.MULTILINE)
    words = re.sub(r"\$\$.*?\$\$|\{[\w:]+\}`[^`]*`", "x", text, flags=re.DOTALL).split()
    assert len([word for word in words if re.search(r"\w", word)]) <= MOST_WORDS


@each_chapter
def test_every_displayed_equation_has_a_label(chapter):
    assert [latex for latex, label in equations(chapter) if not label] == []


@each_chapter
def test_every_equation_is_tied_to_code_that_agrees_with_it(chapter):
    cells = {cell.id: cell.source for cell in code_cells(CHAPTERS[chapter])}
    for latex, label in equations(chapter):
        assert label in EQUATIONS, f"name in book/equations.yml the cell that holds {label} to code"
        entry = EQUATIONS[label]
        place, _, cell = entry["held_by"].partition("#")
        assert place == chapter
        assert "below(" in cells[cell], f"{cell} holds nothing"
        digest = hashlib.sha256("".join(latex.split()).encode()).hexdigest()[:12]
        assert entry["reads"] == digest, (
            f"{label} was changed since {cell} was found to agree with it: read both, and if they "
            f"agree, write {digest} into book/equations.yml"
        )


def test_equations_that_are_tied_exist():
    labels = {label for chapter in CHAPTERS for _, label in equations(chapter)}
    assert set(EQUATIONS) == labels


@each_chapter
def test_every_numeric_parameter_is_checked_at_the_top(chapter):
    cells = code_cells(CHAPTERS[chapter])
    (given,) = (cell.source for cell in cells if "parameters" in tags(cell))
    (setup,) = (cell.source for cell in cells if "start_lab(" in cell.source)
    names = {
        node.targets[0].id
        for node in ast.parse(given).body
        if isinstance(ast.literal_eval(node.value), int | float)
    }
    checked = set(re.findall(r'check_(?:whole_)?number\(\s*"(\w+)", (?=\1\b)', setup))
    assert checked == names - {"seed"}  # which start_lab checks
