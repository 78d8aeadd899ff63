"""Every chapter holds what its readers may expect of all of them."""

import ast
import functools
import itertools
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from labsupport.numbers import UNIT_OF_ENDING
from labsupport.pipeline.notebooks import code_cells, read_notebook
from labsupport.pipeline.project import Project
from labsupport.units import unit_in

ROOT = Path(__file__).parents[1]
CHAPTERS = {
    name: read_notebook(ROOT / "book" / f"{name}.ipynb")
    for name in Project(ROOT, ROOT / "_build").chapters()
}
PAGES = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "book").glob("*.md"))]
UNIT_OF_WORD = {"second": "s", "millisecond": "ms", "microsecond": "µs", "nanosecond": "ns"}
ASSERTS = re.compile(r"\bassert\b|\bbelow\(|\bgradcheck|\.finds\(")

pytestmark = pytest.mark.parametrize("chapter", CHAPTERS)


def text_of(chapter):
    return "\n\n".join(c.source for c in CHAPTERS[chapter].cells if c.cell_type == "markdown")


@functools.cache
def declared():
    """Return the packages that `pip install -e .` brings, and the modules of the package itself."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.match(r"[\w-]+", line)[0] for line in project["dependencies"]}
    modules = {module for module, found in packages_distributions().items() if names & set(found)}
    return modules | {"labsupport"} | set(sys.stdlib_module_names)


def test_imports_are_declared(chapter):
    imported = set()
    for cell in code_cells(CHAPTERS[chapter]):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module.partition(".")[0])
    assert imported <= declared()


def test_parameters_are_checked_under_their_own_names(chapter):
    checks = [
        node
        for cell in code_cells(CHAPTERS[chapter])
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("check_number", "check_whole_number")
    ]
    assert checks
    for check in checks:
        name, value = check.args[0].value, check.args[1]
        if name.isidentifier():  # or a product of parameters, whose value may have a name
            assert ast.unparse(value) == name


def test_lab_is_opened_under_the_chapters_name(chapter):
    opened = [c.source for c in code_cells(CHAPTERS[chapter]) if "start_lab(" in c.source]
    assert len(opened) == 1
    assert f'start_lab("{chapter}", seed=seed, device=device)' in opened[0]


def test_every_code_cell_follows_prose(chapter):
    pairs = itertools.pairwise(CHAPTERS[chapter].cells)
    assert [b.id for a, b in pairs if a.cell_type == b.cell_type == "code"] == []


def test_every_figure_is_referred_to(chapter):
    figures = {
        cell.metadata.mystnb.figure.name
        for cell in code_cells(CHAPTERS[chapter])
        if "figure" in cell.metadata.get("mystnb", {})
    }
    assert figures
    assert (
        figures - set(re.findall(r"\{numref\}`(?:[^`<]*<)?([^`>]+)>?`", text_of(chapter))) == set()
    )


def test_every_labelled_equation_is_referred_to(chapter):
    labels = set(re.findall(r"^\$\$ \((eq-[\w-]+)\)", text_of(chapter), re.MULTILINE))
    assert labels
    assert labels - set(re.findall(r"\{eq\}`(eq-[\w-]+)`", text_of(chapter))) == set()


def test_every_exercise_has_an_asserted_solution(chapter):
    exercises = re.findall(r"\{exercise\}[^\n]*\n:label: (ex-[\w-]+)", text_of(chapter))
    solved, asserted = [], False
    for cell in CHAPTERS[chapter].cells:
        if cell.cell_type == "code":
            asserted = asserted or bool(ASSERTS.search(cell.source))
            continue
        for edge, label in re.findall(r"\{solution-(start|end)\} ?(ex-[\w-]+)?", cell.source):
            if edge == "start":
                solved.append(label)
                asserted = False
            else:
                assert asserted, f"nothing is asserted in the solution of {solved[-1]}"
    assert len(exercises) >= 3
    assert solved == exercises


def test_text_links_the_glossary(chapter):
    assert len(set(re.findall(r"\{term\}`([^`]+)`", text_of(chapter)))) >= 10


def unit_beside(text, quoted):
    """Return the unit that a page shows beside a quoted number: after it, or in a table's row."""
    words = re.match(r"\s*([\w/]+)", text[quoted.end() :])
    word = words[1] if words else ""
    if word in UNIT_OF_ENDING.values():
        return word
    if word.startswith(tuple(UNIT_OF_WORD)):
        return next(unit for name, unit in UNIT_OF_WORD.items() if word.startswith(name))
    start = text.rfind("\n", 0, quoted.start()) + 1
    line = text[start : text.find("\n", quoted.end())]
    if not line.startswith("|"):
        return None
    title = text[text.rfind("\n\n", 0, start) + 2 :].split("\n", 1)[0].split("|")
    column = text[start : quoted.start()].count("|")
    fields = {field.strip() for field in line.split("|")} & set(UNIT_OF_ENDING.values())
    return unit_in(title[column]) or next(iter(fields), None)


def test_quoted_number_stands_beside_the_unit_of_its_name(chapter):
    pattern = rf"`(?:{chapter}\.ipynb::)?{chapter.replace('_', '-')}-([\w.-]+?)(?::s)?`"
    for text in [text_of(chapter), *PAGES]:
        for quoted in re.finditer(r"\{glue:text\}" + pattern, text):
            unit = UNIT_OF_ENDING.get(quoted[1].rpartition("-")[2])
            assert unit_beside(text, quoted) == unit, quoted[0]


def test_times_stay_in_seconds(chapter):
    sources = "\n".join(cell.source for cell in code_cells(CHAPTERS[chapter]))
    assert re.findall(r"\b\w+_(?:ms|us|ns)\b", sources) == []
