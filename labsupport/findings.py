"""Say in words what an experiment showed, and keep whether it did.

A finding is neither mathematics, which must hold (`labsupport.checks.below`), nor a number, which
a text quotes. It holds in the committed run, and with another seed or other parameters the page
says where it does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from labsupport.numbers import recorded

__all__ = ["Finding", "truth"]


@dataclass(frozen=True)
class Finding:
    """What an experiment showed; displayed as one line under its cell.

    Attributes
    ----------
    name : str
        By which the ledger, the text and the records know it.
    words : str
        One sentence that a reader understands.
    held : bool
        Whether this run showed it.
    numbers : dict from str to float
        Those behind it, for the record; a page does not show them.

    Examples
    --------
    >>> Finding("loop-is-slow", "The loop is slower.", held=True)
    ✓ **Found:** The loop is slower.
    >>> Finding("loop-is-slow", "The loop is slower.", held=False)
    ✗ **Does not hold here:** The loop is slower.
    """

    name: str
    words: str
    held: bool
    numbers: dict[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"{'✓ **Found:**' if self.held else '✗ **Does not hold here:**'} {self.words}"

    def quoted(self) -> str:
        """Return the words as a text quotes them, which says so if they do not hold."""
        return self.words if self.held else f"(Does not hold here: {self.words})"

    def _repr_mimebundle_(self, **_: object) -> tuple[dict, dict]:
        """Give the line for the page, the words for a text, and the record."""
        shown = {"text/markdown": repr(self), "text/plain": repr(self.quoted())}
        record = {
            "name": self.name,
            "words": self.words,
            "held": self.held,
            "numbers": {name: recorded(number) for name, number in self.numbers.items()},
        }
        return shown, {"labs": {"finding": record}}


def truth(condition: object) -> bool:
    """Return a condition as True or False.

    Parameters
    ----------
    condition : bool, or a Tensor or array that holds one

    Raises
    ------
    ValueError
        If it is anything else, such as several truth values, a number or nan.
    """
    if getattr(condition, "numel", getattr(condition, "size", None)) is not None:
        if math.prod(condition.shape) != 1:
            shape = tuple(condition.shape)
            raise ValueError(f"its condition has shape {shape}: reduce it with all() or any()")
        condition = condition.item()
    if not isinstance(condition, bool):
        raise ValueError(f"its condition is {condition!r}: give True or False, a comparison")
    return condition
