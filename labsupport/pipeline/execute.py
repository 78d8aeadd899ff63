"""Execute one chapter with papermill, in a process that `labs run` starts and watches.

Speaks JSON lines on stdout: the number of cells done after each cell, the outcome at the end.
"""

import json
import os
import re
import resource
import sys
import traceback
from pathlib import Path

import papermill
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from labsupport.pipeline.kernels import PromptClient, kernel_channels
from labsupport.pipeline.notebooks import (
    clean_execution,
    code_cells,
    environment,
    findings,
    numbers,
    read_notebook,
    stand_in_reason,
    write_notebook,
)
from labsupport.pipeline.provisioner import ForkingProvisioner, use_forked_kernels

_channel = sys.stdout


class ReportingEngine(NBClientEngine):
    """Papermill's own engine, which also tells when a cell begins and ends."""

    notebook: NotebookNode | None = None  # the one being executed
    running: tuple[int, str] = (0, "")  # number and id of its code cell under way

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, **options):
        """Run the notebook; wrap papermill's two callbacks."""
        cell_start, cell_complete = nb_man.cell_start, nb_man.cell_complete
        numbers = {cell.id: number for number, cell in enumerate(code_cells(nb_man.nb), start=1)}

        def start(cell, *args, **kwargs):
            if cell.id in numbers:
                cls.running = (numbers[cell.id], cell.id)
            return cell_start(cell, *args, **kwargs)

        def complete(cell, *args, **kwargs):
            if cell.id in numbers:
                say(num_done=numbers[cell.id])
            return cell_complete(cell, *args, **kwargs)

        nb_man.cell_start, nb_man.cell_complete = start, complete
        cls.notebook = nb_man.nb
        return super().execute_managed_notebook(nb_man, kernel_name, **options)


def say(**message: object) -> None:
    """Send one line to `labs run`."""
    print(json.dumps(message), file=_channel, flush=True)


def execute(source: Path, target: Path, cwd: Path, parameters: dict[str, object]) -> dict:
    """Execute `source` into `target` and return the outcome.

    Returns
    -------
    dict
        `error` (empty if all went well), and if so `stand_in`, `environment`, `findings` (`words`
        and `held` of each by its name) and `numbers` (`value` and `text` of each by its name);
        `peak_memory_mb` of the kernel in MB either way.
    """
    try:
        papermill.execute_notebook(
            _literal(source),
            _literal(target),
            parameters=parameters or None,
            engine_name="labs",
            cwd=cwd,
            progress_bar=False,
            request_save_on_cell_execute=False,  # it costs seconds: the whole file, twice a cell
            config=Config(
                KernelManager={"connection_file": str(target.with_suffix(".json"))}
                | {"client_factory": PromptClient}
                | kernel_channels()
            ),
        )
    except PapermillExecutionError as error:
        return failure(f"{error.ename}: {_last_line(error.evalue)}".rstrip(": "))
    except DeadKernelError:
        write_notebook(ReportingEngine.notebook, target)
        return failure("the kernel died: it was killed, or the machine ran out of memory")
    notebook = clean_execution(read_notebook(target), drop_injected=set(parameters) <= {"device"})
    for number, cell in enumerate(code_cells(notebook), start=1):
        if cell.execution_count is None:
            return failure(f"cell {number} was not executed")
    write_notebook(notebook, target)
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    return {
        "error": "",
        "stand_in": stand_in_reason(outputs),
        "environment": environment(notebook),
        "findings": {
            name: {"words": found["words"], "held": found["held"]}
            for name, found in findings(notebook).items()
        },
        "numbers": numbers(notebook),
        "peak_memory_mb": peak_memory_mb(),
    }


def failure(error: str) -> dict:
    """Return the outcome of a run that stopped in the cell under way."""
    number, cell_id = ReportingEngine.running
    where = f"in cell {number} ({cell_id}): " if number else "before its first cell: "
    return {"error": where + error, "peak_memory_mb": peak_memory_mb()}


def _literal(path: Path) -> str:
    """Return a path in which papermill does not take braces for the names of parameters."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _last_line(text: str) -> str:
    """Return the last line that says something, without colour codes and the end of a long one."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", text or "").strip().splitlines()
    return lines[-1][:500] if lines else ""


def peak_memory_mb() -> int:
    """Return the largest resident size in MB that the kernel has reached."""
    started = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    peak = max(started, ForkingProvisioner.largest_kb)
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10))


def main() -> None:
    """Execute the chapter that the four arguments name."""
    global _channel
    _channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library of the kernel prints past Python must not look like a message
    papermill_engines.register("labs", ReportingEngine)
    use_forked_kernels()
    source, target, cwd, parameters = sys.argv[1:]
    try:
        outcome = execute(Path(source), Path(target), Path(cwd), json.loads(parameters))
    except OSError as error:
        where = error.filename2 or error.filename or target
        outcome = failure(f"cannot use {where}: {error.strerror or error}. Free space there.")
    except Exception as error:
        traceback.print_exc()  # into the log
        outcome = failure(f"{type(error).__name__}: {_last_line(str(error))}")
    say(outcome=outcome)


if __name__ == "__main__":
    main()
