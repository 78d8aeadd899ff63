"""The record of where the committed outputs come from: read it, write it, show it."""

import csv
import io
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from labsupport.pipeline.project import LabsError

__all__ = ["PROVENANCE", "provenance_markdown", "provenance_text", "read_provenance"]

PROVENANCE = "provenance.csv"  # in book/
COLUMNS = ("chapter", "run", "machine", "seconds", "peak MB", "seal")


def read_provenance(path: Path) -> list[dict[str, str]]:
    """Return a row for each chapter whose outputs were accepted; none if there is no file.

    Raises
    ------
    LabsError
        If the file is damaged.
    """
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file, strict=True)
        if tuple(header) != COLUMNS:
            raise ValueError(f"its columns are {', '.join(header)}")
        return [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    except (ValueError, csv.Error) as error:
        raise LabsError(
            f"{path} is damaged ({error}): restore it (git checkout), or delete it and run and "
            "update all chapters"
        ) from error


def provenance_text(rows: Sequence[Mapping[str, str]]) -> str:
    """Return what the file holds for these rows."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def provenance_markdown(rows: Sequence[Mapping[str, str]]) -> str:
    """Return a table of runs for each machine, with the sum of the seconds."""
    lines = []
    for machine, runs in itertools.groupby(sorted(rows, key=_machine), _machine):
        lines += [
            "",
            f"{machine}:",
            "",
            "| chapter | run | seconds | peak MB |",
            "|---|---|--:|--:|",
        ]
        total = 0
        for run in runs:
            total += int(run["seconds"])
            cells = [f"{{doc}}`{run['chapter']}`", run["run"], run["seconds"], run["peak MB"]]
            lines.append(f"| {' | '.join(cells)} |")
        lines.append(f"| all, one after another | | {total} | |")
    return "\n".join(lines)


def _machine(row: Mapping[str, str]) -> str:
    """Return the machine of a run."""
    return row["machine"]
