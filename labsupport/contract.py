"""Decide whether new outputs keep what the committed outputs promise.

Text must be equal. An integer must be equal. A number with a point or an exponent may differ by
one unit of the last place printed in the reference. A figure must be there, have the same size,
and differ by little in its pixels. In a `measured` cell every number is masked and of a figure
only presence and size count.
"""

import base64
import io
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

__all__ = ["FIGURE_RMS", "compare_figures", "compare_outputs", "compare_text", "describe_outputs"]

# Root mean square of the pixel differences on the scale 0 to 255.
FIGURE_RMS = 1.0

_NUMBER = re.compile(
    r"""
    (?P<version>(?<![A-Za-z0-9_.])\d+(?:\.\d+){2,})             # 2.14.1 is a name, not a number
    |
    (?:(?<![A-Za-z0-9_.)\]])[-+\u2212])?                        # a sign, not a minus between terms
    (?<![A-Za-z0-9_.])
    (?:
        (?P<float>
            (?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)?\.\d+(?:[eE][-+]?\d+(?!\w))?
            | \d+\.?[eE][-+]?\d+(?!\w)
        )
        | (?P<integer>\d{1,3}(?:,\d{3})+(?!\d)|\d+)
    )
    """,
    re.VERBOSE,
)
# In a measured cell: the line or table row that names the device.
_DEVICE_LINE = re.compile(r"^(\|\s*)?device\b.*$", re.MULTILINE)


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
            promised, printed = ", ".join(old_parts), ", ".join(new_parts)
            problems.append(f"{where}\n  promised  {promised}\n  found     {printed}")
            continue
        for kind in old_parts:
            if re.search(r"\bimage/(png|jpeg)\b", kind):
                problem = compare_figures(old_parts[kind], new_parts[kind], measured=measured)
            else:
                problem = compare_text(old_parts[kind], new_parts[kind], measured=measured)
            if problem:
                problems.append(f"{where}, {problem}")
                break  # the other forms of the same output would only say it again
    return problems


def compare_text(reference: str, found: str, *, measured: bool = False) -> str:
    """Return what is wrong with the first line that breaks its promise, or an empty string."""
    if measured:
        reference, found = _mask(reference), _mask(found)
    pairs = itertools.zip_longest(reference.split("\n"), found.split("\n"))
    for number, (old, new) in enumerate(pairs, start=1):
        reason = _line_difference(old, new)
        if reason:
            promised = "(no such line)" if old is None else old
            printed = "(no such line)" if new is None else new
            return f"line {number}: {reason}\n  promised  {promised}\n  found     {printed}"
    return ""


def compare_figures(reference: str, found: str, *, measured: bool = False) -> str:
    """Return what is wrong with a figure given as base64, or an empty string."""
    if reference == found:
        return ""
    old, new = _pixels(reference), _pixels(found)
    if old.shape != new.shape:
        promised, drawn = (f"{a.shape[1]} by {a.shape[0]} pixels" for a in (old, new))
        return f"figure: another size\n  promised  {promised}\n  found     {drawn}"
    if measured:
        return ""
    rms = _rms(old, new)
    if rms <= FIGURE_RMS:
        return ""
    return (
        f"figure: other pixels\n  promised  a root mean square difference of at most {FIGURE_RMS}"
        f"\n  found     {rms:.2f}"
    )


def describe_outputs(outputs: Sequence[Mapping]) -> str:
    """Say in a few words what a cell put out."""
    if not outputs:
        return "no output"
    kinds = [" + ".join(_parts(output)) for output in outputs]
    return f"{len(outputs)} output{'s' * (len(outputs) > 1)}: " + "; ".join(kinds)


def _parts(output: Mapping) -> dict[str, str]:
    """Return what an output shows, by kind and in a fixed order."""
    if output["output_type"] == "stream":
        return {output["name"]: _joined(output["text"])}
    if output["output_type"] == "error":
        return {"error": f"{output['ename']}: {output['evalue']}"}
    parts = {kind: _joined(output["data"][kind]) for kind in sorted(output["data"])}
    glued_name = output.get("metadata", {}).get("scrapbook", {}).get("name")
    if glued_name:
        parts = {f"{kind} glued as {glued_name}": text for kind, text in parts.items()}
    return parts


def _joined(content: object) -> str:
    """Return the content of an output as one string."""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(line, str) for line in content):
        return "".join(content)
    return json.dumps(content, indent=1, sort_keys=True)


def _mask(text: str) -> str:
    """Replace what a measured cell may change, and the spaces that align it."""
    text = _DEVICE_LINE.sub("device #", text)
    text = _NUMBER.sub("#", text)
    return re.sub(r"[ \t]+", " ", text)


def _line_difference(reference: str | None, found: str | None) -> str:
    """Return why two lines do not agree, or an empty string."""
    if reference == found:
        return ""
    if reference is None or found is None:
        return "another number of lines"
    old_text, old_numbers = _split(reference)
    new_text, new_numbers = _split(found)
    if old_text != new_text:
        return "other words"
    return "; ".join(filter(None, map(_number_difference, old_numbers, new_numbers)))


def _split(line: str) -> tuple[str, list[str]]:
    """Take the numbers out of a line; return what is left and the numbers."""
    numbers = [match.group() for match in _number_matches(line)]
    text = _NUMBER.sub(lambda m: m.group() if m["version"] else "\0", line)
    return text, numbers


def _number_matches(line: str) -> Iterator[re.Match]:
    return (match for match in _NUMBER.finditer(line) if not match["version"])


def _number_difference(reference: str, found: str) -> str:
    """Return how far apart two printed numbers are, or an empty string if near enough."""
    if reference == found:
        return ""
    if re.fullmatch(r"[-+\u2212]?[\d,]+", reference):
        return f"{reference} was promised exactly, {found} found"
    old, new = (Decimal(n.replace(",", "").replace("\u2212", "-")) for n in (reference, found))
    unit = Decimal(1).scaleb(old.as_tuple().exponent)
    units_apart = abs(new - old) / unit
    if units_apart <= 1:
        return ""
    return (
        f"{reference} was promised, {found} found, {units_apart:.3g} units of its last place apart"
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
