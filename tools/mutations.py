"""Make faulty variants of Python source: one small fault each, as a tired author would make it.

Works on the syntax tree. Left alone is what cannot change a result: docstrings, annotations,
imports, `__all__`, what `raise` says, and `strict=True`. In cells what is asserted is left alone
too, also with `below`, and the condition of a finding: a weaker check of a sound result shows
nowhere. In modules, of the texts,
those with a space in them are left alone: messages.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from faults import called, variants

__all__ = ["Mutation", "mutations"]


@dataclass(frozen=True)
class Mutation:
    """One fault.

    Attributes
    ----------
    kind : str
        What was done, such as "sign" or "dropped line".
    where : str
        Name of the function or class, empty outside of one.
    line : int
        Where it stands in the source, from 1.
    before, after : str
        The lines that differ, as `ast.unparse` writes them.
    source : str
        The whole faulty source.
    """

    kind: str
    where: str
    line: int
    before: str
    after: str
    source: str

    @property
    def diff(self) -> str:
        """The change as a reader of patches expects it."""
        old = [f"- {line}" for line in self.before.splitlines()]
        return "\n".join(old + [f"+ {line}" for line in self.after.splitlines()])


def mutations(source: str, *, is_cell: bool, words_only: bool = False) -> list[Mutation]:
    """Return every faulty variant of a source, in the order of its lines, each text once.

    Parameters
    ----------
    source : str
    is_cell : bool
        Of a notebook's cell; otherwise of a module.
    words_only : bool
        Change nothing but texts: all that a `measured` cell promises.
    """
    tree = ast.parse(source)
    blocks = [ast.unparse(statement) for statement in tree.body]
    ending = ";" * source.rstrip().endswith(";")  # tells IPython to show no value
    found, seen = [], {"\n".join(blocks)}
    for number, statement in enumerate(tree.body):
        for kind, where, line, block in _faulty_blocks(statement, is_cell, words_only):
            faulty = "\n".join([*blocks[:number], block, *blocks[number + 1 :]])
            if faulty in seen:
                continue
            seen.add(faulty)
            before, after = _differing_lines(blocks[number], block)
            found.append(Mutation(kind, where, line, before, after, faulty + ending))
    return sorted(found, key=lambda mutation: mutation.line)


def _faulty_blocks(
    statement: ast.stmt, is_cell: bool, words_only: bool
) -> Iterator[tuple[str, str, int, str]]:
    """Yield kind, function, line and text of each faulty variant of one top-level statement."""
    holder = ast.Module(body=[statement], type_ignores=[])
    for place in _places(holder, is_cell):
        for kind, replacement in variants(place.node, place.parent):
            if kind in ("text", "unit") and not is_cell and " " in place.node.value:
                continue
            if kind in ("text", "unit") or not words_only:
                place.put(replacement)
                yield kind, place.where, place.line, ast.unparse(holder)
                place.put(place.node)


@dataclass(frozen=True)
class _Place:
    """A node, and the slot of its parent that holds it."""

    node: ast.AST
    parent: ast.AST
    field: str
    index: int | None
    where: str
    line: int

    def put(self, node: ast.AST) -> None:
        """Put another node into the slot."""
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


def _places(holder: ast.Module, is_cell: bool) -> list[_Place]:
    """Return every place of a module where a fault may be planted."""
    found = []

    def visit(parent: ast.AST, where: str, line: int) -> None:
        for field, value in ast.iter_fields(parent):
            if (type(parent).__name__, field) in _LEFT_ALONE:
                continue
            for index, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if not isinstance(node, ast.AST) or _is_left_alone(node, is_cell):
                    continue
                if (
                    is_cell
                    and called(parent) in ("finds", "Finding")
                    and (field == "keywords" or index == 2)
                ):
                    continue
                inside, at = where, getattr(node, "lineno", line)
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    inside = f"{where}.{node.name}".lstrip(".")
                found.append(_Place(node, parent, field, index, inside, at))
                visit(node, inside, at)

    visit(holder, "", 1)
    return found


_LEFT_ALONE = {
    ("FunctionDef", "returns"),
    ("AsyncFunctionDef", "returns"),
    ("arg", "annotation"),
    ("AnnAssign", "annotation"),
    ("Raise", "exc"),
    ("Raise", "cause"),
    ("FormattedValue", "conversion"),
}


def _is_left_alone(node: ast.AST, is_cell: bool) -> bool:
    """Tell whether nothing in this node is to be changed."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.expr_context):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True  # a docstring
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
        return True
    return is_cell and (isinstance(node, ast.Assert) or called(node) == "below")


def _differing_lines(old: str, new: str) -> tuple[str, str]:
    """Cut off the lines that two texts share at both ends."""
    first, second = old.splitlines(), new.splitlines()
    while first and second and first[0] == second[0]:
        first, second = first[1:], second[1:]
    while first and second and first[-1] == second[-1]:
        first, second = first[:-1], second[:-1]
    return "\n".join(line.strip() for line in first), "\n".join(line.strip() for line in second)
