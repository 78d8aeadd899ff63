"""The page that tells how the book is tested names tests that exist."""

import re
from pathlib import Path

TESTS = Path(__file__).parent


def test_named_tests_exist():
    page = (TESTS.parent / "book" / "testing.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    files = "".join(path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py"))
    assert len(named) > 40
    assert named <= set(re.findall(r"^def (test_\w+)\(", files, re.MULTILINE))
