"""Load every page of the book once in a real browser, record what it does, and look at the record.

Links, anchors and downloads are checked without the browser.
"""

import dataclasses
import http.server
import importlib.util
import itertools
import re
import shutil
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, unquote, urljoin, urlsplit

import nbformat
import pytest
from conftest import serve

from labsupport.pipeline.pdf import BROWSERS
from labsupport.pipeline.project import Project, read_yaml
from labsupport.pipeline.render import render_html

ROOT = Path(__file__).parents[1]
WEIGHT_LIMIT = 1_000_000
FIRST_PAINT_MS = 1000
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}

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


# what the browser does and sees

LOOK = r"""
async () => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const start = (element) => element.outerHTML.slice(0, 100);
  for (let y = 0; y < document.body.scrollHeight; y += 800) scrollTo(0, y);
  scrollTo(0, 0);
  await Promise.all(all("img").map((img) => img.decode().catch(() => null)));
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT, (node) =>
    node.parentElement.closest("script, style, pre, code, mjx-container")
      ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT);
  let text = "";
  while (words.nextNode()) text += words.currentNode.data;
  return {
    text,
    formulas: all(".math").length,
    typeset: all("mjx-container").length,
    math_errors: all("mjx-merror, [data-mjx-error]").map((node) => node.textContent),
    alts: all("article img").map((img) => img.alt),
    broken: all("img").filter((img) => !img.naturalWidth).map((img) => img.src),
    width: document.scrollingElement.scrollWidth,
    too_wide: all("body *")
        .filter((it) => it.getBoundingClientRect().right > innerWidth)
        .map(start),
    scrolls_for_mice_only: all("article *")
        .filter((it) => it.scrollWidth > it.clientWidth + 1)
        .filter((it) => ["auto", "scroll"].includes(getComputedStyle(it).overflowX))
        .filter((it) => it.tabIndex < 0 && !it.querySelector("a, button, [tabindex='0']"))
        .map(start),
  };
}
"""

SHOWN_SOLUTIONS = """
() => {
  document.getAnimations().forEach((animation) => animation.finish());
  return [...document.querySelectorAll(".solution.dropdown .solution-content")]
      .map((body) => body.checkVisibility({ visibilityProperty: true }));
}
"""

# axe would take minutes for a page. So it is shown no letters of formulas, which are drawn where it
# does not look, one word of code for each chain of tags, classes and styles, and for the colours
# one element of each look: the same letters on the same backgrounds.
THIN_OUT = """
() => {
  const paths = new Map([[null, ""]]);
  const path = (element) => {
    if (!paths.has(element)) {
      const { parentElement, tagName, className, style, textContent } = element;
      const own = [tagName, className, style.cssText, textContent.length > 1];
      paths.set(element, [path(parentElement), ...own].join());
    }
    return paths.get(element);
  };
  const seen = new Set();
  for (const element of document.querySelectorAll("pre *")) {
    if (seen.has(path(element))) element.remove();
    seen.add(path(element));
  }
  document.querySelectorAll("mjx-container > *").forEach((element) => element.remove());
}
"""

FIND_LOOKS = """
(modes) => {
  const looks = new Map();
  for (const mode of modes) {
    document.documentElement.dataset.theme = mode;
    document.getAnimations().forEach((animation) => animation.finish());
    const backgrounds = new Map([[null, mode]]);
    const background = (element) => {
      if (!backgrounds.has(element)) {
        const { backgroundColor, backgroundImage, opacity, filter } = getComputedStyle(element);
        const own = [backgroundColor, backgroundImage, opacity, filter].join();
        const above = background(element.parentElement);
        const plain = own === "rgba(0, 0, 0, 0),none,1,none";
        backgrounds.set(element, plain ? above : `${above}/${own}`);
      }
      return backgrounds.get(element);
    };
    for (const element of document.body.querySelectorAll("*")) {
      const words = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE)
          .map((node) => node.data.trim()).join("");
      if (!words || !element.checkVisibility({ visibilityProperty: true })) continue;
      const { color, fontSize, fontWeight } = getComputedStyle(element);
      const { tagName } = element.parentElement;
      const style = [color, fontSize, fontWeight, background(element), tagName];
      const look = [...style, words.length > 1].join();  // axe passes over single letters
      if (!looks.has(look)) looks.set(look, element);
    }
  }
  window.looks = [...new Set(looks.values())];
  const needed = new Set();
  for (let element of window.looks) {
    for (; element; element = element.parentElement) needed.add(element);
  }
  window.removeUnneeded = () => {
    for (const element of document.body.querySelectorAll("*")) {
      if (!needed.has(element)) element.remove();
    }
  };
}
"""

