"""Assert that an error is small, and say so in a way that holds on every device."""

__all__ = ["below"]


def below(error: float, bound: float) -> str:
    """Return "below BOUND" after making sure that it is true.

    An error that comes from rounding has no digit that is the same on two devices, so a page
    prints the bound and not the error.

    Parameters
    ----------
    error : float
        As a magnitude, not negative.
    bound : float
        A power of ten, such as 1e-12.

    Raises
    ------
    AssertionError
        If the error is not below the bound; nan is not.

    Examples
    --------
    >>> print(f"largest error: {below(3e-15, 1e-14)}")
    largest error: below 1e-14
    """
    error = float(error)
    assert 0 <= error < bound, f"the error is {error:.3g}, not below {bound:.0e}"
    return f"below {bound:.0e}"
