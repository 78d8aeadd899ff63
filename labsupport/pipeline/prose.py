"""Find the numbers that someone typed into a text, where no run can correct them.

A number with a point, or a whole number above twelve, is quoted from a run (`glue:text`), quoted
from what others have published (`published`), code, or mathematics.
"""

import ast
import re
from collections.abc import Iterator

from nbformat import NotebookNode

from labsupport.pipeline.notebooks import code_cells

__all__ = ["prose_problems", "typed_numbers"]

LARGEST_TYPED = 12
LONGEST_TAUGHT_CELL = 15

_NOT_PROSE = (
    r"^(```+|~~~+)(?!\{)[^\n]*\n.*?^\1[ ]*$",  # a block of code; that of a directive holds prose
    r"^(```+|:::+)\{[\w:-]+\}[^\n]*$",  # the first line of a directive
    r"^:[\w-]+:[^\n]*$",  # an option of it
    r"^\([\w-]+\)=$",  # a label
    r"^%[^\n]*$|<!--.*?-->",  # a comment
    r"\]\([^)\s]*\)|<https?:[^>]*>",  # the target of a link
    r"\{(glue:\w+|published|eq|numref|cite(:\w+)?)\}`[^`]*`",  # what a page fills in
    r"<[^<>`]*>(?=`)",  # the target of a role with a text of its own
    r"(?<![}`\w])(`+)(?![`\d.+\-\u2212]+%?`).*?(?<!`)\1(?!`)",  # code, but for a lone number
)
_MATHEMATICS = r"(\$\$?)(.+?)\1"
_DECORATION = r"\\(?:,|;|!|%|approx|sim|pm|quad|text\w*)|[{}\s]"
_NUMBER = re.compile(
    r"(?<![\w.,\-\u2212])[-+\u2212]?((?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:[eE][-+]?\d+)?)(?![\w])"
)


def typed_numbers(text: str) -> list[str]:
    """Return the numbers of a text in MyST that neither a run nor a source stands behind."""
    for pattern in _NOT_PROSE:
        text = re.sub(pattern, " ", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(_MATHEMATICS, _lone_number, text, flags=re.DOTALL)
    return [match[0] for match in _NUMBER.finditer(text) if match[1] and _is_typed(match[1])]


def _lone_number(mathematics: re.Match) -> str:
    """Return the content of a formula that is nothing but a number; else nothing."""
    content = re.sub(_DECORATION, "", mathematics[2])
    return f" {content} " if re.fullmatch(r"[-+\u2212]?[\d.,]+", content) else " "


def _is_typed(number: str) -> bool:
    """Tell whether a number is one that a run or a source should stand behind."""
    return not number.isdigit() or int(number) > LARGEST_TYPED


def prose_problems(notebook: NotebookNode) -> Iterator[str]:
    """Yield each typed number of a chapter, and each taught cell that is too long to be read."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            yield from _problems(cell.id, "text", cell.source)
    for cell in code_cells(notebook):
        about = cell.metadata.get("mystnb", {})
        yield from _problems(cell.id, "caption", about.get("figure", {}).get("caption", ""))
        yield from _problems(cell.id, "alternative text", about.get("image", {}).get("alt", ""))
        for words in _finding_words(cell.source):
            yield from _problems(cell.id, "finding", words)
        num_lines = len(cell.source.splitlines())
        if num_lines > LONGEST_TAUGHT_CELL and "hide-input" not in cell.metadata.get("tags", []):
            yield (
                f"cell {cell.id} has {num_lines} lines for readers: split it after "
                f"{LONGEST_TAUGHT_CELL}, or fold it (tag hide-input) if it is not taught"
            )


def _problems(cell_id: str, place: str, text: str) -> Iterator[str]:
    """Yield each typed number of one text."""
    for number in typed_numbers(text):
        yield (
            f"cell {cell_id} types the number {number} in its {place}: quote it with "
            f"{{glue:text}} or {{published}}, or write mathematics"
        )


def _finding_words(source: str) -> Iterator[str]:
    """Yield the words of the findings of a cell, without what the run fills in."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "finds":
            for part in ast.walk(node.args[1]) if len(node.args) > 1 else ():
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.value
