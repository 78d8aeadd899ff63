"""Seal what a program wrote, so that a test sees when it was edited by hand.

A seal is no signature: whoever runs this module can seal anything. It tells edits, careless merges
and outputs of another run from what `labs update` and the benchmarks wrote.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from nbformat import NotebookNode

from labsupport.pipeline.files import write_atomically
from labsupport.pipeline.notebooks import code_cells

__all__ = ["is_sealed", "seal_run", "write_sealed"]

_MARK = "\n% sha256: "  # begins a comment of MyST


def seal_run(row: Mapping[str, str], notebook: NotebookNode) -> str:
    """Return the seal over a row of the provenance and the outputs that it tells of.

    Sources, prose and execution counts have no part in it: they may be edited without a run.
    """
    told = {title: text for title, text in row.items() if title != "seal"}
    outputs = [(cell.id, *map(_shown, cell.outputs)) for cell in code_cells(notebook)]
    return _digest(json.dumps([told, [cell for cell in outputs if len(cell) > 1]], sort_keys=True))


def write_sealed(text: str, path: Path) -> None:
    """Write the text of a page, with a seal that readers do not see as its last line."""
    write_atomically(f"{text}{_MARK}{_digest(text)}\n", path)


def is_sealed(text: str) -> bool:
    """Tell whether a text ends in the seal over all that stands before."""
    body, _, seal = text.rpartition(_MARK)
    return seal == f"{_digest(body)}\n"


def _shown(output: NotebookNode) -> dict[str, object]:
    """Return an output without the number of its cell."""
    return {key: value for key, value in output.items() if key != "execution_count"}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
