"""Lines are built from whole numbers, so that how far apart two of them are is known exactly."""

import dataclasses
import json
import re
import time

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from labsupport.pipeline.contract import compare_outputs
from labsupport.pipeline.texts import compare_text

settings.register_profile(
    "contract", derandomize=True, database=None, deadline=None, max_examples=100
)
PROFILE = settings.get_profile("contract")

BEFORE = (" ", "=", ": ", "(", "[", "| ", "准确率", "，", "\t", "± ", "× ", "\u200b", "σ", "* ")
AFTER = (
    "",
    " ",
    ", ",
    ")",
    "]",
    "%",
    "。",
    " ms",
    "s",
    "j",
    "秒",
    "\r",
    " |",
    "\u0301",
    ".",
    " 中",
)
WORDS = ("", "loss", "epoch", "float", "第章", "tensor", "x_", "-", "\x1b[", "conv", "|---|")
# What numbers, versions, signs, shapes, dates and colour codes are made of, to meet by accident.
TRICKY = st.text(st.sampled_from("00123459.,eE+-\u2212 \nab_:()[]|#mx准１\u0301\u200b\x1b\x00\r\t"))


@dataclasses.dataclass(frozen=True)
class Number:
    """`units` units of the last of `places` places after the point, times 10 ** `exponent`."""

    units: int
    places: int
    exponent: int | None = None
    minus: str = "-"
    plus: bool = False
    thousands: bool = False
    drops_zeros: bool = False

    def moved(self, units):
        return dataclasses.replace(self, units=self.units + units)

    def finer(self, digits):
        """Return the same number with more digits."""
        return dataclasses.replace(self, units=self.units * 10**digits, places=self.places + digits)

    def __str__(self):
        units, exponent = abs(self.units), self.exponent
        if exponent is not None:  # one digit before the point, as programs print it
            if units == 10 ** (self.places + 1):
                units, exponent = units // 10, exponent + 1
            elif units == 10**self.places - 1:
                units, exponent = units * 10, exponent - 1
        whole, rest = divmod(units, 10**self.places)
        text = f"{whole:,}" if self.thousands else str(whole)
        text += f".{rest:0{self.places}d}"
        if self.drops_zeros:
            text = text.rstrip("0").rstrip(".")
        if exponent is not None:
            text += f"e{exponent:+03d}"
        return (self.minus if self.units < 0 else "+" if self.plus else "") + text


signs = {"minus": st.sampled_from("-\u2212"), "plus": st.booleans()}
fixed = st.builds(
    Number, st.integers(-(10**9), 10**9), st.integers(1, 6), thousands=st.booleans(), **signs
)
short = st.builds(
    lambda tens, last, places: Number(10 * tens + last, places, drops_zeros=True),
    *(st.integers(0, 10**4), st.integers(1, 9), st.integers(2, 6)),
)


@st.composite
def scientific(draw):
    places = draw(st.integers(1, 6))
    units = draw(st.integers(10**places, 10 ** (places + 1) - 1))
    return Number(units * draw(st.sampled_from((1, -1))), places, draw(st.integers(-300, 300)))


inexact = st.one_of(fixed, short, scientific())
integers = st.integers(-(10**12), 10**12)
printed = st.one_of(inexact.map(str), integers.map(str), st.sampled_from(("nan", "2.14.1", "C30")))


def joined(draw, numbers):
    """Return one line with the numbers in it, the glue between them drawn."""
    pieces = [draw(st.sampled_from(WORDS))]
    for number in numbers:
        pieces += [draw(st.sampled_from(BEFORE)), number, draw(st.sampled_from(AFTER))]
    return pieces


@st.composite
def frames(draw):
    """Return a function that puts a number into a text of several lines, and its line number."""
    before = [draw(st.lists(printed, max_size=3)) for _ in range(draw(st.integers(1, 3)))]
    lines = ["".join(joined(draw, numbers)) for numbers in before]
    after = "".join(joined(draw, draw(st.lists(printed, max_size=2))))
    left, right = draw(st.sampled_from(BEFORE)), draw(st.sampled_from(AFTER))
    head = "\n".join(lines) + " " + left

    def put(number):
        return f"{head}{number}{right} {after}\nlast 0.5"

    return put, len(lines)


@PROFILE
@given(frames(), inexact, st.integers(-3, 3))
def test_number_holds_within_one_unit_and_no_further(frame, number, units):
    put, line = frame
    new = number.moved(units)
    if number.exponent is not None:
        assume(10**number.places - 1 <= abs(new.units) <= 10 ** (number.places + 1))
    problem = compare_text(put(number), put(new))
    if abs(units) <= 1:
        assert problem == ""
    else:
        assert problem.startswith(f"line {line}: ")


@PROFILE
@given(short, st.integers(1, 40), st.integers(-1, 1), st.sampled_from((1, -1)))
def test_limit_is_one_unit_to_any_digit(number, digits, excess, direction):
    unit = 10**digits
    new = number.finer(digits).moved(direction * (unit + excess))
    assert (compare_text(str(number), str(new)) == "") == (excess <= 0)


@PROFILE
@given(frames(), integers, integers, st.sampled_from(("{}", "{:+}", "0{}", "{:,}", "{}.0", "-{}")))
def test_integer_allows_no_other(frame, number, other, other_format):
    put, line = frame
    old, new = str(number), other_format.format(other if other_format == "{}" else number)
    problem = compare_text(put(old), put(new))
    assert (problem == "") == (old == new)
    assert old == new or problem.startswith(f"line {line}: ")


@PROFILE
@given(frames(), inexact, st.sampled_from(("nan", "inf", "-inf", "", "–", "None", "#", "\x00")))
def test_what_is_no_number_is_seen_in_its_place(frame, number, word):
    put, line = frame
    for old, new in ((put(number), put(word)), (put(word), put(number))):
        for measured in (False, True):
            assert compare_text(old, new, measured=measured).startswith(f"line {line}: ")


