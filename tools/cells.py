"""Run a chapter's cells in this process, one after the other, and collect their outputs.

A kernel would do the same in a process of its own. Here the process can be forked between two
cells, so that a fault in a late cell need not wait for all the cells before it.
"""

import base64
import io
import os
import sys
from pathlib import Path

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

__all__ = ["CellError", "Chapter", "Session"]


class CellError(Exception):
    """A cell raised; the message is that of its exception."""


class Session:
    """An IPython shell without a front end; one for each process."""

    def __init__(self):
        config = Config({"HistoryManager": {"enabled": False}})
        self._shell = _Shell.instance(config=config)
        self._shell.outputs = []

    def run(self, source: str) -> list[dict]:
        """Run a cell and return its outputs as a notebook would hold them.

        Raises
        ------
        CellError
            If the cell raises.
        """
        outputs = self._shell.outputs = []
        streams = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = _Stream("stdout", outputs), _Stream("stderr", outputs)
        try:
            result = self._shell.run_cell(source, store_history=True)
        finally:
            sys.stdout, sys.stderr = streams
        if not result.success:
            error = result.error_before_exec or result.error_in_exec
            raise CellError(f"{type(error).__name__}: {error}")
        return outputs


class Chapter:
    """The cells of a chapter, run in this process and held against their committed outputs."""

    def __init__(self, path: Path):
        from labsupport.pipeline.notebooks import code_cells, read_notebook

        os.chdir(path.parent)
        self.cells = code_cells(read_notebook(path))
        self._session = Session()

    def run(self, index: int, source: str, *, num_promised: int | None = None) -> str:
        """Run a cell; return the first thing that it breaks, or an empty string."""
        from labsupport.pipeline.contract import compare_outputs
        from labsupport.pipeline.notebooks import tags

        cell = self.cells[index]
        try:
            found = self._session.run(source)
        except CellError as error:
            return f"cell {cell.id}: {error}"
        promised = cell.outputs[:num_promised]
        problems = compare_outputs(promised, found, measured="measured" in tags(cell))
        return f"cell {cell.id}: {problems[0]}" if problems else ""


class _Stream(io.TextIOBase):
    """Write into the last output if it is of the same stream, else into a new one."""

    def __init__(self, name: str, outputs: list[dict]):
        self._name, self._outputs = name, outputs

    def write(self, text: str) -> int:
        last = self._outputs[-1] if self._outputs else {}
        if text and last.get("name") == self._name:
            last["text"] += text
        elif text:
            self._outputs.append({"output_type": "stream", "name": self._name, "text": text})
        return len(text)


class _Publisher(DisplayPublisher):
    """Keep what `display` shows."""

    def publish(self, data, metadata=None, **_options) -> None:
        output = {"output_type": "display_data", "data": _encoded(data), "metadata": metadata or {}}
        self.shell.outputs.append(output)


class _ValueHook(DisplayHook):
    """Keep the value of a cell's last expression."""

    def start_displayhook(self) -> None:
        pass

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict, md_dict=None) -> None:
        output = {
            "output_type": "execute_result",
            "data": _encoded(format_dict),
            "metadata": md_dict or {},
        }
        self.shell.outputs.append(output)

    def finish_displayhook(self) -> None:
        pass


class _Shell(InteractiveShell):
    """Hand all outputs to the session."""

    display_pub_class = _Publisher
    displayhook_class = _ValueHook

    def _showtraceback(self, *_arguments) -> None:
        pass


def _encoded(data: dict) -> dict:
    """Return the forms of an output with bytes as base64, as notebooks store them."""
    return {
        kind: base64.b64encode(content).decode() if isinstance(content, bytes) else content
        for kind, content in data.items()
    }
