import re
from pathlib import Path

import pytest

from labsupport.published import PUBLISHED, Figure, published, read_published

ROOT = Path(__file__).parents[1]
BOOK = ROOT / "book"
ENTRY = "- {id: a, value: '0.50', what: loss, source: S1}\n"


def test_figures_are_read_by_their_ids_as_they_are_printed(tmp_path):
    path = tmp_path / PUBLISHED
    path.write_text(ENTRY)
    assert read_published(path) == {"a": Figure("a", "0.50", "loss", "S1")}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: 1\n", "must be a list of figures, each with id, value, what, source"),
        ("- a\n", "entry 1 must have the fields id, value"),
        (ENTRY.replace(", source: S1", ""), "entry 1 must have the fields"),
        (ENTRY.replace("'0.50'", "0.50"), "value of entry 1 is 0.5; quote it as text"),
        (ENTRY.replace("S1", "''"), "source of entry 1 is ''; quote it as text"),
        (ENTRY + ENTRY, "entry 2 has the id of another, 'a'"),
    ],
)
def test_bad_figures_are_refused(tmp_path, text, fault):
    path = tmp_path / PUBLISHED
    path.write_text(text)
    with pytest.raises(ValueError, match=re.escape(fault)):
        read_published(path)


def test_chapter_computes_with_the_value(tmp_path, monkeypatch):
    (tmp_path / PUBLISHED).write_text(ENTRY)
    monkeypatch.chdir(tmp_path)
    assert published("a") == 0.5
    (tmp_path / PUBLISHED).write_text(ENTRY.replace("0.50", "4,096"))
    assert published("a") == 4096
    with pytest.raises(ValueError, match="no published figure has the id 'b': see published.yml"):
        published("b")


def test_every_published_figure_is_quoted():
    pages = [path.read_text(encoding="utf-8") for path in [*BOOK.glob("*.md"), *BOOK.glob("*.yml")]]
    chapters = [path.read_text(encoding="utf-8") for path in BOOK.glob("*.ipynb")]
    pattern = r"\{published\}`([\w-]+)`|\bpublished\(\\\"([\w-]+)\\\"\)"
    found = re.findall(pattern, "\n".join(pages + chapters))
    quoted = {name for pair in found for name in pair if name}
    assert quoted == set(read_published(BOOK / PUBLISHED))
