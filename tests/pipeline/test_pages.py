import json

import pytest

tinycss2 = pytest.importorskip("tinycss2")
Image = pytest.importorskip("PIL.Image")

from labsupport.pipeline.pages import _used  # noqa: E402

CSS = """
.used, .gone { color: red }
.gone .used { color: green }
p:not(.gone) { color: blue }
a:is(.gone, .used) b { color: pink }
[class*=".gone"] { color: grey }
@media print { .gone { color: black } .used { color: white } }
@font-face { font-family: Icons }
"""


def kept(css, *known):
    rules = tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True)
    return tinycss2.serialize(_used(rules, set(known)))


def test_rules_for_unknown_classes_are_removed():
    assert kept(
        ".gone .used { color: green }\n@media print { .gone { color: black } }", "used"
    ) == ("@media print {}")


@pytest.mark.parametrize(
    "rule",
    [
        ".used, .gone { color: red }",
        "p:not(.gone) { color: blue }",
        "a:is(.gone, .used) b { color: pink }",
        'a[title=".gone"] { color: grey }',
        "@font-face { font-family: Icons }",
        ":root { --gone: 1 }",
        ".used\\/half { color: red }",
    ],
)
def test_rules_that_a_page_may_use_are_kept(rule):
    assert kept(rule, "used") == rule


@pytest.fixture(scope="module")
def page(rendered_book):
    assert rendered_book.rendered.returncode == 0, rendered_book.rendered.stderr
    return (rendered_book.root / "_build/html/book/curves.html").read_text(encoding="utf-8")


def test_code_cells_have_anchors(rendered_book, page):
    cells = json.loads(rendered_book.path("curves").read_text(encoding="utf-8"))["cells"]
    ids = [cell["id"] for cell in cells if cell["cell_type"] == "code"]
    assert [page.count(f'id="cell-{cell_id}"') for cell_id in ids] == [1] * len(ids)


def test_finding_has_an_anchor_and_a_style(rendered_book, page):
    sums = (rendered_book.root / "_build/html/book/sums.html").read_text(encoding="utf-8")
    line = '<p class="finding" id="finding-small">✓ <strong>Found:</strong> The seed is small.</p>'
    assert sums.count(line) == 1
    lost = '<p class="lost-finding" id="finding-large">✗ <strong>Does not hold here:</strong> The'
    assert sums.count(lost) == 1


def test_figures_keep_every_pixel(rendered_book, page):
    import base64
    import io

    (figure,) = (rendered_book.root / "_build/html/_images").glob("*.webp")
    assert f"../_images/{figure.name}" in page
    cell = next(cell for cell in rendered_book.read("curves").cells if cell.id == "figure")
    png = cell.outputs[0].data["image/png"]
    with Image.open(io.BytesIO(base64.b64decode(png))) as drawn, Image.open(figure) as shown:
        assert shown.convert("RGBA").tobytes() == drawn.convert("RGBA").tobytes()


def test_pages_load_nothing_that_only_searching_needs(page):
    assert "searchindex.js" not in page
    assert "thebe" not in page
