"""Make faulty variants of Python source: one small fault each, as a tired author would make it.

Works on the syntax tree. Left alone is what cannot change a result: docstrings, annotations,
imports, `__all__`, what `raise` says, and `strict=True`. In cells what is asserted is left alone
too, also with `below`: a weaker check of a sound result shows nowhere. In modules, of the texts,
those with a space in them are left alone: messages.
"""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Mutation", "mutations"]

_OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_COMPARISONS = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_SIBLINGS = {"mean": "sum", "min": "max", "amin": "amax", "argmin": "argmax"}
_SIBLINGS |= {other: one for one, other in _SIBLINGS.items()}
_AXES = {0: 1, 1: 0, 2: 1, -1: -2, -2: -1, -3: -2}
_DROPPED_METHODS = frozenset(
    "abs clone contiguous detach double exp flatten float log reshape resolve sqrt square squeeze "
    "strip unsqueeze view".split()
)
_DROPPED_CONTEXTS = frozenset({"no_grad", "inference_mode", "enable_grad"})
_KEPT_ARGUMENTS = (None, "strict", "device", "encoding")  # missed on other machines only
_SMALL = 1e-4  # below it a float is a tolerance, and 1% of it nothing


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
        for kind, replacement in _variants(place.node, place.parent):
            if kind == "text" and not is_cell and " " in place.node.value:
                continue
            if kind == "text" or not words_only:
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
    return is_cell and (isinstance(node, ast.Assert) or _called(node) == "below")


