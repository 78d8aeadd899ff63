"""How firm a finding is stands under it; how far a number spreads is told on hover and focus."""

import re

import pytest
from bs4 import BeautifulSoup

from labsupport.pipeline.blessed import bless_firmness
from labsupport.pipeline.project import Project

NUMBER = (
    "from labsupport.numbers import Number\nfrom myst_nb import glue\n"
    "for name, value, spec in [('half', 0.5, '.3f'), ('kind', 'Shirt', '')]:\n"
    "    glue(f'sums-{name}', Number(name, value, spec), display=False)"
)
TEXT = "The half is {glue:text}`sums-half`, the kind {glue:text}`sums-kind`."


def record(seed):
    return {
        "chapter": "sums",
        "parameters": {"seed": seed},
        "findings": {"small": {"words": "The seed is small.", "held": seed < 9}},
        "numbers": {
            "half": {"value": 0.4 + seed / 100, "text": ""},
            "kind": {"value": "Coat" if seed == 4 else "Shirt", "text": ""},
        },
        "error": "",
        "stand_in": "",
        "environment": {"device": "CPU", "torch": "2.14.1"},
    }


@pytest.fixture(scope="module")
def firm_book(blessed_book, tmp_path_factory):
    """Return a book with a page of its sweep, whose chapter was edited after it for one copy."""
    book = blessed_book.copy(tmp_path_factory.mktemp("firm") / "book", without=["_build"])
    config = book.root / "_config.yml"
    config.write_text(
        f"{config.read_text()}\nsphinx:\n  extra_extensions: [labsupport.pipeline.pages]\n"
    )
    toc = book.root / "_toc.yml"
    toc.write_text(f"{toc.read_text()}  - file: book/firmness\n")
    (book.root / "book/firmness.md").write_text("# Firmness\n\n```{firmness}\n```\n")
    notebook = book.read("sums")
    notebook.cells[0].source += f"\n\n(lab-sums)=\n## Sums\n\n{TEXT}"
    book.write("sums", notebook)
    book.edit("sums", "imports", lambda cell: cell.update(source=f"{cell.source}\n{NUMBER}"))
    assert book.labs("run", "sums", "--no-html").returncode == 0
    assert book.labs("update", "sums").returncode == 0
    bless_firmness(Project(book.root, book.root / "_build"), [record(s) for s in range(11)])
    return book


def pages(book):
    """Render a book and return the page of its sums and that of its sweeps."""
    rendered = book.labs("html")
    assert rendered.returncode == 0, rendered.stderr
    html = book.root / "_build/html/book"
    return (
        BeautifulSoup((html / f"{n}.html").read_text(), "html.parser") for n in ("sums", "firmness")
    )


def test_marks_and_bands_of_a_sweep(firm_book):
    sums, firmness = pages(firm_book)
    mark = sums.select_one("p.finding a.seeds")
    assert mark.text == "9 of 11 seeds"
    page, _, place = mark["href"].partition("#")
    assert page == "firmness.html"
    row = firmness.find(id=place)
    told = [re.sub(r"\s+", " ", cell.text).strip() for cell in row.find_all("td")]
    assert told == ["The seed is small.", "9 of 11", "52% to 95%", "9-10"]
    bands = {band.text: band for band in sums.select("span.banded")}
    assert bands["0.500"]["data-band"] == "0.405 to 0.495 with 90% of 11 seeds"
    assert bands["Shirt"]["data-band"] == "Shirt with 10 of 11 seeds"
    assert all(band["tabindex"] == "0" for band in bands.values())
    rows = [row.text.split() for row in firmness.select("table")[1].select("tbody tr")]
    assert rows[0] == ["half", "0.500", "0.450", "0.405", "to", "0.495", "outside"]
    assert rows[1] == ["kind", "Shirt", "Shirt", "10", "of", "11", "with", "most"]


def test_chapter_that_was_edited_since_shows_no_marks(firm_book, tmp_path):
    book = firm_book.copy(tmp_path / "book", without=["_build"])
    book.edit("sums", "total", lambda cell: cell.update(source=f"{cell.source}  # more"))
    sums, firmness = pages(book)
    assert sums.select("a.seeds, span.banded") == []
    assert "The code of the chapter has changed since" in firmness.text


def test_book_without_a_sweep_renders(firm_book, tmp_path):
    book = firm_book.copy(tmp_path / "book", without=["_build"])
    (book.root / "book/firmness.csv").unlink()
    sums, _ = pages(book)
    assert sums.select("a.seeds, span.banded") == []
