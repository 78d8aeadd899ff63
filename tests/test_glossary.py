"""The glossary: in order, linked, and with translations that do not change by accident.

Whether a translation is right only a person can see. So each stands a second time, in `terms.csv`:
who edits one of them meets this test, and a reader of the change sees both.
"""

import csv
import itertools
import re
from pathlib import Path

from conftest import ROOT

from labsupport.pipeline.notebooks import read_notebook

GLOSSARY = ROOT / "book/glossary.md"
TERMS = Path(__file__).with_name("terms.csv")
CHINESE = " : 中文"


def read_terms():
    """Return the English and the Chinese names of each entry."""
    listed = GLOSSARY.read_text(encoding="utf-8").split(":sorted:\n\n")[1].removesuffix("```\n")
    entries = []
    for starts_entry, lines in itertools.groupby(
        filter(None, listed.split("\n")), lambda line: not line.startswith(" ")
    ):
        if starts_entry:
            names = list(lines)
            english = [name for name in names if not name.endswith(CHINESE)]
            chinese = [name.removesuffix(CHINESE) for name in names if name.endswith(CHINESE)]
            entries.append((english, chinese))
    return entries


ENTRIES = read_terms()


def text_of(path):
    """Return what authors wrote on a page."""
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    cells = read_notebook(path).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def linked_terms():
    """Return what the other pages link; the strict build wants each in the glossary."""
    pages = {*(ROOT / "book").glob("*.md"), *(ROOT / "book").glob("*.ipynb")} - {GLOSSARY}
    links = re.findall(r"\{term\}`([^`]+)`", "\n".join(map(text_of, pages)))
    targets = (re.sub(r".*<(.+)>", r"\1", " ".join(link.split())) for link in links)
    return {target.lower() for target in targets}


def test_every_entry_is_linked_from_another_page():
    linked = linked_terms()
    assert [names for names, _ in ENTRIES if not linked & set(map(str.lower, names))] == []


def test_entries_are_in_alphabetical_order():
    first = [names[0].lower() for names, _ in ENTRIES]
    assert first == sorted(first)


def test_every_entry_has_a_chinese_term():
    assert [names for names, chinese in ENTRIES if not chinese] == []


def test_no_term_stands_twice():
    for language in zip(*ENTRIES, strict=True):
        terms = [term.lower() for terms in language for term in terms]
        assert [term for term in set(terms) if terms.count(term) > 1] == []


def test_every_entry_stands_in_the_list_of_terms_too():
    with TERMS.open(encoding="utf-8", newline="") as file:
        seen = [
            (row["english"].split(" / "), row["chinese"].split(" / "))
            for row in csv.DictReader(file)
        ]
    changed = [entry for entry in ENTRIES if entry not in seen]
    assert (changed, len(ENTRIES)) == ([], len(seen)), (
        f"let somebody who reads both languages look, then write it into {TERMS.name} too"
    )
