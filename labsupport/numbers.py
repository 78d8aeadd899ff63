"""Numbers that a text quotes: as they are printed, with the raw value beside."""

from __future__ import annotations

import math
import re

from labsupport.units import Quantity

__all__ = ["UNIT_OF_ENDING", "Number", "recorded"]

# In which unit a measured number is written, by the end of its name
UNIT_OF_ENDING = {"s": "s", "ms": "ms", "us": "µs", "ns": "ns", "gbs": "GB/s"}
_NUMBER = r"[-+\u2212]?[\d,.]+(e[-+]?\d+)?%?"


class Number:
    """A number, or a word that a run has found, as a text quotes it.

    Parameters
    ----------
    name : str
        If it ends in one of `UNIT_OF_ENDING`, it is that of a `Quantity`.
    value : float, int, Tensor or array of one number, Quantity or str
    spec : str
        The format of a number, such as ".3f"; a whole number needs none.

    Attributes
    ----------
    text : str
        What the text quotes.

    Raises
    ------
    ValueError
        If `spec` cannot print the value, if a number comes as a str or without a `spec`, or if
        name and quantity do not fit together.

    Examples
    --------
    >>> Number("accuracy", 0.8437, ".1%").text
    '84.4%'
    """

    def __init__(self, name: str, value: object, spec: str = ""):
        self.name = name
        unit = UNIT_OF_ENDING.get(name.rpartition("-")[2])
        if isinstance(value, Quantity) != (unit is not None):
            raise ValueError(f"a Quantity, and nothing else, ends in {', '.join(UNIT_OF_ENDING)}")
        if unit:
            self.text, self.value = value.in_unit(unit), value.value
        elif isinstance(value, str):
            if spec or re.fullmatch(_NUMBER, value):
                raise ValueError(f"{value!r} is a str: give the number itself and its format")
            self.text = self.value = value
        else:
            self.value = _plain(value)
            if not spec and not isinstance(self.value, int):
                raise ValueError(f'{self.value!r} needs a format, such as ".3f"')
            self.text = format(self.value, spec)

    def _repr_mimebundle_(self, **_: object) -> tuple[dict, dict]:
        """Give what the text quotes, and the record."""
        value = self.value if isinstance(self.value, str) else recorded(self.value)
        return {"text/plain": repr(self.text)}, {
            "labs": {"number": {"name": self.name, "value": value}}
        }


def _plain(value: object) -> float | int:
    """Return the number in a Tensor or an array as Python's own."""
    if hasattr(value, "item"):
        try:
            value = value.item()
        except (RuntimeError, ValueError):
            raise ValueError(f"its shape is {tuple(value.shape)}: give a single number") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is no number")
    return value


def recorded(number: object) -> float | int | str:
    """Return a number as JSON can keep it: one that is not finite in words."""
    number = _plain(number)
    return number if math.isfinite(number) else str(number)
