"""Load every page of the book once in a real browser, record what it does, and look at the record.

Links, anchors and downloads are checked without the browser.
"""

import http.server
import importlib.util
import itertools
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, unquote, urljoin, urlsplit

import nbformat
import pytest
from conftest import serve
from visits import PHONE, look_at, open_tab, paint, start_browser, visit

from labsupport.pipeline.project import Project, read_yaml
from labsupport.pipeline.render import render_html

ROOT = Path(__file__).parents[1]
WEIGHT_LIMIT = 1_000_000
FIRST_PAINT_S = 1

toc = read_yaml(ROOT / "_toc.yml")
IN_ORDER = [toc["root"], *(page["file"] for part in toc["parts"] for page in part["chapters"])]
CHAPTERS = [page for page in IN_ORDER if (ROOT / f"{page}.ipynb").exists()]
PAGES = [*(f"{page}.html" for page in IN_ORDER), "search.html", "genindex.html"]
FIRST_PAGE, A_CHAPTER = PAGES[0], f"{CHAPTERS[0]}.html"

missing = [
    name
    for name in ("jupyter_book", "playwright", "axe_playwright_python")
    if not importlib.util.find_spec(name)
]
pytestmark = [
    pytest.mark.skipif(
        bool(missing), reason=f"{', '.join(missing)} not installed: pip install -e '.[html,test]'"
    ),
]
needs_glossary = pytest.mark.skipif(
    "book/glossary" not in IN_ORDER,
    reason="the book has no glossary yet: book/glossary in _toc.yml",
)
each_page = pytest.mark.parametrize("page", PAGES)
each_chapter = pytest.mark.parametrize("chapter", CHAPTERS)
each_folding = pytest.mark.parametrize(
    "chapter",
    [c for c in CHAPTERS if '"hide-input"' in (ROOT / f"{c}.ipynb").read_text(encoding="utf-8")],
)


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    """Render the committed book once and return its folder; do not change it."""
    build = tmp_path_factory.mktemp("pages")
    return render_html(Project(ROOT, build)).parent


