"""Visit pages in a real browser and record what they do."""

import contextlib
import shutil
from pathlib import Path

import pytest

from labsupport.pipeline.pdf import BROWSERS

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
LATE_MS = 10_000  # by the clock of the page, which is put forward
HANGS_MS = 300_000  # no measure of speed: only a page that never gets there takes as long
SCRIPT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
FORGET = "if (location.href !== 'about:blank') { localStorage.clear(); sessionStorage.clear(); }"
COLOUR_RULES = ["color-contrast", "link-in-text-block"]


@contextlib.contextmanager
def start_browser():
    """Start the Chromium found on PATH; skip the test where there is none."""
    from playwright.sync_api import sync_playwright

    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found:
        pytest.skip("no Chromium found: apt-get install chromium")
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=found) as it:
        yield it


@contextlib.contextmanager
def open_tab(browser):
    """Open a tab in which every page is the first that it shows."""
    with browser.new_page() as tab:
        tab.add_init_script(FORGET)
        tab.set_default_timeout(HANGS_MS)
        yield tab


class Visit:
    """What one load of a page does, until it is left.

    Attributes
    ----------
    complaints : list of the errors and warnings in the console, until the page was heard out
    requests, failed : lists of addresses
    facts : dict of what was found on the page
    """

    def __init__(self):
        self.complaints, self.requests, self.failed, self.facts = [], [], [], {}
        self.listeners = {
            "console": self._hear,
            "pageerror": lambda error: self.complaints.append(str(error)),
            "request": lambda request: self.requests.append(request.url),
            "requestfailed": lambda request: self.failed.append(request.url),
            "response": self._read,
        }

    def _hear(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _read(self, response):
        if response.status >= 400:
            self.failed.append(response.url)


@contextlib.contextmanager
def visit(tab, url, size=DESKTOP):
    """Load a page, give its record, which grows while the page is used, and leave the page."""
    seen = Visit()
    tab.set_viewport_size(size)
    for event, listener in seen.listeners.items():
        tab.on(event, listener)
    try:
        tab.goto(url)
        tab.evaluate("window.MathJax?.startup?.promise.then(() => null)")
        yield seen
    finally:
        tab.goto("about:blank")  # what the page has put off, it cannot do on the next one
        for event, listener in seen.listeners.items():
            tab.remove_listener(event, listener)


def paint(tab, url):
    """Load and paint a page while its clock stands still.

    Returns
    -------
    visible : whether the heading of its text can be seen
    work_s : processor seconds of the thread that runs scripts, lays out and paints, which do not
        depend on what else the machine does
    """
    tab.clock.install(time=0)
    tab.clock.pause_at(1)
    browser = tab.context.new_cdp_session(tab)
    browser.send("Performance.enable", {"timeDomain": "threadTicks"})
    tab.goto(url)
    visible = tab.locator("article h1").is_visible()
    tab.screenshot()
    metrics = browser.send("Performance.getMetrics")["metrics"]
    return visible, next(it["value"] for it in metrics if it["name"] == "TaskDuration")


def look_at(tab, url):
    """Visit a page once, in a tab whose clock was installed, and record all that the tests ask."""
    with visit(tab, url, PHONE) as seen:
        tab.evaluate(SCRIPT)
        seen.facts |= tab.evaluate("visit.look()")
        tab.evaluate("visit.awaitResize()")
        tab.set_viewport_size(DESKTOP)
        tab.evaluate("visit.resized")
        seen.facts["folded"] = _unfold(tab)
        seen.facts["solutions"] = _open_solutions(tab)
        complaints = _hear_out(tab, seen)
        seen.facts |= _take_apart(tab)
    seen.complaints = complaints
    return seen


def _hear_out(tab, seen):
    """Let the page do what it has put off, and return its complaints so far."""
    from playwright.sync_api import Error

    try:
        tab.clock.run_for(LATE_MS)
    except Error as error:  # of a timer of the page
        seen.complaints.append(str(error))
    return list(seen.complaints)


def _unfold(tab):
    """Open the first folded cell by a click, close it, open it by keyboard; print the page.

    Returns after each step which folded cells are shown.
    """
    shown = {"at first": tab.evaluate("visit.shownFolded()")}
    if shown["at first"]:
        title = tab.locator("article details.hide > summary").first
        title.click()
        shown["after a click"] = tab.evaluate("visit.shownFolded()")
        title.click()
        title.press("Enter")
        shown["after the keyboard"] = tab.evaluate("visit.shownFolded()")
        tab.evaluate("visit.openFolded(false)")
        tab.emulate_media(media="print")
        tab.evaluate("dispatchEvent(new Event('beforeprint')) && null")
        shown["on paper"] = tab.evaluate("visit.shownFolded()")
        tab.evaluate("dispatchEvent(new Event('afterprint')) && null")
        tab.emulate_media(media="screen")
        tab.evaluate("visit.openFolded(true)")
    return shown


def _open_solutions(tab):
    """Open the first solution by a click, close it, open it by keyboard, then open the others.

    Returns after each step which solutions are shown.
    """
    buttons = tab.locator(".solution.dropdown .toggle-button")
    shown = {"at first": tab.evaluate("visit.shownSolutions()")}
    if shown["at first"]:
        buttons.first.click()
        shown["after a click"] = tab.evaluate("visit.shownSolutions()")
        buttons.first.click()
        buttons.first.press("Enter")
        shown["after the keyboard"] = tab.evaluate("visit.shownSolutions()")
        tab.locator(".solution .admonition-title a").first.click()
        shown["after a click on its link"] = tab.evaluate("visit.shownSolutions()")
        for button in buttons.all()[1:]:
            button.dispatch_event("click")
    return shown


def _take_apart(tab):
    """Return the colours of the figures and what axe says, to which it is shown piece by piece."""
    from axe_playwright_python.base import AXE_SCRIPT

    ask = "(options) => visit.axe(options)"
    without_colours = {"rules": {rule: {"enabled": False} for rule in COLOUR_RULES}}
    colours = {"runOnly": COLOUR_RULES}
    tab.evaluate("visit.thinOut()")
    tab.evaluate(AXE_SCRIPT)
    tab.evaluate("visit.findLooks(['light', 'dark'])")
    found = {"figures_in_dark": tab.evaluate("visit.figures()")}
    found["axe"] = tab.evaluate(ask, ["light", False, without_colours])
    tab.evaluate("visit.keepLooks()")
    found["axe_light"] = tab.evaluate(ask, ["light", True, colours])
    found["axe_dark"] = tab.evaluate(ask, ["dark", True, colours])
    return found
