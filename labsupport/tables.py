"""Show results as a table that a page renders and that the output contract can compare."""

from collections.abc import Sequence

__all__ = ["Table"]


class Table:
    """A small table; the last expression of a cell displays it.

    Format the numbers before they come in: the digits printed are the digits promised.

    Parameters
    ----------
    header : sequence of str
        Column titles, with the unit of a measured quantity.
    rows : sequence of sequences of str
        One inner sequence for each row, as long as the header.

    Raises
    ------
    ValueError
        If a row is longer or shorter than the header.

    Examples
    --------
    >>> Table(["n", "time in ms"], [["10", "0.2"]])
    | n | time in ms |
    |---|---|
    | 10 | 0.2 |
    """

    def __init__(self, header: Sequence[str], rows: Sequence[Sequence[str]]):
        for row in rows:
            if len(row) != len(header):
                raise ValueError(f"a row has {len(row)} cells under {len(header)} titles: {row!r}")
        self.header = [str(title) for title in header]
        self.rows = [[str(cell) for cell in row] for row in rows]

    def __repr__(self) -> str:
        lines = [self.header, *self.rows]
        rendered = ["| " + " | ".join(line) + " |" for line in lines]
        rendered.insert(1, "|" + "---|" * len(self.header))
        return "\n".join(rendered)

    _repr_markdown_ = __repr__
