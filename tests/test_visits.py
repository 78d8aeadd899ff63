"""The record of a visit holds what its page does, and nothing else."""

import importlib.util

import pytest
from visits import look_at, open_tab, paint, start_browser, visit

missing = [
    name for name in ("playwright", "axe_playwright_python") if not importlib.util.find_spec(name)
]
pytestmark = pytest.mark.skipif(
    bool(missing), reason=f"{', '.join(missing)} not installed: pip install -e '.[html,test]'"
)

# as the theme does, which measures its header some time after the window has changed
MEASURE = """
let timer;
addEventListener("resize", () => {
  clearTimeout(timer);
  timer = setTimeout(() => document.querySelector("header").getBoundingClientRect(), 300);
});
"""
QUIET = "console.log('all is well')"
HIDE = """
document.documentElement.style.visibility = "hidden";
setTimeout(() => { document.documentElement.style.visibility = "visible"; }, 200);
"""
WORK = "let sum = 0; for (let n = 0; n < 4e8; n++) sum += n % 7;"


@pytest.fixture(scope="module")
def browser():
    with start_browser() as browser:
        yield browser


@pytest.fixture
def tab(browser):
    with open_tab(browser) as tab:
        tab.clock.install()
        yield tab


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a page and returns its address."""

    def write(name, script, body="<header></header><article><h1>Title</h1></article>"):
        path = tmp_path / f"{name}.html"
        page = f'<!doctype html><html lang="en"><title>Page</title><script>{script}</script>{body}'
        path.write_text(page)
        return path.as_uri()

    return write


def test_late_complaint_is_booked_on_its_own_page(tab, write):
    faulty = write("faulty", MEASURE, body="<article><h1>Title</h1></article>")
    quiet = write("quiet", QUIET)
    first, second = look_at(tab, faulty), look_at(tab, quiet)
    assert [text for text in first.complaints if "getBoundingClientRect" in text]
    assert second.complaints == []


def test_page_that_was_taken_apart_is_not_heard(tab, write):
    measuring, quiet = write("measuring", MEASURE), write("quiet", QUIET)
    assert [look_at(tab, url).complaints for url in (measuring, quiet)] == [[], []]


def test_page_that_was_left_is_not_heard(tab, write):
    later = "setTimeout(() => { throw new Error('too late'); }, 50)"
    with visit(tab, write("later", later)):
        pass
    with visit(tab, write("quiet", QUIET)) as seen:
        tab.clock.run_for(1000)
    assert seen.complaints == []


def test_visit_remembers_nothing_of_another(tab, write):
    url = write("page", "addEventListener('pagehide', () => { sessionStorage.left = 'yes'; })")
    for _ in range(2):
        with visit(tab, url):
            assert tab.evaluate("sessionStorage.length") == 0


def test_paint_tells_that_a_page_waits_for_a_timer(browser, write):
    for script, expected in ((QUIET, True), (HIDE, False)):
        with open_tab(browser) as tab:
            visible, _ = paint(tab, write("page", script))
            assert visible == expected


def test_paint_counts_the_work_of_scripts(browser, write):
    seconds = []
    for script in (QUIET, WORK):
        with open_tab(browser) as tab:
            seconds.append(paint(tab, write("page", script))[1])
    assert seconds[1] > 2 * seconds[0]


FOLDED = "<article><h1>Title</h1>" + 2 * (
    '<details class="hide"><summary>Show the code</summary><pre>x = 1</pre></details>'
)
STUCK = "addEventListener('click', (click) => click.preventDefault())"
PRINTED = "@media print { details::details-content { content-visibility: visible; height: auto } }"


@pytest.mark.parametrize(
    ("script", "style", "shown"),
    [
        (QUIET, PRINTED, [[False, False], [True, False], [True, False], [True, True]]),
        (QUIET, "", [[False, False], [True, False], [True, False], [False, False]]),
        (STUCK, PRINTED, [[False, False], [False, False], [False, False], [True, True]]),
    ],
)
def test_record_tells_how_folded_cells_open(tab, write, script, style, shown):
    page = write("folded", script, body=f"<style>{style}</style>{FOLDED}")
    folded = look_at(tab, page).facts["folded"]
    assert folded == dict(
        zip(["at first", "after a click", "after the keyboard", "on paper"], shown, strict=True)
    )
