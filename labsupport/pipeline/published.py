"""The figures that others have published, each written once, with its source."""

from dataclasses import dataclass, fields
from pathlib import Path

from labsupport.pipeline.project import LabsError, read_yaml

__all__ = ["PUBLISHED", "Figure", "read_published"]

PUBLISHED = "published.yml"  # beside the chapters


@dataclass(frozen=True)
class Figure:
    """A published figure.

    Attributes
    ----------
    id : str
        By which a page quotes it.
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
    LabsError
        If the file is no list, or if an entry lacks a field, has an unknown one, one that is no
        text, or the id of another.
    """
    names = [field.name for field in fields(Figure)]
    entries = read_yaml(path)
    if not isinstance(entries, list):
        raise LabsError(f"{path} must be a list of figures, each with {', '.join(names)}")
    figures = {}
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict) or list(entry) != names:
            raise LabsError(f"{path}: entry {number} must have the fields {', '.join(names)}")
        for name, text in entry.items():
            if not isinstance(text, str) or not text.strip():
                raise LabsError(f"{path}: {name} of entry {number} is {text!r}; quote it as text")
        if entry["id"] in figures:
            raise LabsError(f"{path}: entry {number} has the id of another, {entry['id']!r}")
        figures[entry["id"]] = Figure(**entry)
    return figures
