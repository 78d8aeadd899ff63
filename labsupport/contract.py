"""Decide whether new outputs keep what the committed outputs promise.

Text must be equal. An integer must be equal. A number with a point or a signed exponent may
differ by one unit of the last place printed in the reference. A figure must be there, have the
same size, and differ by little in its pixels, in all and in each small tile. In a `measured` cell
every number is masked and of a figure only presence and size count.
"""

import base64
import io
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, ROUND_UP, Context, Decimal

__all__ = [
    "FIGURE_RMS",
    "TILE_RMS",
    "compare_figures",
    "compare_outputs",
    "compare_text",
    "describe_outputs",
    "units_apart",
]

# Root mean square of the pixel differences on the scale 0 to 255: of all pixels, and of those in
# the square tile where it is largest, because one wrong letter drowns in a whole figure.
FIGURE_RMS = 1.0
TILE_RMS = 15.0
_TILE_SIDE = 16  # pixels

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
_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
_SHOWN = Context(prec=3, Emax=MAX_EMAX, Emin=MIN_EMIN, rounding=ROUND_UP)


def compare_outputs(
    reference: Sequence[Mapping], found: Sequence[Mapping], *, measured: bool = False
) -> list[str]:
    """Return one paragraph for each broken promise; an empty list if all are kept.

    Parameters
    ----------
    reference, found : sequences of notebook outputs, streams merged
    measured : bool
        Mask numbers and device lines; of figures compare only presence and size.
    """
    if len(reference) != len(found):
        return [f"promised  {describe_outputs(reference)}\nfound     {describe_outputs(found)}"]
    problems = []
    for number, (old, new) in enumerate(zip(reference, found, strict=True), start=1):
        old_parts, new_parts = _parts(old), _parts(new)
        where = f"output {number}"
        if list(old_parts) != list(new_parts):
            problems.append(f"{where}{_promise(', '.join(old_parts), ', '.join(new_parts))}")
            continue
        if _display_options(old) != _display_options(new):
            problems.append(f"{where}{_promise(_display_options(old), _display_options(new))}")
            continue
        for kind in old_parts:
            problem = _difference(kind, old_parts[kind], new_parts[kind], measured)
            if problem:
                problems.append(f"{where}, {problem}")
                break  # the other forms of the same output would only say it again
    return problems


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
            return f"line {number}: another number of lines{_promise(*lines)}"
        old_words, old_numbers = _split(old, measured)
        new_words, new_numbers = _split(new, measured)
        if measured:
            old, new = "#".join(old_words), "#".join(new_words)
        if _without_padding(old_words) != _without_padding(new_words):
            return f"line {number}: other words{_promise(old, new)}"
        if measured:
            continue
        differences = filter(None, map(_number_difference, old_numbers, new_numbers))
        if reason := "; ".join(differences):
            return f"line {number}: {reason}{_promise(old, new)}"
        realigned |= list(map(len, old_numbers)) != list(map(len, new_numbers))
        if old_words != new_words and not moved:
            moved = f"line {number}: other spaces{_promise(old, new)}"
    return "" if realigned else moved


def compare_figures(reference: str, found: str, *, measured: bool = False) -> str:
    """Return what is wrong with a figure given as base64, or an empty string."""
    if reference == found:
        return ""
    old, new = _pixels(reference), _pixels(found)
    if old.shape != new.shape:
        sizes = (f"{image.shape[1]} by {image.shape[0]} pixels" for image in (old, new))
        return f"figure: another size{_promise(*sizes)}"
    if measured:
        return ""
    tile = f"in a tile of {_TILE_SIDE} by {_TILE_SIDE}"
    for where, bound, distance in (("in all", FIGURE_RMS, _rms), (tile, TILE_RMS, _tile_rms)):
        if (rms := distance(old, new)) > bound:
            promised = f"a root mean square difference of at most {bound}"
            return f"figure: other pixels {where}{_promise(promised, f'{rms:.3f}')}"
    return ""


def units_apart(reference: Sequence[Mapping], found: Sequence[Mapping]) -> Decimal:
    """Return the largest difference of a printed number, in units of its last place in `reference`.

    Figures have no part in it. The outputs should keep what `compare_outputs` asks for, because
    the numbers are paired in the order in which they are printed.
    """
    largest = Decimal(0)
    for old, new in zip(reference, found, strict=True):
        old_parts, new_parts = _parts(old), _parts(new)
        for kind in filter(_is_text, old_parts):
            pairs = zip(_split(old_parts[kind])[1], _split(new_parts[kind])[1], strict=True)
            largest = max([largest, *(_units(*map(_decimal, pair)) for pair in pairs)])
    return largest


