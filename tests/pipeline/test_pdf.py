"""The PDF of a tiny book: what it holds, where its links lead, what stops it."""

import contextlib
import os
import shutil
import subprocess
import sys

import pytest
from pypdf import PdfReader
from tiny_book import processes_in, wait_for

from labsupport.pipeline import pdf
from labsupport.pipeline.locks import locked
from labsupport.pipeline.project import LabsError, Project

needs_chromium = pytest.mark.skipif(
    not any(shutil.which(name) for name in pdf.BROWSERS), reason="there is no Chromium on PATH"
)
INTRO = """# A tiny book

Euler: $e^{i \\pi} = -1$. See {doc}`curves` and [the report](https://example.org).

```{exercise}
:label: ex-intro
What is hidden?
```

```{solution} ex-intro
:class: dropdown
Nothing on paper.
```
"""
PAGE = """<html lang="en"><head><script src="mathjax.js"></script><script src="theme.js"></script>
</head><body><nav class="bd-links"><p>Labs</p>
<a class="internal" href="sums.html">Sums</a><a class="internal" href="curves.html">Curves</a>
</nav><article class="bd-article">
<h1>All <code>{name}</code><a class="headerlink" href="#x">#</a></h1><h2 id="summary">Summary</h2>
<a href="#summary">own</a><a href="curves.html#summary">other</a><a href="sums.html">page</a>
<a href="https://example.org">web</a><a href="../_images/sums.png">file</a>
</article></body></html>
"""


@pytest.fixture(scope="module")
def printed_book(rendered_book, tmp_path_factory):
    """Print the tiny book, with titles that tell its chapters apart."""
    book = rendered_book.copy(tmp_path_factory.mktemp("printed") / "book", without=["_build"])
    (book.root / "book/intro.md").write_text(INTRO)
    for chapter in ("sums", "curves"):
        source = f"# All the {chapter}\n\n## Results"
        book.edit(chapter, "title", lambda cell, source=source: cell.update(source=source))
    book.printed = book.labs("pdf")
    assert book.printed.returncode == 0, book.printed.stderr
    book.pdf = PdfReader(book.root / "_build/book.pdf")
    return book


def links(page):
    """Return the targets of the links on a page of a PDF."""
    notes = [note.get_object() for note in page.get("/Annots", [])]
    return [
        note.get("/Dest") or note["/A"]["/URI"] for note in notes if note["/Subtype"] == "/Link"
    ]


def sheet_of(book, target):
    """Return the lines of the sheet to which a link inside a PDF leads: head, number, text."""
    number = book.pdf.get_destination_page_number(book.pdf.named_destinations[target])
    return [line.strip() for line in book.pdf.pages[number].extract_text().splitlines()]


# the whole


@needs_chromium
def test_pdf_is_named_and_nothing_else_is_left(printed_book):
    assert str(printed_book.root / "_build/book.pdf") in printed_book.printed.stdout
    left = sorted(path.name for path in (printed_book.root / "_build").iterdir())
    assert left == [".lock", "CACHEDIR.TAG", "book.pdf", "logs"]


@needs_chromium
def test_contents_lead_to_the_first_sheet_of_each_page(printed_book):
    targets = links(printed_book.pdf.pages[1])
    headings = ["A tiny book", "All the sums", "All the curves"]
    for target, heading in zip(targets, headings, strict=True):
        assert sheet_of(printed_book, target)[2] == heading


@needs_chromium
def test_every_link_leads_into_the_pdf_or_to_the_web(printed_book):
    found = [target for page in printed_book.pdf.pages for target in links(page)]
    inside = [target for target in found if target in printed_book.pdf.named_destinations]
    assert set(found) - set(inside) == {"https://example.org/"}
    assert "All the curves" in sheet_of(printed_book, inside[3])


@needs_chromium
def test_outline_holds_pages_and_their_sections(printed_book):
    contents, intro, sums, sections, *_ = printed_book.pdf.outline
    assert [contents.title, intro.title, sums.title] == ["Contents", "A tiny book", "All the sums"]
    assert [section.title for section in sections] == ["Results"]


@needs_chromium
def test_pdf_holds_outputs_and_solutions_and_no_raw_formula(printed_book):
    text = "\n".join(page.extract_text() for page in printed_book.pdf.pages)
    assert "total 1.230 of 3 parts" in text
    assert "Nothing on paper." in text
    assert "\\pi" not in text


@needs_chromium
def test_sheets_carry_the_heading_of_their_page_and_a_number(printed_book):
    sheets = [sheet_of(printed_book, target) for target in links(printed_book.pdf.pages[1])]
    assert [sheet[:2] for sheet in sheets] == [
        ["A tiny book", "3"],
        ["All the sums", "4"],
        ["All the curves", "5"],
    ]


