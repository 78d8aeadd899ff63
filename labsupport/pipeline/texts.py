"""Tell whether two texts differ in more than the last printed place of a number.

A number with a point or a signed exponent may differ by one unit of its last printed place. Any
other number and all words must be equal.
"""

import itertools
import re
from decimal import MAX_EMAX, MAX_PREC, ROUND_UP, Context, Decimal

__all__ = ["compare_text", "promise", "split", "units_between"]

# Possessive throughout: a number is read whole or not at all, and in linear time.
_TOKEN = re.compile(
    r"""
    (?=[-+\u2212.0-9\x1b])                                       # how each begins: saves time
    (?:
    (?P<colour>\x1b\[[0-9;]*m)                                   # its digits are no numbers
    |
    (?<![A-Za-z_.\d])(?P<version>                               # 2.14.1 is a name, not a number
        [0-9]++(?:\.[0-9]++){2,}+(?:\.?(?:a|b|rc|dev|post)[0-9]++)*+
    )
    |
    (?:(?<![A-Za-z_.\d)\]])[-+\u2212])?                         # a sign, not a minus between terms
    (?<![A-Za-z_.\d])
    (?:
        (?:
            (?:[1-9][0-9]{0,2}(?:,[0-9]{3}(?![0-9]))++|[1-9][0-9]*+|0)?\.[0-9]++
            (?:[eE][-+]?[0-9]{1,4}+(?!\d))?+
            | (?:[1-9][0-9]*+|0)\.?[eE][-+]?[0-9]{1,4}+
        )
        (?!\d|_|\.[A-Za-z_\d]|[A-Za-z]++\d)                     # 1.5x2.5, 1.2rc1, 0.5.png: names
        | [1-9][0-9]{0,2}(?:,[0-9]{3}(?![0-9]))++
        | [0-9]++
    ))
    """,
    re.VERBOSE,
)
# In a measured cell: the second field of a table row, no header, that names a device.
_DEVICE_ROW = re.compile(
    r"^\| (device(?:(?: of|:) [^|\n]*)?) \| [^|\n]* \|$(?!\n\|-)", re.MULTILINE
)
# Without rounding: one unit and a little more is more than one unit.
_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX)
_SHOWN = Context(prec=3, Emax=MAX_EMAX, rounding=ROUND_UP)


def compare_text(reference: str, found: str, *, measured: bool = False) -> str:
    """Return what is wrong with the first line that breaks its promise, or an empty string.

    Where a number has become longer or shorter within its unit, the spaces that align numbers may
    have changed too, on every line.
    """
    if measured:
        reference, found = (_DEVICE_ROW.sub(r"| \1 | # |", text) for text in (reference, found))
    moved, realigned = "", measured
    pairs = itertools.zip_longest(reference.split("\n"), found.split("\n"))
    for number, (old, new) in enumerate(pairs, start=1):
        if old == new:
            continue
        if old is None or new is None:
            lines = ("(no such line)" if line is None else line for line in (old, new))
            return f"line {number}: another number of lines{promise(*lines)}"
        old_words, old_numbers = split(old, measured)
        new_words, new_numbers = split(new, measured)
        if measured:
            old, new = "#".join(old_words), "#".join(new_words)
        if _without_padding(old_words) != _without_padding(new_words):
            return f"line {number}: other words{promise(old, new)}"
        if measured:
            continue
        differences = filter(None, map(_number_difference, old_numbers, new_numbers))
        if reason := "; ".join(differences):
            return f"line {number}: {reason}{promise(old, new)}"
        realigned |= list(map(len, old_numbers)) != list(map(len, new_numbers))
        if old_words != new_words and not moved:
            moved = f"line {number}: other spaces{promise(old, new)}"
    return "" if realigned else moved


def promise(promised: object, found: object) -> str:
    """Set what was promised above what was found."""
    return f"\n  promised  {promised}\n  found     {found}"


def split(line: str, measured: bool = False) -> tuple[list[str], list[str]]:
    """Return the words before, between and after the numbers of a line, and the numbers."""
    words, numbers, end = [], [], 0
    for match in _TOKEN.finditer(line):
        if match["colour"] or (match["version"] and not measured):
            continue
        words.append(line[end : match.start()])
        numbers.append(match.group())
        end = match.end()
    return [*words, line[end:]], numbers


def _without_padding(words: list[str]) -> list[str]:
    """Drop the spaces next to numbers."""
    if len(words) == 1:
        return words
    between = (text.strip(" ") for text in words[1:-1])
    return [words[0].rstrip(" "), *between, words[-1].lstrip(" ")]


def _number_difference(reference: str, found: str) -> str:
    """Return how far apart two printed numbers are, or an empty string if near enough."""
    if reference == found:
        return ""
    if not re.search(r"\.|[eE][-+]", reference):
        return f"{reference} was promised exactly, {found} found"
    units = units_between(reference, found)
    if units > 1:
        return f"{reference} was promised, {found} found, {units:.3g} units of its last place apart"
    if _written_otherwise(reference, found):
        return f"{reference} was promised, {found} found, which is written in another way"
    return ""


def _decimal(number: str) -> Decimal:
    return Decimal(number.replace(",", "").replace("\u2212", "-"))


def units_between(reference: str, found: str) -> Decimal:
    """Return how many units of the last place of `reference` lie between both, rounded up."""
    old, new = _decimal(reference), _decimal(found)
    unit = Decimal((0, (1,), old.as_tuple().exponent))
    return _SHOWN.divide(_EXACT.subtract(new, old).copy_abs(), unit)


def _written_otherwise(reference: str, found: str) -> bool:
    """Tell whether no one format prints both numbers: `:.2f` and `:.2g` each have their marks."""
    smallest = min(_decimal(reference).copy_abs(), _decimal(found).copy_abs())
    signs, places, fixed = set(), set(), False
    for number in (reference, found):
        signs.add(re.match(r"[-+\u2212]?", number).group())
        mantissa, _, exponent = number.lower().partition("e")
        places.add((len(mantissa.partition(".")[2]), bool(exponent)))
        fixed |= re.search(r"\.[0-9]+0$", mantissa) is not None  # `:g` drops such a zero
    return (
        signs in ({"", "+"}, {"-", "\u2212"})
        or (smallest >= 1000 and ("," in reference) != ("," in found))
        or (fixed and len(places) > 1)
    )
