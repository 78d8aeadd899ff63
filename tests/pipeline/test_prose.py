from pathlib import Path

import nbformat
import pytest

from labsupport.pipeline.ledger import read_ledger
from labsupport.pipeline.prose import prose_problems, typed_numbers


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("It is 0.69, and 12 or 13 of 4,096.", ["0.69", "13", "4,096"]),
        ("At .81 and 1e-5 and 2.5e3.", [".81", "1e-5", "2.5e3"]),
        ("It ends at 95% (0.2).", ["95", "0.2"]),
        ("Between 1–20 and 0.005±0.3.", ["20", "0.005", "0.3"]),
        ("From -3.4 to \u22120.3.", ["-3.4", "\u22120.3"]),
        ("| a | 0.8 |", ["0.8"]),
        ("**0.69** is wrong, *0.7* too.", ["0.69", "0.7"]),
        ("Alone: $0.69$, $\\approx 0.7$, $42\\,\\%$ and $-3$.", ["0.69", "0.7", "42"]),
        ("In code: `0.5`, `4096` and `-1.5`; `95%`.", ["0.5", "4096", "-1.5", "95"]),
        ("$$\n0.75\n$$", ["0.75"]),
        ("```{exercise}\n:label: ex-sums-15\n\nTake 0.3.\n```", ["0.3"]),
        ("```{solution-start} ex-15\n:class: dropdown\n```\n\nIt is 0.4.", ["0.4"]),
        ("{ref}`after 20 steps <sums#cell-30>`, {term}`rate 0.1 <rate>`", ["20", "0.1"]),
        ("[After 0.4 s](https://example.org/1.5)", ["0.4"]),
        ("In 2026, torch 2.14.", ["2026", "2.14"]),
    ],
)
def test_typed_numbers_are_listed(text, numbers):
    assert typed_numbers(text) == numbers


@pytest.mark.parametrize(
    "text",
    [
        "Two of 12, ten of ten, 0 or 1.",
        "`x = 0.5` and ``a `0.3` b`` are code.",
        "```python\nlr = 0.03\n```",
        "~~~\n0.03\n~~~",
        "{glue:text}`sums-ratio-0.5`, {glue:text}`sums.ipynb::sums-0.5:s` and {published}`s5-0.5`",
        "{eq}`eq-15`, {numref}`fig-20`, {cite:t}`tang2020dive`, {cite}`tang2020dive`",
        "{ref}`the limit <sums#cell-30>`",
        "$d = 784$, $28 \\times 28$ and $3.4 \\cdot 10^{38}$ are mathematics.",
        "$$\ny = 0.5\\,x\n$$ (eq-sums-half)",
        "C34 of S5 in float32 by conv2d.",
        "(lab-15)=\n% 0.5 is said nowhere\n<!-- nor is 0.6 -->",
        "[here](https://example.org/1.5) and <https://example.org/1.5>",
        "A network 2-5-1, a list:\n\n1. one\n2. two",
        "Level 3.",
    ],
)
def test_other_numbers_are_not_listed(text):
    assert typed_numbers(text) == []


def chapter(source="x = 1", *, text="# Sums", tags=(), **about):
    cell = nbformat.v4.new_code_cell(source, id="code")
    cell.metadata.tags = list(tags)
    cell.metadata.mystnb = about
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text, id="text"), cell])


@pytest.mark.parametrize(
    ("notebook", "place"),
    [
        (chapter(text="It is 0.79."), "cell text types the number 0.79 in its text"),
        (chapter(figure={"caption": "At 0.79."}), "cell code types the number 0.79 in its caption"),
        (chapter(image={"alt": "At 0.79."}), "the number 0.79 in its alternative text"),
        (chapter('lab.finds("a", "It is 0.79.", x > 0)'), "the number 0.79 in its finding"),
        (chapter('lab.finds("a", f"It is 0.79 {x}.", x)'), "the number 0.79 in its finding"),
        (chapter('lab.finds("a", "It is 0.79.", condition=x)'), "the number 0.79 in its finding"),
        (chapter('lab.finds("a", "It "\n  "is 0.79.", x)'), "the number 0.79 in its finding"),
    ],
)
def test_typed_number_is_named_with_its_place(notebook, place):
    (problem,) = prose_problems(notebook)
    assert place in problem
    assert problem.endswith("or write mathematics")


def test_numbers_of_code_are_not_prose():
    source = 'lab.finds("a-0.5", f"After {0.5 * x} steps.", x > 0.5, share=0.7)\nprint("0.79")'
    assert list(prose_problems(chapter(source))) == []


def test_finding_without_words_is_left_to_the_run():
    assert list(prose_problems(chapter('lab.finds("a")'))) == []


@pytest.mark.parametrize(("num_lines", "tags", "found"), [(15, [], 0), (16, [], 1), (16, 1, 0)])
def test_cells_for_readers_are_short(num_lines, tags, found):
    notebook = chapter("\n".join(["x = 1"] * num_lines), tags=["hide-input"] if tags else [])
    problems = list(prose_problems(notebook))
    assert len(problems) == found
    assert all(problem.startswith("cell code has 16 lines for readers") for problem in problems)


ROOT = Path(__file__).parents[2]
TELLS_OF_TESTS = {"testing.md"}  # what the tools have measured, once
PAGES = {path.name for path in (ROOT / "book").glob("*.md")} - TELLS_OF_TESTS


@pytest.mark.parametrize("page", sorted(PAGES))
def test_pages_type_no_number(page):
    assert typed_numbers((ROOT / "book" / page).read_text(encoding="utf-8")) == []


def test_claims_type_no_number():
    claims = read_ledger(ROOT / "book/claims.yml")
    assert [claim.id for claim in claims if typed_numbers(claim.claim)] == []
