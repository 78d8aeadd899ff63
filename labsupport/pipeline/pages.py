"""Sphinx extension of this book: anchors on cells, tables made from data files, light pages.

`_config.yml` names it; like all that renders pages it needs no torch.
"""

import functools
import re
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import tinycss2
from docutils import nodes
from PIL import Image
from sphinx.application import Sphinx
from sphinx.builders import Builder
from sphinx.environment import BuildEnvironment
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms.images import ImageConverter
from sphinx.util.docutils import SphinxDirective, SphinxRole

from labsupport.pipeline.ledger import ledger_markdown, read_ledger
from labsupport.pipeline.marks import mark_of
from labsupport.pipeline.notebooks import cell_findings, read_notebook
from labsupport.pipeline.provenance import PROVENANCE, provenance_markdown, read_provenance
from labsupport.published import PUBLISHED, read_published

__all__ = ["setup"]


class Anchors(SphinxTransform):
    """Let pages link to what a chapter shows.

    To a code cell by `chapter#cell-id`, at `#cell-<cell-id>`; to a finding by
    `chapter#finding-<name>`, at `#finding-<name>`.
    """

    default_priority = 400

    def apply(self) -> None:
        """Give each code cell of a notebook its anchor, and each finding its own and its style."""
        path = Path(self.env.doc2path(self.env.docname))
        if path.suffix != ".ipynb":
            return
        cells = read_notebook(path).cells
        for node in self.document.findall(nodes.container):
            if node.get("nb_element") == "cell_code":
                cell = cells[node["cell_index"]]
                self.set_anchor(node, f"cell-{cell.id}", f"{path.stem}#{cell.id}")
                for finding, line in zip(cell_findings(cell), _marked(node), strict=True):
                    line["classes"].append("finding" if finding["held"] else "lost-finding")
                    name = f"finding-{finding['name']}"
                    self.set_anchor(line, name, f"{path.stem}#{name}")
                    line += mark_of(self.env, path.stem, finding["name"])

    def set_anchor(self, node: nodes.Element, place: str, name: str) -> None:
        """Let `name` lead to a node, whose address on its page is `place`."""
        node["ids"].append(place)
        node["names"].append(name.lower())
        self.document.note_explicit_target(node)


def _marked(cell: nodes.container) -> list[nodes.paragraph]:
    """Return the lines of the findings under a cell, in their order."""
    return [
        line
        for output in cell.findall(nodes.container)
        if output.get("mime_type") == "text/markdown"
        for line in output.findall(nodes.paragraph)
        if line.astext().startswith(("✓ Found:", "✗ Does not hold here:"))
    ]


read_ledger_once = functools.cache(read_ledger)  # nearly every page shows a part of it


class Claims(SphinxDirective):
    """Show the claims of the ledger that one chapter settles, or the count of all verdicts."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Read the ledger beside the page."""
        path = Path(self.env.srcdir) / "book" / "claims.yml"
        self.env.note_dependency(str(path))
        chapter = self.arguments[0] if self.arguments else None
        text = ledger_markdown(read_ledger_once(path), chapter=chapter)
        return self.parse_text_to_nodes(text)


class Provenance(SphinxDirective):
    """Show when, where and how fast each chapter was executed: one table for each machine."""

    def run(self) -> list[nodes.Node]:
        """Read what `labs update` recorded."""
        path = Path(self.env.srcdir) / "book" / PROVENANCE
        self.env.note_dependency(str(path))
        return self.parse_text_to_nodes(provenance_markdown(read_provenance(path)))


read_published_once = functools.cache(read_published)


class Published(SphinxRole):
    """Show a published figure by its id, as its source prints it."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Read the figures beside the page."""
        path = Path(self.env.srcdir) / "book" / PUBLISHED
        self.env.note_dependency(str(path))
        figure = read_published_once(path).get(self.text)
        if figure is None:
            message = f"no published figure has the id {self.text!r}: see book/{PUBLISHED}"
            return [], [self.inliner.reporter.error(message, line=self.lineno)]
        return [nodes.Text(figure.value)], []


