"""Write what was measured in the unit that stands beside it, so that no factor can be wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["UNITS", "Quantity", "unit_in", "unit_named_in"]

# How many of the SI's own units, seconds, bytes and operations, one of these is.
UNITS = {
    "s": 1.0,
    "seconds": 1.0,
    "ms": 1e-3,
    "µs": 1e-6,
    "ns": 1e-9,
    "MB": 1e6,
    "GB/s": 1e9,
    "billions per second": 1e9,
}


@dataclass(frozen=True)
class Quantity:
    """A measured number that is written in the unit of the place where it is shown.

    Attributes
    ----------
    value : float
        In seconds, bytes, or bytes or operations per second.
    spec : str
        The format of the written number, such as ".2f".

    Examples
    --------
    >>> Quantity(0.00123, ".2f").in_unit("ms")
    '1.23'
    """

    value: float
    spec: str

    def in_unit(self, unit: str) -> str:
        """Return the number in one of `UNITS`, without the unit.

        Raises
        ------
        ValueError
            If the unit is none of these.
        """
        if unit not in UNITS:
            raise ValueError(f"unknown unit {unit!r}: use {', '.join(UNITS)}")
        return format(self.value / UNITS[unit], self.spec)


def unit_in(title: str) -> str:
    """Return the unit that a title names, or an empty string.

    A lone s is one only after "in", because it is also a symbol.

    Raises
    ------
    ValueError
        If the title names two.
    """
    found = []
    for unit in UNITS:
        before = r"\bin " if unit == "s" else r"(?<![\w/'’])"
        if re.search(before + unit + r"(?![\w/])", title):
            found.append(unit)
    if len(found) > 1:
        raise ValueError(f"{title!r} names the units {' and '.join(found)}: keep one")
    return found[0] if found else ""


def unit_named_in(*titles: str) -> str:
    """Return the unit that the first title with a unit names.

    Raises
    ------
    ValueError
        If no title names one, or one names two.

    Examples
    --------
    >>> unit_named_in("median in µs", "n = 10,000")
    'µs'
    """
    for title in titles:
        if unit := unit_in(title):
            return unit
    raise ValueError(
        f"none of {', '.join(map(repr, titles))} names a unit: write one of in {', '.join(UNITS)}"
    )
