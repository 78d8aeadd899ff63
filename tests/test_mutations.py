import ast

import pytest
from mutations import mutations


def changes(source, kind, *, is_cell=True):
    return [m.after for m in mutations(source, is_cell=is_cell) if m.kind == kind]


@pytest.mark.parametrize(
    ("source", "kind", "after"),
    [
        ("x = -y", "sign", "x = y"),
        ("x = a - b", "operator", "x = a + b"),
        ("x = A @ B", "operator", "x = B @ A"),
        ("x += b", "operator", "x -= b"),
        ("x = a < b", "comparison", "x = a <= b"),
        ("x = a and b", "operator", "x = a or b"),
        ("n = 3", "constant", "n = 4"),
        ("lr = 0.5", "constant", "lr = 0.505"),
        ("bound = 1e-12", "constant", "bound = 2e-12"),
        ("biased = True", "constant", "biased = False"),
        ("y = x.sum(dim=0)", "constant", "y = x.sum(dim=1)"),
        ("y = x.sum(dim=-1)", "constant", "y = x.sum(dim=-2)"),
        ("print('loss')", "text", "print('loss~')"),
        ("print(f'loss {x:.3f}')", "text", "print(f'loss~ {x:.3f}')"),
        ("for i in range(n):\n    f(i)", "off by one", "for i in range(n - 1):"),
        ("y = x[:n]", "off by one", "y = x[:n - 1]"),
        ("model.eval()", "dropped line", "pass"),
        ("x = x - mean", "dropped line", "pass"),
        ("a, b = b, a", "dropped line", "pass"),
        ("LONGEST = 3", "constant", "LONGEST = 2"),
        ("BOUND = 0.5", "constant", "BOUND = 0.495"),
        ("BOUND = 1e-12", "constant", "BOUND = 5e-13"),
        ("x = a > 3", "constant", "x = a > 2"),
        ("optimizer.zero_grad()", "dropped line", "pass"),
        ("x[0] = 1", "dropped line", "pass"),
        ("with torch.no_grad():\n    f()", "dropped context", "if True:"),
        ("with locked(project):\n    f()", "dropped context", "if True:"),
        ("@staticmethod\ndef f():\n    pass", "dropped decorator", ""),
        ("y = f(a, b)", "swapped arguments", "y = f(b, a)"),
        ("y = f(a, b=2)", "dropped argument", "y = f(a)"),
        ("y = x[:, None]", "shape", "y = x"),
        ("y = x.unsqueeze(1)", "dropped call", "y = x"),
        ("y = x.mean()", "reduction", "y = x.sum()"),
        ("y = x.T", "reduction", "y = x"),
        ("y = a if c else b", "condition", "y = a if not c else b"),
        ("y = [a for a in b if a]", "dropped filter", "y = [a for a in b]"),
    ],
)
def test_mutations_make_the_fault(source, kind, after):
    assert after in changes(source, kind)


def test_condition_and_numbers_of_a_finding_are_left_alone_in_cells():
    source = "lab.finds('so', 'It is so.', 2 * gap > 0.5, gap=3 * gap)"
    kinds = {mutation.kind for mutation in mutations(source, is_cell=True)}
    assert {"text", "dropped line"} <= kinds
    assert not kinds & {"comparison", "constant", "operator"}
    assert {"comparison", "constant"} <= {m.kind for m in mutations(source, is_cell=False)}


@pytest.mark.parametrize(
    "source",
    [
        '"""A docstring."""',
        "from math import pi",
        "__all__ = ['f']",
        "def f(x: Tensor[3]) -> Tensor[4]:\n    'Say.'\n    return x",
        "assert x < 3",
        "below(x - 3, 1e-12)",
        "zip(a, b, strict=True)",
        "x = y",
        "if x:\n    raise ValueError('no 3')",
    ],
)
def test_mutations_leave_alone_what_changes_no_result(source):
    kinds = {made.kind for made in mutations(source, is_cell=True)}
    assert kinds <= {"condition", "dropped line", "swapped arguments"}
    assert all("assert" not in made.before for made in mutations(source, is_cell=True))


def test_mutations_of_modules_change_assertions_but_no_messages():
    assert changes("assert x < 3", "comparison", is_cell=False) == ["assert x <= 3"]
    assert changes("say('one two')", "text", is_cell=False) == []
    assert changes("say('one')", "text", is_cell=False) == ["say('one~')"]


@pytest.mark.parametrize("source", ["n = 3", "x = f(a, 3)", "x = a > 0"])
def test_mutations_of_numbers_that_are_no_bounds_go_one_way(source):
    assert len(changes(source, "constant")) == 1


def test_mutations_keep_a_context_whose_name_is_used():
    assert changes("with open(path) as file:\n    file.read()", "dropped context") == []


@pytest.mark.parametrize(
    ("text", "faulty"),
    [("median in µs", "median in ms"), ("loop-ms", "loop-µs"), ("GB/s", "ms"), ("in s", "in ms")],
)
def test_mutations_name_another_unit(text, faulty):
    made = mutations(f"Table([{text!r}])", is_cell=True, words_only=True)
    assert [m.after for m in made if m.kind == "unit"] == [f"Table([{faulty!r}])"]


@pytest.mark.parametrize("text", ["times", "the report's", "ms/s"])
def test_mutations_find_no_unit_in_other_words(text):
    made = mutations(f"Table([{text!r}])", is_cell=True, words_only=True)
    assert [m.kind for m in made] == ["text"]


def test_mutations_of_measured_cells_change_words_only():
    made = mutations("print('took', 3 * time)", is_cell=True, words_only=True)
    assert [m.after for m in made] == ["print('took~', 3 * time)"]


def test_mutations_are_valid_different_and_one_each():
    source = "def f(x):\n    y = x + x\n    return -y * 2\nf(1);"
    made = mutations(source, is_cell=True)
    texts = [ast.unparse(ast.parse(m.source)) for m in made]
    assert len(set(texts)) == len(texts)
    assert ast.unparse(ast.parse(source)) not in texts
    assert all(m.source.endswith(";") for m in made)  # IPython shows no value
    assert {m.where for m in made if m.line == 3} == {"f"}


@pytest.mark.parametrize("keyword", ["def", "async def"])
def test_mutations_name_the_function(keyword):
    (made,) = mutations(f"{keyword} f() -> Tensor[4]:\n    return -x", is_cell=False)
    assert (made.where, made.kind) == ("f", "sign")


def test_mutations_tell_the_change():
    (made,) = mutations("a = 1\nb = -a", is_cell=True)[1:]
    assert (made.line, made.diff) == (2, "- b = -a\n+ b = a")
