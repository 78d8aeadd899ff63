"""The band in which a number of the book lies over many seeds, written as the number itself."""

import math
import re
from collections.abc import Mapping

from labsupport.numbers import UNIT_OF_ENDING
from labsupport.pipeline.firmness import Firm
from labsupport.units import UNITS

__all__ = ["as_printed", "is_inside"]


def as_printed(text: str, row: Firm, value: float) -> str:
    """Write a value as the book writes the number of this name.

    Parameters
    ----------
    text
        What the book prints, such as "84.4%" or "1,234".
    """
    if not math.isfinite(value):
        return str(value)
    unit = UNIT_OF_ENDING.get(row.name.rpartition("-")[2])
    value /= UNITS.get(unit, 1.0)
    found = re.fullmatch(r"([-+\u2212]?)([\d,]*)(\.\d+)?(e[-+]?\d+)?(%?)", text)
    if not text or not found:
        return f"{value:.4g}"
    sign, whole, places, exponent, percent = found.groups()
    decimals = len(places or ".") - 1
    spec = f"{'+' * (sign == '+')}{',' * (',' in whole)}.{decimals}"
    return f"{value:{spec}{'e' if exponent else '%' if percent else 'f'}}"


def is_inside(row: Firm, printed: Mapping) -> bool:
    """Tell whether what the book prints lies between 5% and 95% of the runs, as these are printed.

    Both ends are included.
    """
    number = printed.get(row.name, {})
    value, text = number.get("value"), number.get("text", "")
    if value is None or isinstance(value, str):
        return False
    if text and text in (as_printed(text, row, row.low), as_printed(text, row, row.high)):
        return True
    return row.low <= value <= row.high
