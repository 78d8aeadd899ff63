"""The faults of a tired author: what may stand in the place of a node of Python's syntax tree."""

import ast
import copy
import re
from collections.abc import Iterator

__all__ = ["called", "variants"]

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
_KEPT_ARGUMENTS = (None, "strict", "device", "encoding")  # missed on other machines only
_SMALL = 1e-4  # below it a float is a tolerance, and 1% of it nothing


def variants(node: ast.AST, parent: ast.AST) -> Iterator[tuple[str, ast.AST]]:
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
        if value and _is_bound(parent):
            yield ast.Constant(value - 1)
    elif isinstance(value, float):
        yield ast.Constant(value * (1.01 if abs(value) >= _SMALL else 2) if value else 0.01)
        if value and _is_bound(parent):
            yield ast.Constant(value * (0.99 if abs(value) >= _SMALL else 0.5))


def _is_bound(parent: ast.AST) -> bool:
    """Tell whether a number is compared, or has a name in capitals: a test must hold both sides."""
    if isinstance(parent, ast.Compare):
        return True
    return isinstance(parent, ast.Assign) and ast.unparse(parent.targets[0]).isupper()


def _texts(node: ast.Constant, _parent: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node.value, str) and node.value.strip():
        yield ast.Constant(node.value.rstrip() + "~" + node.value[len(node.value.rstrip()) :])


def _units(node: ast.Constant, _parent: ast.AST) -> Iterator[ast.AST]:
    unit = re.search(r"(?<![\w/'’])(ms|µs|ns|us|s|gbs|GB/s)(?![\w/])", str(node.value))
    if isinstance(node.value, str) and unit:
        other = "µs" if unit[1] in ("ms", "ns") else "ms"
        yield ast.Constant(node.value[: unit.start()] + other + node.value[unit.end() :])


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
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name | ast.Tuple):
        used = {part.id for part in ast.walk(node.value) if isinstance(part, ast.Name)}
        names = {part.id for part in ast.walk(node.targets[0]) if isinstance(part, ast.Name)}
        if not names <= used:  # without the line the name would not be known
            return
    yield ast.Pass()


def _dropped_contexts(node: ast.With, _parent: ast.AST) -> Iterator[ast.AST]:
    if not any(item.optional_vars for item in node.items):
        yield ast.If(test=ast.Constant(True), body=node.body, orelse=[])


def _dropped_decorators(node: ast.FunctionDef, _parent: ast.AST) -> Iterator[ast.AST]:
    for index in range(len(node.decorator_list)):
        rest = node.decorator_list[:index] + node.decorator_list[index + 1 :]
        yield _changed(node, decorator_list=rest)


def _calls(node: ast.Call, _parent: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    if called(node) in _DROPPED_METHODS and isinstance(node.func, ast.Attribute):
        yield node.func.value


def _swapped_arguments(node: ast.Call, _parent: ast.AST) -> Iterator[ast.AST]:
    if len(node.args) > 1 and not any(isinstance(a, ast.Starred) for a in node.args[:2]):
        yield _changed(node, args=[node.args[1], node.args[0], *node.args[2:]])


def _dropped_keywords(node: ast.Call, _parent: ast.AST) -> Iterator[ast.AST]:
    for index, keyword in enumerate(node.keywords):
        if keyword.arg not in _KEPT_ARGUMENTS:
            yield _changed(node, keywords=node.keywords[:index] + node.keywords[index + 1 :])


def _ranges(node: ast.Call, _parent: ast.AST) -> Iterator[ast.AST]:
    if called(node) == "range" and len(node.args) < 3:
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


def called(node: ast.AST) -> str:
    """Return the last part of the name of what is called, or an empty string."""
    if not isinstance(node, ast.Call):
        return ""
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


_FAULTS = {
    "Constant": (("constant", _constants), ("text", _texts), ("unit", _units)),
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
