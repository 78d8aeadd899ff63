"""The rendered book: what it shows, and what it keeps when a rendering fails."""

import os
import signal
from pathlib import Path

import pytest
from tiny_book import processes_in, wait_for

from labsupport.pipeline import render


def test_html_shows_committed_outputs(rendered_book):
    assert rendered_book.rendered.returncode == 0, rendered_book.rendered.stderr
    assert str(rendered_book.root / "_build/html/index.html") in rendered_book.rendered.stdout
    page = (rendered_book.root / "_build/html/book/sums.html").read_text()
    assert "total 1.230 of 3 parts" in page


def test_html_keeps_the_last_good_book_when_a_page_is_at_fault(rendered_book, tmp_path):
    book = rendered_book.copy(tmp_path / "book")
    (book.root / "book/intro.md").write_text("# Intro\n\n{ref}`nowhere`\n")
    result = book.labs("html")
    assert result.returncode == 1
    assert "the HTML could not be rendered" in result.stderr
    assert "book/intro.md:3: WARNING: undefined label: 'nowhere'" in result.stderr
    assert sorted(path.name for path in (book.root / "_build").iterdir()) == [
        ".lock",
        "CACHEDIR.TAG",
        "html",
        "logs",
    ]
    assert "A tiny book" in (book.root / "_build/html/book/intro.html").read_text()


def html_of(book, **texts):
    """Write a rendered book of one page into each named folder of the build folder."""
    for name, text in texts.items():
        folder = book.root / "_build" / name.replace("_", ".")
        folder.mkdir(parents=True)
        (folder / f"{text}.html").write_text(text)


def folders(book):
    """Return the names of the rendered books, each with those of its pages."""
    found = (book.root / "_build").glob("[hr]*")
    return {folder.name: [page.name for page in folder.iterdir()] for folder in found}


@pytest.fixture
def renderer(monkeypatch):
    """Put in the place of Jupyter Book a program that renders one page."""

    def render_page(command, **options):
        html = Path(command[command.index("--path-output") + 1]) / "_build" / "html"
        html.mkdir(parents=True)
        (html / "new.html").write_text("new")
        return 0

    monkeypatch.setattr(render, "run_child", render_page)


@pytest.mark.parametrize(
    "old",
    [{}, {"html": "old"}, {"html_previous": "older"}, {"html": "old", "html_previous": "older"}],
)
@pytest.mark.parametrize("left", [{}, {"rendering-killed": "half"}])
def test_html_takes_the_place_of_all_that_was_rendered_before(unrun_book, renderer, old, left):
    html_of(unrun_book, **old, **left)
    assert unrun_book.main("html") == 0
    assert folders(unrun_book) == {"html": ["new.html"]}


def test_html_of_before_is_kept_and_not_what_a_killed_rendering_left(unrun_book, failing_renderer):
    failing_renderer("WARNING: a fault")
    html_of(unrun_book, html="old", html_previous="older")
    assert unrun_book.main("html") == 1
    assert folders(unrun_book)["html"] == ["old.html"]


# In the place of Jupyter Book: not done for long, and in each moment about to make a folder.
ENDLESS = """
import pathlib, sys, time

def main():
    folder = pathlib.Path(sys.argv[sys.argv.index("--path-output") + 1])
    while time.process_time() < 600:
        for number in range(100):
            (folder / "_build" / str(number)).mkdir(parents=True, exist_ok=True)
"""


@pytest.mark.parametrize(("signal_number", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_html_that_was_killed_has_stopped_when_the_next_one_starts(
    unrun_book, tmp_path, signal_number, code
):
    cli = tmp_path / "programs/jupyter_book/cli"
    cli.mkdir(parents=True)
    for path, text in ((cli.parent / "__init__.py", ""), (cli / "main.py", ENDLESS)):
        path.write_text(text)
    path = f"{tmp_path / 'programs'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    labs = unrun_book.start_labs("html", PYTHONPATH=path)
    build = unrun_book.root / "_build"
    wait_for(lambda: list(build.glob("rendering-*/_build/99")))
    labs.send_signal(signal_number)
    _, errors = labs.communicate(timeout=60)
    assert labs.returncode == code
    assert "Traceback" not in errors
    again = unrun_book.labs("html")
    assert again.returncode == 0, again.stderr
    assert not list(build.glob("rendering-*"))
    assert not processes_in(unrun_book.root)


@pytest.fixture
def failing_renderer(monkeypatch):
    """Put in the place of Jupyter Book a program that only says `words` and fails."""

    def say(words):
        monkeypatch.setattr(
            render,
            "run_child",
            lambda command, *, stdout, **options: (stdout.write(words) and None) or 1,
        )

    return say


def test_html_of_a_rendering_that_was_killed_while_it_was_put_in_place_comes_back(
    unrun_book, failing_renderer
):
    failing_renderer("WARNING: a fault")
    html = unrun_book.root / "_build/html"
    previous = html.with_name("html.previous")
    previous.mkdir(parents=True)
    (previous / "index.html").write_text("the last good book")
    assert unrun_book.main("html") == 1
    assert (html / "index.html").read_text() == "the last good book"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("OSError: [Errno 28] No space left on device", "the disk is full. Free space or make"),
        ("", "exit code 1"),
        ("  raise AnError('x')\nAnError: x", "AnError: x"),
    ],
)
def test_failed_rendering_says_why(unrun_book, failing_renderer, capsys, words, message):
    failing_renderer(words)
    assert unrun_book.main("html") == 1
    errors = capsys.readouterr().err
    assert message in errors
    assert "raise" not in errors
