"""Sphinx extension of this book: how firm findings and numbers are, on the pages that show them."""

import functools
import html
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from docutils import nodes
from myst_nb.ext.glue.roles import PasteTextRole
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

from labsupport.pipeline.bands import as_printed, is_inside
from labsupport.pipeline.firmness import FIRMNESS, Firm, read_firmness, wilson_interval
from labsupport.pipeline.notebooks import code_digest, findings, numbers, read_notebook

__all__ = ["mark_of", "setup"]


@dataclass(frozen=True)
class Sweep:
    """What a committed sweep says of a chapter.

    Attributes
    ----------
    rows : dict from str to Firm
        By the names of findings and numbers, in the order of the chapter.
    is_current : bool
        Whether the code of the chapter is still that of the sweep.
    printed, words : dict
        The numbers and the words of the findings of the committed outputs, by name.
    """

    rows: dict[str, Firm]
    is_current: bool
    printed: dict[str, dict]
    words: dict[str, str]


@functools.cache
def _sweeps(path: Path) -> dict[str, list[Firm]]:
    """Return the rows of each chapter in the file of the book."""
    rows = read_firmness(path)
    return {c: list(own) for c, own in itertools.groupby(rows, lambda row: row.chapter)}


@functools.cache
def _sweep_of(book: Path, chapter: str) -> Sweep | None:
    """Return what the committed sweep says of a chapter, or None if it has none."""
    rows = _sweeps(book / FIRMNESS).get(chapter)
    if not rows:
        return None
    notebook = read_notebook(book / f"{chapter}.ipynb")
    return Sweep(
        {row.name: row for row in rows},
        code_digest(notebook) == rows[0].sources,
        numbers(notebook),
        {name: found["words"] for name, found in findings(notebook).items()},
    )


def _current(env: BuildEnvironment, chapter: str) -> Sweep | None:
    """Return the sweep of the chapter as it is now, noting that its page depends on it."""
    book = Path(env.srcdir) / "book"
    env.note_dependency(str(book / FIRMNESS))
    sweep = _sweep_of(book, chapter)
    return sweep if sweep and sweep.is_current else None


def mark_of(env: BuildEnvironment, chapter: str, name: str) -> list[nodes.Node]:
    """Return what follows the words of a finding: with how many seeds it held, and a link."""
    sweep = _current(env, chapter)
    row = sweep and sweep.rows.get(name)
    if not row:
        return []
    text = f"{row.held} of {row.runs} seeds"
    target = f"firmness.html#{_anchor(row)}"
    link = nodes.reference("", text, refuri=target, internal=True, classes=["seeds"])
    return [nodes.Text(" "), link]


def _anchor(row: Firm) -> str:
    """Return where the page of all sweeps speaks of a finding or number."""
    return f"firm-{row.chapter.replace('_', '-')}-{row.name.replace('.', '-')}"


class BandedText(PasteTextRole):
    """The role `glue:text`, which also tells how far a number spreads over the seeds."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Put the number into an element that shows its band on hover and focus."""
        found, messages = super().run()
        env = self.document.settings.env
        chapter = Path(env.docname).stem
        name = self.text.removeprefix(f"{chapter.replace('_', '-')}-")
        if name == self.text or not found:
            return found, messages
        sweep = _current(env, chapter)
        row = sweep and sweep.rows.get(name)
        if not row or row.kind == "finding":
            return found, messages
        text = html.escape(_band(row, sweep.printed), quote=True)
        opened = f'<span class="banded" tabindex="0" data-band="{text}">'
        ends = [nodes.raw("", code, format="html") for code in (opened, "</span>")]
        return [ends[0], *found, ends[1]], messages


def _band(row: Firm, printed: dict) -> str:
    """Return in words how far a number spreads."""
    if row.kind == "word":
        return f"{row.word} with {row.held} of {row.runs} seeds"
    text = printed.get(row.name, {}).get("text", "")
    low, high = (as_printed(text, row, value) for value in (row.low, row.high))
    return (
        f"{low} with all {row.runs} seeds"
        if low == high
        else (f"{low} to {high} with 90% of {row.runs} seeds")
    )


class Firmness(SphinxDirective):
    """Show how firm findings and numbers of all chapters are, as the committed sweeps found."""

    def run(self) -> list[nodes.Node]:
        """Read the file beside the page."""
        book = Path(self.env.srcdir) / "book"
        self.env.note_dependency(str(book / FIRMNESS))
        shown = []
        for chapter in _sweeps(book / FIRMNESS):
            sweep = _sweep_of(book, chapter)
            section = self.parse_text_to_nodes("\n".join(_text(chapter, sweep)))
            rows = [row for node in section for row in node.findall(nodes.tbody)]
            ordered = sorted(sweep.rows.values(), key=lambda row: row.kind != "finding")
            lines = [line for body in rows for line in body.findall(nodes.row)]
            for row, line in zip(ordered, lines, strict=True):
                line["ids"].append(_anchor(row))
            shown += section
        return shown


def _share(row: Firm) -> str:
    """Return how many of the runs held, on one line."""
    return f"{row.held} of {row.runs}".replace(" ", "\N{NO-BREAK SPACE}")


def _text(chapter: str, sweep: Sweep) -> Iterator[str]:
    """Yield the lines about one chapter."""
    rows = list(sweep.rows.values())
    label = f"lab-{chapter.replace('_', '-')}"
    yield f"**{{ref}}`{label}`.** Seeds {rows[0].seeds}; {rows[0].made}."
    if not sweep.is_current:
        yield "The code of the chapter has changed since, so its page shows no seeds."
    yield ""
    yield "| finding | held | 95% interval | seeds that break it |"
    yield "|---|--:|---|---|"
    for row in rows:
        if row.kind == "finding":
            low, high = wilson_interval(row.held, row.runs)
            words = sweep.words.get(row.name, row.name).replace("|", r"\|")
            breaking = row.breaking.replace(",", ", ") or "none"
            interval = f"{100 * low:.0f}% to {100 * high:.0f}%"
            yield f"| {words} | {_share(row)} | {interval} | {breaking} |"
    yield ""
    yield "```{admonition} Its numbers"
    yield ":class: dropdown"
    yield "| number | the book | median | 5% to 95% of the runs | the book lies |"
    yield "|---|--:|--:|---|---|"
    for row in rows:
        if row.kind == "finding":
            continue
        text = sweep.printed.get(row.name, {}).get("text", "")
        if row.kind == "word":
            common = "with most" if text == row.word else "apart"
            yield f"| `{row.name}` | {text} | {row.word} | {_share(row)} | {common} |"
            continue
        low, median, high = (as_printed(text, row, v) for v in (row.low, row.median, row.high))
        inside = "inside" if is_inside(row, sweep.printed) else "outside"
        yield f"| `{row.name}` | {text} | {median} | {low} to {high} | {inside} |"
    yield "```"


def setup(app: Sphinx) -> dict[str, bool]:
    """Register what pages need."""
    app.setup_extension("myst_nb")  # which brings the domain of the role
    app.add_directive("firmness", Firmness)
    app.add_role_to_domain("glue", "text", BandedText(), override=True)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
