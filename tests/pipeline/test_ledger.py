import re
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest

from labsupport.findings import Finding
from labsupport.pipeline.ledger import Claim, ledger_markdown, ledger_problems, read_ledger
from labsupport.pipeline.notebooks import read_notebook
from labsupport.pipeline.project import LabsError, find_project

ROOT = Path(__file__).parents[2]
LEDGER = ROOT / "book" / "claims.yml"
CLAIM = Claim(
    id="C1",
    source="S1",
    claim="Sums are slow.",
    verdict="holds with a condition",
    shown="sums#figure",
    findings=["long-lists-are-slow"],
)
TRIAL = "## Trial\n\n- **C1.** Sums are slow. **Holds with a\n  condition**: only of long lists.\n"


def make_chapter(trial=TRIAL, found="long-lists-are-slow", held=True):
    data, metadata = Finding(found, "Long lists are slow.", held)._repr_mimebundle_()
    output = nbformat.v4.new_output("display_data", data, metadata=metadata)
    cells = [
        nbformat.v4.new_code_cell("plt.plot([1])", id="figure"),
        nbformat.v4.new_code_cell("lab.finds(...)", id="check", outputs=[output]),
        nbformat.v4.new_markdown_cell(trial, id="trial"),
    ]
    return nbformat.v4.new_notebook(cells=cells)


def problems(claim=CLAIM, **chapter):
    return list(ledger_problems([claim], {"sums": make_chapter(**chapter)}))


def test_ledger_and_chapters_agree(monkeypatch):
    monkeypatch.chdir(ROOT)
    project = find_project()
    chapters = {name: read_notebook(project.notebook(name)) for name in project.chapters()}
    assert list(ledger_problems(read_ledger(LEDGER), chapters)) == []


def test_page_shows_the_claims_of_every_chapter(monkeypatch):
    page = (ROOT / "book" / "claims.md").read_text(encoding="utf-8")
    shown = re.findall(r"^```\{claims\} (\w+)$", page, re.MULTILINE)
    assert shown == list(dict.fromkeys(claim.chapter for claim in read_ledger(LEDGER)))


def test_ledger_holds_all_claims():
    assert len(read_ledger(LEDGER)) == 58


def test_agreement_gives_no_problem():
    assert problems() == []


@pytest.mark.parametrize(
    ("claim", "chapter", "problem"),
    [
        (replace(CLAIM, verdict="holds"), {}, "'holds' by sums in the ledger, but 'holds with"),
        (replace(CLAIM, shown="other#figure"), {}, "by other in the ledger"),
        (replace(CLAIM, shown="sums#gone"), {}, "sums#gone, which does not exist"),
        (replace(CLAIM, findings=["gone"]), {}, "rests on the finding 'gone', which sums has not"),
        (CLAIM, {"found": "other"}, "rests on the finding 'long-lists-are-slow', which sums has"),
        (CLAIM, {"held": False}, "rests on the finding 'long-lists-are-slow', which does not hold"),
        (CLAIM, {"trial": "- **C1.** Sums are slow.\n"}, "but 'nothing' by sums"),
        (CLAIM, {"trial": "# Trial"}, "but 'nothing' by no chapter"),
        (CLAIM, {"trial": TRIAL + TRIAL}, "settled in sums and in sums"),
        (CLAIM, {"trial": TRIAL + "- **C2.** More. **Wrong**."}, "C2 is settled in sums, but is"),
    ],
)
def test_disagreement_is_named(claim, chapter, problem):
    assert any(problem in found for found in problems(claim, **chapter))


ENTRY = "- {id: C1, source: S1, claim: a, verdict: wrong, shown: a#b, findings: [c]}\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (ENTRY.replace("id: C1, ", ""), "must have the fields id, source"),
        (ENTRY.replace("wrong", "maybe"), "has the verdict 'maybe'; write one of holds,"),
        (ENTRY + ENTRY, "entry 2 has the id 'C1', not C2"),
        (ENTRY.replace("[c]", "[]"), "entry 1 names no findings: give a list of names"),
        (ENTRY.replace("[c]", "c"), "entry 1 names no findings: give a list of names"),
        ("- C1\n", "must have the fields"),
        ("C1: wrong\n", "must be a list"),
        ("", "must be a list"),
    ],
)
def test_bad_ledger_is_refused(tmp_path, text, problem):
    path = tmp_path / "claims.yml"
    path.write_text(text)
    with pytest.raises(LabsError, match=re.escape(problem)):
        read_ledger(path)


def test_table_links_to_the_cells():
    table = ledger_markdown([CLAIM, replace(CLAIM, id="C2", shown="other#cell")], chapter="sums")
    assert "{glue:text}`sums.ipynb::sums-long-lists-are-slow:s`" in table
    assert "{ref}`found here <sums#finding-long-lists-are-slow>`" in table
    assert "{ref}`Shown <sums#figure>`" in table
    assert "C2" not in table


def test_table_quotes_what_a_chapter_of_two_words_has_stored():
    table = ledger_markdown([replace(CLAIM, shown="two_sums#figure")], chapter="two_sums")
    assert "Settled in {ref}`lab-two-sums`." in table
    assert "{glue:text}`two_sums.ipynb::two-sums-long-lists-are-slow:s`" in table


def test_count_adds_up():
    claims = [CLAIM, replace(CLAIM, id="C2", verdict="wrong", source="S2")]
    assert ledger_markdown(claims).splitlines()[2:] == [
        "| S1 | 0 | 1 | 0 | 0 | 1 |",
        "| S2 | 0 | 0 | 1 | 0 | 1 |",
        "| all | 0 | 1 | 1 | 0 | 2 |",
    ]