# joining


@pytest.fixture
def html(tmp_path):
    """Write three rendered pages that hold the same anchor."""
    folder = tmp_path / "html"
    (folder / "book").mkdir(parents=True)
    for name in ("intro", "sums", "curves"):
        (folder / f"book/{name}.html").write_text(PAGE.format(name=name))
    return folder


def test_anchors_carry_the_name_of_their_page(html):
    joined = pdf.join_pages(html / "book", "intro", title="A <tiny> book")
    for name in ("intro", "sums", "curves"):
        assert joined.count(f' id="{name}"') == joined.count(f' id="{name}--summary"') == 1
        assert joined.count(f'href="#{name}--summary">own<') == 1
    assert joined.count('href="#curves--summary">other<') == 3
    assert joined.count('href="#sums">page<') == 3


def test_headings_are_whole_and_escaped(html):
    joined = pdf.join_pages(html / "book", "intro", title="A <tiny> book")
    assert '<a href="#intro">All intro</a>' in joined
    assert "A &lt;tiny&gt; book" in joined


def test_joined_page_keeps_links_to_the_web_and_none_to_files(html):
    joined = pdf.join_pages(html / "book", "intro", title="")
    assert joined.count('<a href="https://example.org">web</a>') == 3
    assert joined.count("<a>file</a>") == 3


def test_joined_page_loads_once_what_typesets_and_no_other_script(html):
    joined = pdf.join_pages(html / "book", "intro", title="")
    assert joined.count("mathjax.js") == 1
    assert "theme.js" not in joined


# failing


@pytest.fixture
def chromium(html, tmp_path, monkeypatch):
    """Return a function that puts a shell script in the place of Chromium."""

    def install(script):
        programs = tmp_path / "programs"
        programs.mkdir()
        (programs / "chromium").write_text(f"#!/bin/sh\n{script}\n")
        (programs / "chromium").chmod(0o755)
        monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")

    monkeypatch.setattr(pdf, "rendered", lambda project: contextlib.nullcontext(html))
    return install


def test_without_chromium_the_message_names_it_before_anything_is_rendered(
    unrun_book, monkeypatch, capsys
):
    monkeypatch.setenv("PATH", "")
    assert unrun_book.main("pdf") == 1
    errors = capsys.readouterr().err
    assert errors.startswith("labs: the PDF is printed by Chromium, and none of chromium,")
    assert len(errors.splitlines()) == 1
    assert not (unrun_book.root / "_build/logs").exists()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("exit 0", "did not print the PDF to its end; the whole story is in"),
        ('echo "%PDF" > "${2#*=}"', "did not print the PDF to its end; the whole story is in"),
        ("echo No space left on device", "the disk is full. Free space or make it writable"),
        ('echo "%%EOF" > "${2#*=}"', "typeset none of the formulas, so the PDF is not kept"),
    ],
)
def test_failed_printing_says_why_and_keeps_the_last_pdf(
    unrun_book, chromium, capsys, script, message
):
    chromium(script)
    last = unrun_book.root / "_build/book.pdf"
    last.parent.mkdir()
    last.write_text("the last good book")
    assert unrun_book.main("pdf") == 1
    assert message in capsys.readouterr().err
    assert last.read_text() == "the last good book"


PRINT = """
import sys
from pathlib import Path
from labsupport.pipeline.pdf import _print
folder = Path.cwd()
_print(sys.argv[1], folder / "page.html", folder / "book.pdf", log=folder / "log")
"""


def test_chromium_ends_with_labs(tmp_path):
    browser = tmp_path / "chromium"
    browser.write_text("#!/bin/sh\ntouch reached\nsleep 600\n")
    browser.chmod(0o755)
    with subprocess.Popen([sys.executable, "-c", PRINT, browser], cwd=tmp_path) as labs:
        wait_for((tmp_path / "reached").exists)
        labs.kill()
    wait_for(lambda: not processes_in(tmp_path))


@needs_chromium
def test_formula_that_is_not_typeset_is_counted(html, tmp_path):
    page = html / "book/joined.html"
    page.write_text(f'<p class="math">\\(x\\)</p><script>{pdf.REPORT}</script>')
    browser = pdf._find_browser()
    with pytest.raises(LabsError, match="typeset 0 of 1 formulas, so the PDF is not kept"):
        pdf._print(browser, page, tmp_path / "book.pdf", log=tmp_path / "log")


def test_pdf_is_refused_while_another_command_is_at_work(unrun_book, chromium, capsys):
    chromium("exit 0")
    with locked(Project(unrun_book.root, unrun_book.root / "_build")):
        assert unrun_book.main("pdf") == 1
    assert capsys.readouterr().err.startswith("labs: another labs command is at work")
