"""Print the book into one PDF through a Chromium found on PATH; needs no torch."""

import copy
import html
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from labsupport.pipeline.child import run_child
from labsupport.pipeline.project import DISK_FIX, LabsError, Project, read_yaml
from labsupport.pipeline.render import rendered

if TYPE_CHECKING:
    from bs4 import Tag

__all__ = ["join_pages", "render_pdf"]

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

# In virtual time, which leaps ahead when there is nothing left to do.
TIME_TO_TYPESET_MS = 60_000

# Chromium prints whatever is there when that time is over; so the page says how far it came.
REPORT = """
window.addEventListener("load", async () => {
  await window.MathJax?.startup?.promise;
  const count = (formulas) => document.querySelectorAll(formulas).length;
  const typeset = count(".math:has(mjx-container):not(:has(mjx-merror))");
  console.log(`<typeset ${typeset} of ${count(".math")} formulas>`);
});
"""

# A single page is printed on the paper of its reader's printer, but a file has to choose one.
PAPER = "@page { size: A4; } @page :first { @bottom-center { content: none; } }"


def render_pdf(project: Project) -> Path:
    """Render the committed book, print it into one file, and return that file.

    Raises
    ------
    LabsError
        If there is no Chromium, if Jupyter Book finds fault with a page, or if Chromium does not
        print all of it. The PDF of an earlier printing is then left as it is.
    """
    browser = _find_browser()
    pdf = project.build / "book.pdf"
    with rendered(project) as folder:
        root = read_yaml(project.root / "_toc.yml")["root"]
        title = read_yaml(project.root / "_config.yml").get("title", "")
        joined = join_pages(folder / "book", PurePosixPath(root).name, title=title)
        page = folder / "book" / "joined pages.html"  # beside the others: images are relative
        page.write_text(joined, encoding="utf-8")
        printed = folder.parent / pdf.name
        _print(browser, page, printed, log=project.logs / "pdf.log")
        os.replace(printed, pdf)
    return pdf


def join_pages(folder: Path, root: str, *, title: str) -> str:
    """Join a title page, the contents and all pages of the rendered book into one page.

    Sphinx's own builder of a single page leaves the anchors of each chapter as they are, so that
    all links to a summary would lead to the first one. Here they carry the name of their page.

    Parameters
    ----------
    folder : Path
        Holds the rendered pages.
    root : str
        The name of the first page. The sidebar on it lists the others in their order.
    title : str
        The title of the book.
    """
    from bs4 import BeautifulSoup

    def read(name: str) -> BeautifulSoup:
        return BeautifulSoup((folder / f"{name}.html").read_text(encoding="utf-8"), "html.parser")

    first = read(root)
    contents = copy.copy(first.select_one("nav.bd-links"))
    names = [link["href"].removesuffix(".html") for link in contents.select("a.internal")]
    pages = {root: first} | {name: read(name) for name in names}
    articles = []
    for name, page in pages.items():
        article = page.select_one("article.bd-article")
        for link in article.select("a.headerlink"):
            link.decompose()
        _name_anchors(article, name)
        _keep_links_inside(article, name, pages)
        articles.append(article)
    _keep_links_inside(contents, root, pages)
    heads = [tag for page in pages.values() for tag in page.select("link[rel=stylesheet], script")]
    head = dict.fromkeys(  # each once; of the scripts only those that typeset
        str(tag) for tag in heads if tag.name == "link" or "mathjax" in str(tag).lower()
    )
    return f"""<!DOCTYPE html>
<html lang="{first.html["lang"]}" data-theme="light">
<head>
<meta charset="utf-8">
<title>{html.escape(title)}</title>
{"".join(head)}
<style>{PAPER}{_running_heads(articles)}</style>
<script>{REPORT}</script>
</head>
<body><main class="bd-main"><div class="bd-content"><div class="bd-article-container">
<div id="title-page">{first.select_one("img.logo__image") or ""}<p>{html.escape(title)}</p></div>
<div id="contents-page">
<h1>Contents</h1>
<p><a href="#{root}">{_heading(articles[0])}</a></p>
{contents}
</div>
{"".join(map(str, articles))}
</div></div></main></body>
</html>
"""


def _name_anchors(article: "Tag", name: str) -> None:
    """Put the name of its page before each anchor of an article."""
    for tag in article.find_all(id=True):
        tag["id"] = f"{name}--{tag['id']}"
    article["id"] = name


def _keep_links_inside(part: "Tag", name: str, pages: Iterable[str]) -> None:
    """Let the links in a part of the page `name` lead to such anchors."""
    for link in part.find_all("a", href=True):
        target, _, anchor = link["href"].partition("#")
        target = target.removesuffix(".html") or name
        if target in pages:
            link["href"] = f"#{target}--{anchor}" if anchor else f"#{target}"
        elif not link["href"].startswith(("http:", "https:", "mailto:")):
            del link["href"]  # to a file that lies beside the HTML, such as a picture


def _heading(article: "Tag") -> str:
    """Return the heading of a page, as text in HTML."""
    return html.escape(article.h1.get_text())


def _running_heads(articles: Sequence["Tag"]) -> str:
    """Return the style that puts the heading of each page at the top of each of its sheets."""
    rules = []
    for number, article in enumerate(articles):
        heading = "".join(f"\\{ord(letter):06x}" for letter in article.h1.get_text())
        rules.append(f"@page page-{number} {{ @top-center {{ content: '{heading}'; }} }}")
        article["style"] = f"page: page-{number}"
    return "".join(rules)


def _find_browser() -> str:
    """Return the path of a Chromium, or say what to install."""
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    raise LabsError(
        f"the PDF is printed by Chromium, and none of {', '.join(BROWSERS)} is on PATH: install "
        "one (on Debian `apt install chromium`), or print single pages of the HTML book"
    )


def _print(browser: str, page: Path, printed: Path, *, log: Path) -> None:
    """Let the browser print a page, its words in `log`."""
    command = [browser, "--headless", f"--print-to-pdf={printed}", "--no-pdf-header-footer"]
    command += ["--generate-pdf-document-outline", f"--virtual-time-budget={TIME_TO_TYPESET_MS}"]
    command += ["--enable-logging=stderr", "--disable-background-networking"]
    command += [f"--user-data-dir={printed.parent / 'profile'}"]  # not the open one of its owner
    if os.geteuid() == 0:  # where root is the only user, as in containers, it refuses otherwise
        command += ["--no-sandbox"]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as file:
        run_child([*command, page.as_uri()], stdout=file, stderr=subprocess.STDOUT)
    text = log.read_text(encoding="utf-8", errors="replace")
    where = f"the whole story is in {log}"
    if "No space left on device" in text:
        raise LabsError(f"the PDF could not be printed: the disk is full. {DISK_FIX}")
    if not _is_whole(printed):  # which its exit code does not tell
        raise LabsError(f"{browser} did not print the PDF to its end; {where}")
    typeset = re.search(r"<typeset (\d+) of (\d+) formulas>", text)
    if not typeset or typeset[1] != typeset[2]:
        how_many = f"{typeset[1]} of {typeset[2]}" if typeset else "none of the"
        raise LabsError(
            f"{browser} typeset {how_many} formulas, so the PDF is not kept: correct those that "
            f"MathJax cannot read, which the HTML book shows in red; {where}"
        )


def _is_whole(pdf: Path) -> bool:
    """Tell whether a PDF is there, with the mark at its end."""
    return pdf.exists() and pdf.read_bytes().endswith(b"%%EOF\n")