class LosslessWebp(ImageConverter):
    """Serve figures as lossless WebP: the same pixels in less than half of the bytes.

    Encoding is slow and needs no Python, so it goes on beside the writing of the pages.
    """

    encoders = ThreadPoolExecutor()
    under_way: ClassVar[list[Future]] = []

    def match(self, node: nodes.image) -> bool:
        """Take what the pages show; the other formats of Sphinx know no WebP."""
        is_here = "?" not in node["candidates"]
        return self.app.builder.format == "html" and is_here and node["uri"].endswith(".png")

    def get_conversion_rule(self, node: nodes.image) -> tuple[str, str]:
        """Say what becomes of what."""
        return "image/png", "image/webp"

    def convert(self, _from: str, _to: str) -> bool:
        """Begin to write the image anew."""
        self.under_way.append(self.encoders.submit(self.encode, _from, _to))
        return True

    @staticmethod
    def encode(source: str, target: str) -> None:
        """Write the image anew."""
        with Image.open(source) as image:
            image.save(target, lossless=True)

    @classmethod
    def finish(cls, app: Sphinx) -> list:
        """Wait for all images, which Sphinx copies after this event; add no page."""
        while cls.under_way:
            cls.under_way.pop().result()
        return []


def read_documents_once(app: Sphinx, env: BuildEnvironment) -> None:
    """Keep the documents that numbered references lead to: Sphinx reads them for each one anew."""
    read, resolve = env.get_doctree, env.get_and_resolve_doctree

    def resolve_own_copy(name: str, builder: Builder, doctree: nodes.document = None, **options):
        return resolve(name, builder, doctree or read(name), **options)

    env.get_doctree = functools.cache(read)
    env.get_and_resolve_doctree = resolve_own_copy


def repair_markup(
    app: Sphinx, page: str, template: str, context: dict, doctree: nodes.Node
) -> None:
    """Repair what screen readers and links stumble over."""
    body = context.get("body", "")
    body = body.replace('<div role="list" class="citation-list">', '<div class="citation-list">')
    # all exercises of a page have one id, and so have their solutions
    context["body"] = re.sub(r'id="((?:exercise|solution)-content)"', r'class="\1"', body)


def remove_unused_styles(app: Sphinx, error: Exception | None) -> None:
    """Remove the style rules for classes that no page and no script of the book knows."""
    if error or app.builder.format != "html":
        return
    root = Path(app.outdir)
    pages = [path.read_text(encoding="utf-8") for path in root.rglob("*.html")]
    addresses = set(
        re.findall(r'(?:src|href)="(?:\.\./)*(_static/[^"?]+\.(?:js|css))', "".join(pages))
    )
    files = {address: root / address for address in addresses if "mathjax" not in address}
    scripts = [
        file.read_text(encoding="utf-8")
        for address, file in files.items()
        if address.endswith(".js")
    ]
    known = set(re.findall(r"[\w-]+", "\n".join([*pages, *scripts])))
    for address, file in files.items():
        if address.endswith(".css"):
            rules = tinycss2.parse_stylesheet(file.read_text(encoding="utf-8"), True, True)
            file.write_text(tinycss2.serialize(_used(rules, known)), encoding="utf-8")


def _used(rules: list, known: set[str]) -> list:
    """Return the rules without those of which every selector asks for an unknown class."""
    kept = []
    for rule in rules:
        if rule.type == "qualified-rule":
            if all(_classes(s) - known for s in _selectors(tinycss2.serialize(rule.prelude))):
                continue
        elif rule.type == "at-rule" and rule.lower_at_keyword in ("media", "supports"):
            rule.content = _used(tinycss2.parse_rule_list(rule.content, True, True), known)
        kept.append(rule)
    return kept


def _selectors(prelude: str) -> list[str]:
    """Split a list of selectors, without what stands in brackets: `:not(.x)` asks for no `.x`."""
    while (shorter := re.sub(r"\([^()]*\)|\[[^]]*\]", "", prelude)) != prelude:
        prelude = shorter
    return prelude.split(",")


def _classes(selector: str) -> set[str]:
    """Return the classes that an element and its parents need to be selected."""
    return set(re.findall(r"\.([A-Za-z_][\w-]*)(?![\w-]*\\)", selector))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register what pages need."""
    app.setup_extension("labsupport.pipeline.marks")
    app.add_transform(Anchors)
    app.add_directive("claims", Claims)
    app.add_directive("provenance", Provenance)
    app.add_role("published", Published())
    app.add_post_transform(LosslessWebp)
    app.connect("env-check-consistency", read_documents_once)  # after Sphinx has stored them
    app.connect("html-page-context", repair_markup)
    app.connect("html-collect-pages", LosslessWebp.finish)
    app.connect("build-finished", remove_unused_styles, priority=900)  # when all files are there
    return {"parallel_read_safe": True, "parallel_write_safe": True}
