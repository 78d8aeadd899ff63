"""Show results as a table that a page renders and that the output contract can compare."""

import re
from collections.abc import Sequence

from labsupport.units import Quantity, unit_in, unit_named_in

__all__ = ["Table"]

_NUMBER = r"[-+\u2212]?[\d,.]+(e[-+]\d+)?"


class Table:
    """A small table; the last expression of a cell displays it.

    Format the numbers before they come in: the digits printed are the digits promised. Only a
    measured `Quantity` comes as it is. It is written in the unit that the title of its column
    names, or else the first field of its row, or else the first title that names one. A number
    that stands beside a unit and is no `Quantity` is refused.

    Parameters
    ----------
    header : sequence of str
        Column titles, with the unit of a measured quantity.
    rows : sequence of sequences of str or Quantity
        One inner sequence for each row, as long as the header.

    Raises
    ------
    ValueError
        If a row is longer or shorter than the header, if nothing names the unit of a quantity, or
        if a number beside a unit is no quantity.

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
            name = str(row[0])
            fields = zip(self.header[1:], row[1:], strict=True)
            self.rows.append(
                [name, *(self._written(title, name, field) for title, field in fields)]
            )

    def _written(self, title: str, name: str, field: object) -> str:
        """Return a field, not the first, of the row `name` as it is shown."""
        if isinstance(field, Quantity):
            return field.in_unit(unit_named_in(title, name, *self.header))
        unit = unit_in(title) or unit_in(name) or unit_in(self.header[0])
        if unit and re.fullmatch(_NUMBER, str(field)):
            raise ValueError(f"{str(field)!r} stands beside the unit {unit}: give a Quantity")
        return str(field)

    def __repr__(self) -> str:
        lines = [self.header, *self.rows]
        rendered = ["| " + " | ".join(line) + " |" for line in lines]
        rendered.insert(1, "|" + "---|" * len(self.header))
        return "\n".join(rendered)

    _repr_markdown_ = __repr__