def describe_outputs(outputs: Sequence[Mapping]) -> str:
    """Say in a few words what a cell put out."""
    if not outputs:
        return "no output"
    kinds = [" + ".join(_parts(output)) for output in outputs]
    return f"{len(outputs)} output{'s' * (len(outputs) > 1)}: " + "; ".join(kinds)


def _parts(output: Mapping) -> dict[str, str]:
    """Return what an output shows, by kind and in a fixed order."""
    if output["output_type"] == "stream":
        return {output["name"]: _shown(output["name"], output["text"])}
    if output["output_type"] == "error":
        return {"error": f"{output['ename']}: {output['evalue']}"}
    parts = {kind: _shown(kind, output["data"][kind]) for kind in sorted(output["data"])}
    glued_name = output.get("metadata", {}).get("scrapbook", {}).get("name")
    if glued_name:
        parts = {f"{kind} glued as {glued_name}": text for kind, text in parts.items()}
    return parts


def _shown(kind: str, content: object) -> str:
    """Return the content of one form of an output as one string."""
    if kind.endswith("json") or not isinstance(content, str | list):
        return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False)
    return "".join(content)  # the notebook format may cut a text into lines


def _display_options(output: Mapping) -> dict[str, object]:
    """Return what the metadata say about how to show the data: the size of a figure."""
    metadata = output.get("metadata", {})
    return {kind: metadata[kind] for kind in output.get("data", {}) if kind in metadata}


def _difference(kind: str, reference: str, found: str, measured: bool) -> str:
    """Compare one form of an output: a figure, a text, or bytes that are neither."""
    if re.search(r"\bimage/(png|jpeg)\b", kind):
        return compare_figures(reference, found, measured=measured)
    if _is_text(kind):
        return compare_text(reference, found, measured=measured)
    return "" if reference == found else f"{kind}: other content"


def _is_text(kind: str) -> bool:
    """Tell whether this form of an output is text, with numbers in it."""
    return re.search(r"^(stdout|stderr|error)$|\btext/|json\b|xml\b", kind) is not None


def _promise(promised: object, found: object) -> str:
    """Set what was promised above what was found."""
    return f"\n  promised  {promised}\n  found     {found}"


def _split(line: str, measured: bool = False) -> tuple[list[str], list[str]]:
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
    old, new = map(_decimal, (reference, found))
    units = _units(old, new)
    if units > 1:
        return f"{reference} was promised, {found} found, {units:.3g} units of its last place apart"
    if _written_otherwise(reference, found, smallest=min(old.copy_abs(), new.copy_abs())):
        return f"{reference} was promised, {found} found, which is written in another way"
    return ""


def _decimal(number: str) -> Decimal:
    return Decimal(number.replace(",", "").replace("\u2212", "-"))


def _units(old: Decimal, new: Decimal) -> Decimal:
    """Return how many units of the last place of `old` lie between two numbers, rounded up."""
    unit = Decimal((0, (1,), old.as_tuple().exponent))
    return _SHOWN.divide(_EXACT.subtract(new, old).copy_abs(), unit)


def _written_otherwise(reference: str, found: str, *, smallest: Decimal) -> bool:
    """Tell whether no one format prints both numbers: `:.2f` and `:.2g` each have their marks."""
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


def _pixels(encoded: str):
    """Decode a base64 image into an array of shape (height, width, 4), signed to be subtracted."""
    import numpy as np
    from PIL import Image

    with Image.open(io.BytesIO(base64.b64decode(encoded))) as image:
        return np.asarray(image.convert("RGBA")).astype(np.int16)


def _rms(old, new) -> float:
    """Return the root mean square of the pixel differences, as matplotlib's own tests do."""
    from matplotlib.testing.compare import calculate_rms

    return float(calculate_rms(old, new))


def _tile_rms(old, new) -> float:
    """Return the largest root mean square of the pixel differences in a tile."""
    import numpy as np

    squares = np.square(new - old, dtype=float).mean(axis=2)
    squares = np.pad(squares, [(0, -length % _TILE_SIDE) for length in squares.shape])
    tiles = squares.reshape(
        squares.shape[0] // _TILE_SIDE, _TILE_SIDE, squares.shape[1] // _TILE_SIDE, _TILE_SIDE
    )
    return float(np.sqrt(tiles.mean(axis=(1, 3)).max()))
