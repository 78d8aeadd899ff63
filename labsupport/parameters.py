"""Refuse at the top of a chapter a parameter that makes no sense."""

from __future__ import annotations

import math

__all__ = ["check_number", "check_whole_number"]


def check_whole_number(
    name: str, value: object, *, at_least: int, at_most: int | None = None, multiple_of: int = 1
) -> None:
    """Make sure that a parameter is a whole number within its bounds.

    Parameters
    ----------
    name : str
        As the chapter calls it.
    value : int
        What it was given.
    at_least, at_most : int
        Both are accepted; without `at_most` there is no upper bound.
    multiple_of : int

    Raises
    ------
    ValueError
        If it is not; the message names the parameter, the value and what is accepted.

    Examples
    --------
    >>> check_whole_number("num_epochs", 0, at_least=1)
    Traceback (most recent call last):
    ValueError: num_epochs is 0: give a whole number from 1 on
    """
    bound = "on" if at_most is None else f"to {at_most:,}"
    accepted = f"a whole number from {at_least:,} {bound}"
    if multiple_of > 1:
        accepted += f" that is a multiple of {multiple_of}"
    fits = (
        isinstance(value, int)
        and not isinstance(value, bool)
        and at_least <= value <= (math.inf if at_most is None else at_most)
        and value % multiple_of == 0
    )
    if not fits:
        raise ValueError(f"{name} is {value!r}: give {accepted}")


def check_number(
    name: str,
    value: object,
    *,
    above: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
) -> None:
    """Make sure that a parameter is a finite number within its bounds.

    Parameters
    ----------
    name : str
        As the chapter calls it.
    value : float or int
        What it was given.
    above, below : float
        Bounds that are not accepted themselves.
    at_least, at_most : float
        Bounds that are.

    Raises
    ------
    ValueError
        If it is not; the message names the parameter, the value and what is accepted.

    Examples
    --------
    >>> check_number("lr", -0.1, above=0)
    Traceback (most recent call last):
    ValueError: lr is -0.1: give a finite number above 0
    """
    bounds = {"above": above, "of at least": at_least, "of at most": at_most, "below": below}
    limits = " and ".join(f"{words} {b:g}" for words, b in bounds.items() if b is not None)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = (
        is_number
        and math.isfinite(value)
        and (above is None or value > above)
        and (at_least is None or value >= at_least)
        and (at_most is None or value <= at_most)
        and (below is None or value < below)
    )
    if not fits:
        raise ValueError(f"{name} is {value!r}: give a finite number {limits}".rstrip())