def _variants(node: ast.AST, parent: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Yield the faults that can stand in the place of a node, each with its kind."""
    for kind, make in _FAULTS.get(type(node).__name__, ()):
        for replacement in make(node, parent):
            yield kind, replacement


def _changed(node: ast.AST, **fields: object) -> ast.AST:
    """Return a copy of a node with other fields."""
    twin = copy.copy(node)
    for name, value in fields.items():
        setattr(twin, name, value)
    return twin


def _constants(node: ast.Constant, parent: ast.AST) -> Iterator[ast.AST]:
    value = node.value
    if isinstance(value, bool):
        if getattr(parent, "arg", "") != "strict":
            yield ast.Constant(not value)
    elif isinstance(value, int):
        is_axis = isinstance(parent, ast.keyword) and parent.arg in ("dim", "axis")
        yield ast.Constant(_AXES.get(value, value + 1) if is_axis else value + 1)
    elif isinstance(value, float):
        yield ast.Constant(value * (1.01 if abs(value) >= _SMALL else 2) if value else 0.01)


def _texts(node: ast.Constant, _parent: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node.value, str) and node.value.strip():
        yield ast.Constant(node.value.rstrip() + "~" + node.value[len(node.value.rstrip()) :])


def _signs(node: ast.UnaryOp, _parent: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node.op, ast.USub | ast.Not | ast.Invert):
        yield node.operand


def _operators(node: ast.BinOp, _parent: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node.op, ast.MatMult):
        yield _changed(node, left=node.right, right=node.left)
    elif type(node.op) in _OPERATORS:
        yield _changed(node, op=_OPERATORS[type(node.op)]())


def _steps(node: ast.AugAssign, _parent: ast.AST) -> Iterator[ast.AST]:
    if type(node.op) in _OPERATORS:
        yield _changed(node, op=_OPERATORS[type(node.op)]())


def _comparisons(node: ast.Compare, _parent: ast.AST) -> Iterator[ast.AST]:
    for index, op in enumerate(node.ops):
        ops = list(node.ops)
        ops[index] = _COMPARISONS[type(op)]()
        yield _changed(node, ops=ops)


def _connectives(node: ast.BoolOp, _parent: ast.AST) -> Iterator[ast.AST]:
    yield _changed(node, op=ast.And() if isinstance(node.op, ast.Or) else ast.Or())


def _conditions(node: ast.If | ast.IfExp | ast.While, _parent: ast.AST) -> Iterator[ast.AST]:
    yield _changed(node, test=ast.UnaryOp(ast.Not(), node.test))


def _filters(node: ast.comprehension, _parent: ast.AST) -> Iterator[ast.AST]:
    for index in range(len(node.ifs)):
        yield _changed(node, ifs=node.ifs[:index] + node.ifs[index + 1 :])


def _dropped_lines(node: ast.stmt, _parent: ast.AST) -> Iterator[ast.AST]:
    targets = getattr(node, "targets", [])
    if isinstance(node, ast.Assign) and not isinstance(targets[0], ast.Attribute | ast.Subscript):
        return
    yield ast.Pass()


def _dropped_contexts(node: ast.With, _parent: ast.AST) -> Iterator[ast.AST]:
    if any(_called(item.context_expr) in _DROPPED_CONTEXTS for item in node.items):
        yield ast.If(test=ast.Constant(True), body=node.body, orelse=[])


def _dropped_decorators(node: ast.FunctionDef, _parent: ast.AST) -> Iterator[ast.AST]:
    for index in range(len(node.decorator_list)):
        rest = node.decorator_list[:index] + node.decorator_list[index + 1 :]
        yield _changed(node, decorator_list=rest)


def _calls(node: ast.Call, _parent: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    if _called(node) in _DROPPED_METHODS and isinstance(node.func, ast.Attribute):
        yield node.func.value


def _swapped_arguments(node: ast.Call, _parent: ast.AST) -> Iterator[ast.AST]:
    if len(node.args) > 1 and not any(isinstance(a, ast.Starred) for a in node.args[:2]):
        yield _changed(node, args=[node.args[1], node.args[0], *node.args[2:]])


def _dropped_keywords(node: ast.Call, _parent: ast.AST) -> Iterator[ast.AST]:
    for index, keyword in enumerate(node.keywords):
        if keyword.arg not in _KEPT_ARGUMENTS:
            yield _changed(node, keywords=node.keywords[:index] + node.keywords[index + 1 :])


def _ranges(node: ast.Call, _parent: ast.AST) -> Iterator[ast.AST]:
    if _called(node) == "range" and len(node.args) < 3:
        shorter = ast.BinOp(node.args[-1], ast.Sub(), ast.Constant(1))
        yield _changed(node, args=[*node.args[:-1], shorter])


def _shapes(node: ast.Subscript, _parent: ast.AST) -> Iterator[ast.AST]:
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if any(isinstance(part, ast.Constant) and part.value is None for part in parts):
        yield node.value  # (B, 1) becomes (B,)


def _slices(node: ast.Slice, _parent: ast.AST) -> Iterator[ast.AST]:
    if node.upper is not None and not isinstance(node.upper, ast.Constant):
        yield _changed(node, upper=ast.BinOp(node.upper, ast.Sub(), ast.Constant(1)))


def _siblings(node: ast.Attribute, _parent: ast.AST) -> Iterator[ast.AST]:
    if node.attr in _SIBLINGS:
        yield _changed(node, attr=_SIBLINGS[node.attr])
    elif node.attr in ("T", "mT"):
        yield node.value


def _called(node: ast.AST) -> str:
    """Return the last part of the name of what is called, or an empty string."""
    if not isinstance(node, ast.Call):
        return ""
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


_FAULTS = {
    "Constant": (("constant", _constants), ("text", _texts)),
    "UnaryOp": (("sign", _signs),),
    "BinOp": (("operator", _operators),),
    "AugAssign": (("operator", _steps), ("dropped line", _dropped_lines)),
    "Compare": (("comparison", _comparisons),),
    "BoolOp": (("operator", _connectives),),
    "If": (("condition", _conditions),),
    "IfExp": (("condition", _conditions),),
    "While": (("condition", _conditions),),
    "comprehension": (("dropped filter", _filters),),
    "Expr": (("dropped line", _dropped_lines),),
    "Assign": (("dropped line", _dropped_lines),),
    "Raise": (("dropped line", _dropped_lines),),
    "With": (("dropped context", _dropped_contexts),),
    "FunctionDef": (("dropped decorator", _dropped_decorators),),
    "Call": (
        ("dropped call", _calls),
        ("swapped arguments", _swapped_arguments),
        ("dropped argument", _dropped_keywords),
        ("off by one", _ranges),
    ),
    "Subscript": (("shape", _shapes),),
    "Slice": (("off by one", _slices),),
    "Attribute": (("reduction", _siblings),),
}


def _differing_lines(old: str, new: str) -> tuple[str, str]:
    """Cut off the lines that two texts share at both ends."""
    first, second = old.splitlines(), new.splitlines()
    while first and second and first[0] == second[0]:
        first, second = first[1:], second[1:]
    while first and second and first[-1] == second[-1]:
        first, second = first[:-1], second[:-1]
    return "\n".join(line.strip() for line in first), "\n".join(line.strip() for line in second)
