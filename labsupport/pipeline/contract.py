"""Decide whether new outputs keep what the committed outputs promise.

Text must be equal. An integer must be equal. A number with a point or a signed exponent may
differ by one unit of the last place printed in the reference. A figure must be there, have the
same size, and differ by little in its pixels, in all and in each small tile. In a `measured` cell
every number is masked and of a figure only presence and size count. What was found must hold
again, in the same words, in every cell.
"""

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

from labsupport.pipeline.figures import figure_difference
from labsupport.pipeline.texts import compare_text, promise, split, units_between

__all__ = ["compare_outputs", "describe_outputs", "units_apart"]


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
            problems.append(f"{where}{promise(', '.join(old_parts), ', '.join(new_parts))}")
            continue
        if name := _lost_finding(old, new):
            problems.append(
                f"{where}: the finding {name!r} does not hold"
                f"{promise(old['data']['text/plain'], new['data']['text/plain'])}"
            )
            continue
        if _display_options(old) != _display_options(new):
            problems.append(f"{where}{promise(_display_options(old), _display_options(new))}")
            continue
        for kind in old_parts:
            problem = _difference(kind, old_parts[kind], new_parts[kind], measured)
            if problem:
                problems.append(f"{where}, {problem}")
                break  # the other forms of the same output would only say it again
    return problems


def units_apart(reference: Sequence[Mapping], found: Sequence[Mapping]) -> Decimal:
    """Return the largest difference of a printed number, in units of its last place in `reference`.

    Figures have no part in it. The outputs should keep what `compare_outputs` asks for, because
    the numbers are paired in the order in which they are printed.
    """
    largest = Decimal(0)
    for old, new in zip(reference, found, strict=True):
        old_parts, new_parts = _parts(old), _parts(new)
        for kind in filter(_is_text, old_parts):
            numbers = (split(parts[kind])[1] for parts in (old_parts, new_parts))
            largest = max([largest, *map(units_between, *numbers)])
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
    name = glued_name or _finding(output).get("name")
    if name:
        parts = {f"{kind} glued as {name}": text for kind, text in parts.items()}
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


def _lost_finding(old: Mapping, new: Mapping) -> str:
    """Return the name of a finding that held and does not hold any more; or an empty string."""
    held, lost = _finding(old), _finding(new)
    return held["name"] if held and lost and held["held"] > lost["held"] else ""


def _finding(output: Mapping) -> Mapping:
    """Return the record of the finding that an output shows, or nothing."""
    return output.get("metadata", {}).get("labs", {}).get("finding", {})


def _difference(kind: str, reference: str, found: str, measured: bool) -> str:
    """Compare one form of an output: a figure, a text, or bytes that are neither."""
    if re.search(r"\bimage/(png|jpeg)\b", kind):
        difference = figure_difference(reference, found, measured=measured)
        return f"figure: {difference[0]}{promise(*difference[1:])}" if difference else ""
    if _is_text(kind):
        return compare_text(reference, found, measured=measured)
    return "" if reference == found else f"{kind}: other content"


def _is_text(kind: str) -> bool:
    """Tell whether this form of an output is text, with numbers in it."""
    return re.search(r"^(stdout|stderr|error)$|\btext/|json\b|xml\b", kind) is not None
