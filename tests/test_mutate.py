"""The mutation tool on a tiny book."""

import re
from pathlib import Path

TOOL = Path(__file__).parents[1] / "tools" / "mutate.py"


def test_mutate_reports_what_was_noticed_and_what_was_not(book):
    before = book.contents()
    result = book.python(str(TOOL), "sums")
    assert result.returncode == 1, result.stderr
    assert re.search(r"sums +(\d+) +\d+ +0 +1 +9\d\.\d%", result.stdout), result.stdout
    # nothing in the tiny book reads the device
    assert "sums, parameters: text\n- device = 'auto'\n+ device = 'auto~'" in result.stdout
    assert book.contents() == before


def test_mutate_refuses_a_chapter_that_does_not_hold(book):
    book.replace_source("sums", "total", "0.41", "0.51")
    result = book.python(str(TOOL), "sums")
    assert result.returncode == 1
    assert "sums breaks its promise without any fault: cell total" in result.stderr


def test_mutate_refuses_an_unknown_target(book):
    result = book.python(str(TOOL), "sum")
    assert result.returncode == 2
    assert "'sum' is neither a chapter nor a module of labsupport" in result.stderr