@pytest.fixture(scope="module")
def address(html):
    """Serve the rendered book on loopback."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    with serve(Handler, html) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    """Start one browser for all visits."""
    with start_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def visits(browser, address):
    """Load each page once; the tests look at the records."""
    with open_tab(browser) as tab:
        tab.clock.install()
        return {page: look_at(tab, f"{address}/{page}") for page in PAGES}


@pytest.fixture(scope="module")
def tab(browser):
    """Open a tab in which time runs as it does for readers."""
    with open_tab(browser) as tab:
        yield tab


@pytest.fixture(scope="module")
def elements(html):
    """Return the start tags of each page: pairs of a name and a dictionary of attributes."""
    return {page: _start_tags(html / page) for page in PAGES}


def _start_tags(path):
    tags = []
    parser = HTMLParser()
    parser.handle_starttag = lambda name, attributes: tags.append((name, dict(attributes)))
    parser.feed(path.read_text(encoding="utf-8"))
    return tags


# what must hold


def test_every_page_is_looked_at(html):
    pages = {path.relative_to(html).as_posix() for path in html.rglob("*.html")}
    ours = {page for page in pages if not page.startswith("_static/")}
    assert ours - {"index.html"} == set(PAGES)


@each_page
def test_browser_does_not_complain(visits, page):
    assert visits[page].complaints == []


@each_page
def test_every_request_is_answered(visits, page):
    assert visits[page].failed == []


@each_page
def test_page_asks_only_its_own_server(visits, address, page):
    assert visits[page].requests
    assert [url for url in visits[page].requests if not _is_at(url, address)] == []


@pytest.mark.parametrize("page", [FIRST_PAGE, A_CHAPTER])
def test_page_from_disk_asks_only_for_files_of_the_book(tab, html, page):
    with visit(tab, (html / page).as_uri()) as seen:
        tab.wait_for_load_state("networkidle")  # the icon comes last
    assert seen.complaints == []
    assert seen.failed == []
    assert [url for url in seen.requests if not _is_at(url, html.as_uri())] == []


def _is_at(url, address):
    return url.startswith((f"{address}/", "data:", "blob:"))


@each_page
def test_mathematics_is_typeset(visits, page):
    facts = visits[page].facts
    assert facts["math_errors"] == []
    assert facts["typeset"] == facts["formulas"]


@each_page
def test_no_markup_is_left_in_the_text(visits, page):
    text = visits[page].facts["text"]
    assert "Deep-Learning Labs" in text
    left = r"\$[^$]+\$|\\[()\[\]]|\{[a-z]+(:[a-z]+)*\}|:[a-z]+:`|`|\]\("
    assert re.findall(f".{{,20}}(?:{left}).{{,20}}", text) == []


@each_page
def test_images_are_shown(visits, page):
    assert visits[page].facts["broken"] == []


@each_page
def test_images_are_described(visits, page):
    alts = visits[page].facts["alts"]
    assert [alt for alt in alts if len(alt.split()) < 5] == []
    assert len(set(alts)) == len(alts)


@each_page
def test_page_fits_a_phone(visits, page):
    facts = visits[page].facts
    assert facts["width"] <= PHONE["width"], facts["too_wide"]


@each_page
def test_what_scrolls_on_a_phone_scrolls_by_keyboard(visits, page):
    assert visits[page].facts["scrolls_for_mice_only"] == []


@each_page
def test_page_is_light(visits, html, page):
    paths = {unquote(urlsplit(url).path) for url in visits[page].requests}
    files = [html / path.lstrip("/") for path in paths if _has_weight(path)]
    sizes = {file.name: file.stat().st_size for file in files if file.is_file()}
    assert sizes
    heaviest = sorted(sizes.items(), key=lambda item: -item[1])[:5]
    assert sum(sizes.values()) < WEIGHT_LIMIT, heaviest


def _has_weight(path):
    """Fonts and MathJax are fetched once for the whole book."""
    return "/mathjax/" not in path and not path.endswith((".woff2", ".woff", ".ttf"))


def test_first_page_is_painted_within_a_second_from_disk(browser, html):
    with open_tab(browser) as tab:
        visible, work_s = paint(tab, (html / FIRST_PAGE).as_uri())
    assert visible  # though no timer has ended
    assert work_s < FIRST_PAINT_S


@each_page
def test_axe_finds_nothing_serious(visits, page):
    assert visits[page].facts["axe"] == []


@each_page
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_axe_finds_nothing_serious_in_the_colours(visits, page, mode):
    assert visits[page].facts[f"axe_{mode}"] == []


@each_chapter
def test_figures_keep_their_colours_in_dark_mode(visits, chapter):
    figures = visits[f"{chapter}.html"].facts["figures_in_dark"]
    assert figures
    assert set(figures) == {"brightness(0.9) on rgb(255, 255, 255)"}


@each_chapter
def test_solutions_are_closed_at_first(visits, chapter):
    shown = visits[f"{chapter}.html"].facts["solutions"]["at first"]
    assert shown
    assert not any(shown)


@each_chapter
@pytest.mark.parametrize("means", ["a click", "the keyboard", "a click on its link"])
def test_solution_opens(visits, chapter, means):
    shown = visits[f"{chapter}.html"].facts["solutions"][f"after {means}"]
    assert shown[0]
    assert not any(shown[1:])


@each_folding
def test_folded_cells_are_closed_at_first(visits, chapter):
    assert not any(visits[f"{chapter}.html"].facts["folded"]["at first"])


@each_folding
@pytest.mark.parametrize("means", ["a click", "the keyboard"])
def test_folded_cell_opens(visits, chapter, means):
    shown = visits[f"{chapter}.html"].facts["folded"][f"after {means}"]
    assert shown[0]
    assert not any(shown[1:])


@each_folding
def test_folded_cells_are_open_on_paper(visits, chapter):
    shown = visits[f"{chapter}.html"].facts["folded"]["on paper"]
    assert shown
    assert all(shown)


@pytest.mark.parametrize("place", ["server", "disk"])
@pytest.mark.parametrize(
    ("words", "page"),
    [
        ("shirts pullovers coats", "softmax_regression"),
        ("subgradient", "neurons_activations"),
        ("corr2d", "convolution_pooling"),
        ("try_gpu", "saving_devices"),
        pytest.param("梯度下降", "glossary", marks=needs_glossary),
        pytest.param("梯度", "glossary", marks=needs_glossary),
    ],
)
def test_search_finds(tab, address, html, place, words, page):
    base = address if place == "server" else html.as_uri()
    with visit(tab, f"{base}/search.html?q={quote(words)}") as seen:
        tab.get_by_text("Search finished").wait_for()
        tab.wait_for_load_state("networkidle")  # it reads the pages it has found
        results = tab.locator("ul.search li > a").all()
        first = [urlsplit(link.get_attribute("href")).path for link in results[:3]]
    assert f"book/{page}.html" in first
    assert seen.complaints == []


@each_page
def test_links_resolve(html, elements, page):
    ids = {name: Counter(_ids(tags)) for name, tags in elements.items()}
    faults = []
    for _, attributes in elements[page]:
        for target in filter(None, (attributes.get("href"), attributes.get("src"))):
            url = urlsplit(urljoin(page, target))
            if url.scheme:
                continue
            path, anchor = unquote(url.path), unquote(url.fragment)
            if not (html / path).is_file():
                faults.append(f"{target}: no such file")
            elif anchor and ids[path][anchor] != 1:
                faults.append(f"{target}: {ids[path][anchor]} elements have this id")
    assert faults == []


@each_page
def test_ids_are_unique(elements, page):
    assert [name for name, count in Counter(_ids(elements[page])).items() if count > 1] == []


def _ids(tags):
    return [attributes["id"] for _, attributes in tags if attributes.get("id")]


def test_previous_and_next_lead_through_the_book_in_order(elements):
    pages = [f"{page}.html" for page in IN_ORDER]
    for before, after in itertools.pairwise(pages):
        assert _link(elements, before, "right-next") == after
        assert _link(elements, after, "left-prev") == before
    assert _link(elements, pages[0], "left-prev") is None
    assert _link(elements, pages[-1], "right-next") is None


@each_chapter
def test_chapter_offers_its_notebook(html, elements, chapter):
    offered = _link(elements, f"{chapter}.html", "btn-download-source-button")
    notebook = nbformat.read(html / offered, as_version=4)
    nbformat.validate(notebook)
    committed = nbformat.read(ROOT / f"{chapter}.ipynb", as_version=4)
    assert [cell.source for cell in notebook.cells] == [cell.source for cell in committed.cells]


def _link(elements, page, kind):
    """Return where the only link of a class leads."""
    targets = {
        urljoin(page, attributes["href"])
        for name, attributes in elements[page]
        if name == "a" and kind in attributes.get("class", "").split()
    }
    assert len(targets) <= 1, targets
    return next(iter(targets), None)
