"""Show results as a table that a page renders and that the output contract can compare."""

from collections.abc import Sequence

from labsupport.units import Quantity, unit_named_in

__all__ = ["Table"]


class Table:
    """A small table; the last expression of a cell displays it.

    Format the numbers before they come in: the digits printed are the digits promised. Only a
    measured `Quantity` comes as it is. It is written in the unit that the title of its column
    names, or else the first field of its row, or else the title of the first column.

    Parameters
    ----------
    header : sequence of str
        Column titles, with the unit of a measured quantity.
    rows : sequence of sequences of str or Quantity
        One inner sequence for each row, as long as the header.

    Raises
    ------
    ValueError
        If a row is longer or shorter than the header, or if nothing names the unit of a quantity.

    Examples
    --------
    >>> Table(["n", "time in ms"], [["10", Quantity(0.0002, ".1f")]])
    | n | time in ms |
    |---|---|
    | 10 | 0.2 |
    """

    def __init__(self, header: Sequence[str], rows: Sequence[Sequence[object]]):
        self.header = [str(title) for title in header]
        self.rows = []
        for row in rows:
            if len(row) != len(header):
                raise ValueError(f"a row has {len(row)} cells under {len(header)} titles: {row!r}")
            fields = zip(self.header, row, strict=True)
            self.rows.append([self._written(title, field, row) for title, field in fields])

    def _written(self, title: str, field: object, row: Sequence[object]) -> str:
        """Return a field as it is shown."""
        if isinstance(field, Quantity):
            return field.in_unit(unit_named_in(title, str(row[0]), self.header[0]))
        return str(field)

    def __repr__(self) -> str:
        lines = [self.header, *self.rows]
        rendered = ["| " + " | ".join(line) + " |" for line in lines]
        rendered.insert(1, "|" + "---|" * len(self.header))
        return "\n".join(rendered)

    _repr_markdown_ = __repr__
