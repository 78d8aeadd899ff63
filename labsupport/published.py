"""The figures that others have published, each written once, with its source.

Chapters compute with them, pages quote them; both read the file `published.yml` of the book.
"""

from dataclasses import dataclass, fields
from pathlib import Path

import yaml

__all__ = ["PUBLISHED", "Figure", "published", "read_published"]

PUBLISHED = "published.yml"


@dataclass(frozen=True)
class Figure:
    """A published figure.

    Attributes
    ----------
    id : str
        By which chapters and pages ask for it.
    value : str
        As its source prints it.
    what : str
        What was measured, and how.
    source : str
        Where it stands, and whether it was seen there or through a third party.
    """

    id: str
    value: str
    what: str
    source: str


def read_published(path: Path) -> dict[str, Figure]:
    """Read the published figures, by their ids.

    Raises
    ------
    ValueError
        If the file is no list, or if an entry lacks a field, has an unknown one, one that is no
        text, or the id of another.
    """
    names = [field.name for field in fields(Figure)]
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(entries, list):
        raise ValueError(f"{path} must be a list of figures, each with {', '.join(names)}")
    figures = {}
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict) or list(entry) != names:
            raise ValueError(f"{path}: entry {number} must have the fields {', '.join(names)}")
        for name, text in entry.items():
            if not isinstance(text, str) or not text.strip():
                raise ValueError(f"{path}: {name} of entry {number} is {text!r}; quote it as text")
        if entry["id"] in figures:
            raise ValueError(f"{path}: entry {number} has the id of another, {entry['id']!r}")
        figures[entry["id"]] = Figure(**entry)
    return figures


def published(figure_id: str) -> float:
    """Return the value of a published figure to a chapter, which runs in the folder of the book.

    Raises
    ------
    ValueError
        If no figure has this id.
    """
    figures = read_published(Path(PUBLISHED))
    if figure_id not in figures:
        raise ValueError(f"no published figure has the id {figure_id!r}: see {PUBLISHED}")
    return float(figures[figure_id].value.replace(",", ""))