AXE = """
async ([mode, only_looks, rules]) => {
  document.documentElement.dataset.theme = mode;
  document.getAnimations().forEach((animation) => animation.finish());
  const options = { resultTypes: ["violations"], preload: false, selectors: false, ...rules };
  const { violations } = await axe.run(only_looks ? { include: window.looks } : document, options);
  return violations
      .filter(({ impact }) => ["serious", "critical"].includes(impact))
      .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) =>
          `${id}: ${html.slice(0, 150)} ${failureSummary}`));
}
"""
COLOUR_RULES = ["color-contrast", "link-in-text-block"]

FIRST_PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0].startTime"

FIGURES = """
() => [...document.querySelectorAll("article figure img")].map((img) => {
  const { filter, backgroundColor } = getComputedStyle(img);
  return [filter, backgroundColor].join(" on ");
})
"""


@dataclasses.dataclass
class Visit:
    """What one load of a page showed."""

    complaints: list = dataclasses.field(default_factory=list)
    failed: list = dataclasses.field(default_factory=list)
    requests: list = dataclasses.field(default_factory=list)
    facts: dict = dataclasses.field(default_factory=dict)


class Tab:
    """A tab of the browser that keeps the record of the page in it."""

    def __init__(self, page):
        self.page = page
        self.seen = Visit()
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.seen.complaints.append(str(error)))
        page.on("request", lambda request: self.seen.requests.append(request.url))
        page.on("requestfailed", lambda request: self.seen.failed.append(request.url))
        page.on("response", self._read)

    def _hear(self, message):
        if message.type in ("error", "warning"):
            self.seen.complaints.append(message.text)

    def _read(self, response):
        if response.status >= 400:
            self.seen.failed.append(response.url)

    def open(self, url, size=DESKTOP):
        """Load a page and return its record, which grows while the page is used."""
        self.seen = Visit()
        self.page.set_viewport_size(size)
        self.page.goto(url)
        self.page.evaluate("window.MathJax?.startup?.promise.then(() => null)")
        return self.seen

    def look_at(self, url):
        """Load a page once and record all that the tests ask."""
        from axe_playwright_python.base import AXE_SCRIPT

        seen, run = self.open(url, PHONE), self.page.evaluate
        seen.facts = run(LOOK)
        run(THIN_OUT)
        self.page.set_viewport_size(DESKTOP)
        seen.facts["solutions"] = self.open_solutions()
        run(AXE_SCRIPT)
        run(FIND_LOOKS, ["light", "dark"])
        seen.facts["figures_in_dark"] = run(FIGURES)
        without_colours = {"rules": {rule: {"enabled": False} for rule in COLOUR_RULES}}
        seen.facts["axe"] = run(AXE, ["light", False, without_colours])
        run("removeUnneeded()")
        colours = {"runOnly": COLOUR_RULES}
        seen.facts["axe_light"] = run(AXE, ["light", True, colours])
        seen.facts["axe_dark"] = run(AXE, ["dark", True, colours])
        return seen

    def open_solutions(self):
        """Open the first solution by a click, close it, open it by keyboard, then open the others.

        Returns after each step which solutions are shown.
        """
        buttons = self.page.locator(".solution.dropdown .toggle-button")
        shown = {"at first": self.page.evaluate(SHOWN_SOLUTIONS)}
        if shown["at first"]:
            buttons.first.click()
            shown["after a click"] = self.page.evaluate(SHOWN_SOLUTIONS)
            buttons.first.click()
            buttons.first.press("Enter")
            shown["after the keyboard"] = self.page.evaluate(SHOWN_SOLUTIONS)
            self.page.locator(".solution .admonition-title a").first.click()
            shown["after a click on its link"] = self.page.evaluate(SHOWN_SOLUTIONS)
            for button in buttons.all()[1:]:
                button.dispatch_event("click")
        return shown


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
def tab():
    """Open a browser to which every page is the first that it sees."""
    from playwright.sync_api import sync_playwright

    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found:
        pytest.skip("no Chromium found: apt-get install chromium")
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=found) as it:
        page = it.new_page()
        page.add_init_script("localStorage.clear()")
        page.set_default_timeout(10_000)
        yield Tab(page)


@pytest.fixture(scope="module")
def visits(tab, address):
    """Load each page once; the tests look at the records."""
    return {page: tab.look_at(f"{address}/{page}") for page in PAGES}


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
    seen = tab.open((html / page).as_uri())
    tab.page.wait_for_load_state("networkidle")  # the icon comes last
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


def test_first_page_is_painted_within_a_second_from_disk(tab, html):
    times_ms = []
    while len(times_ms) < 3 and not any(time_ms < FIRST_PAINT_MS for time_ms in times_ms):
        tab.open((html / FIRST_PAGE).as_uri())
        times_ms.append(tab.page.evaluate(FIRST_PAINT))
    assert min(times_ms) < FIRST_PAINT_MS


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
    seen = tab.open(f"{base}/search.html?q={quote(words)}")
    results = tab.page.locator("ul.search li > a")
    results.first.wait_for()
    tab.page.wait_for_load_state("networkidle")  # it reads the pages it has found
    first = [urlsplit(link.get_attribute("href")).path for link in results.all()[:3]]
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