@PROFILE
@given(inexact, st.sampled_from(("+", "-", "\u2212", "0", " ", "0.", ",", "1,")))
def test_number_is_written_in_one_way(number, addition):
    assert compare_text(f"a {number} b", f"a {addition}{number} b") != ""
    assert compare_text(f"a {addition}{number} b", f"a {number} b") != ""


@PROFILE
@given(fixed, st.integers(1, 5))
def test_digits_after_a_last_zero_are_counted(number, digits):
    number = dataclasses.replace(number, units=number.units * 100, places=number.places + 2)
    assert compare_text(str(number), str(number.finer(digits))) != ""
    assert compare_text(str(number.finer(digits)), str(number)) != ""


@PROFILE
@given(st.one_of(st.text(), TRICKY), st.booleans())
def test_text_agrees_with_itself(text, measured):
    assert compare_text(text, text, measured=measured) == ""


@settings(PROFILE, max_examples=400)
@given(TRICKY, TRICKY)
def test_text_without_inexact_numbers_is_exact(reference, found):
    exact = re.sub("[.eE]", "", reference)
    assume(exact != found)
    assert compare_text(exact, found) != ""


@settings(PROFILE, max_examples=400)
@given(TRICKY, TRICKY)
def test_letters_lines_and_marks_are_exact_in_every_cell(reference, found):
    masked = "[0-9.,eE+\u2212 ab-]"  # 1.0.0a1 and 1.0.0b1 are versions
    assume(re.sub(masked, "", reference) != re.sub(masked, "", found))
    for measured in (False, True):
        assert compare_text(reference, found, measured=measured) != ""


@PROFILE
@given(st.data(), st.lists(st.one_of(inexact.map(str), integers.map(str)), min_size=1, max_size=4))
def test_measured_cell_counts_its_numbers(data, numbers):
    pieces = joined(data.draw, numbers)
    text = "".join(pieces)
    slot = 2 + 3 * data.draw(st.integers(0, len(numbers) - 1))
    other = data.draw(st.one_of(inexact, st.integers(0, 10**6)))
    changed = "".join([*pieces[:slot], str(other), *pieces[slot + 1 :]])
    assert compare_text(text, changed, measured=True) == ""
    for count in (0, 2):
        another_count = "".join([*pieces[:slot], *["7 "] * count, *pieces[slot + 1 :]])
        assert compare_text(text, another_count, measured=True) != ""


@PROFILE
@given(
    st.lists(st.sampled_from((-1000, -999, -1, 0, 1, 998, 999, 1000)), min_size=2, max_size=4),
    st.data(),
    st.integers(-2, 2),
    st.sampled_from(("array", "field", "left")),
)
def test_alignment_follows_numbers_that_change_their_width(hundredths, data, units, kind):
    def show(numbers):
        texts = [str(Number(n, 2)) for n in numbers]
        if kind == "array":
            width = max(map(len, texts))
            return "array([" + ",\n       ".join(text.rjust(width) for text in texts) + "])"
        pad = str.rjust if kind == "field" else str.ljust
        return "\n".join(f"row {pad(text, 9)}|" for text in texts)

    moved = list(hundredths)
    moved[data.draw(st.integers(0, len(moved) - 1))] += units
    assert (compare_text(show(hundredths), show(moved)) == "") == (abs(units) <= 1)


@PROFILE
@given(frames(), inexact, st.integers(1, 3))
def test_spaces_are_exact_where_all_numbers_keep_their_width(frame, number, spaces):
    put, line = frame
    wider = put(" " * spaces + str(number))
    assert compare_text(put(number), wider).startswith(f"line {line}: other spaces")


def test_numpy_array_may_be_realigned():
    old, new = (np.array2string(np.array([9.9, x]), precision=1) for x in (9.9, 10.0))
    assert (old, new) == ("[9.9 9.9]", "[ 9.9 10. ]")
    assert compare_text(old, new) != ""  # 10. is a whole number, which is another promise
    old, new = (str(np.array([[9.98, x], [1.25, -0.01]])) for x in (9.99, 10.01))
    assert len(old) != len(new)
    assert "2 units" in compare_text(old, new)
    assert compare_text(old, str(np.array([[9.98, 9.99], [1.25, -0.02]]))) == ""


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@PROFILE
@given(values, values)
def test_structured_outputs_are_equal_or_reported(reference, found):
    def output(value):
        return {"output_type": "display_data", "data": {"application/json": value}, "metadata": {}}

    without_numbers = json.dumps(reference, sort_keys=True).replace("e", "").count(".") == 0
    equal = json.dumps(reference, sort_keys=True) == json.dumps(found, sort_keys=True)
    problems = compare_outputs([output(reference)], [output(found)])
    assert problems == [] if equal else problems or not without_numbers


@pytest.mark.parametrize(
    "text",
    [
        "1" * 100_000,
        "1" * 100_000 + ".5",
        "1," * 50_000,
        "111," * 25_000 + "1111",
        "1." * 50_000,
        "-" * 100_000,
        "1e-" * 30_000,
        "1.5e" * 25_000,
        "1.5" + "a" * 100_000,
        "1.0.0" + ".dev1" * 20_000,
        "\x1b[1;" * 25_000,
        "| device " * 10_000,
    ],
    ids=lambda text: repr(text[:9]),
)
def test_no_text_is_slow(text):
    started_at = time.process_time()
    assert compare_text(text, text + "!") != ""
    assert compare_text(text, "!" + text, measured=True) != ""
    assert time.process_time() - started_at < 5  # a quadratic pattern takes minutes
