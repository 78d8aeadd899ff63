"""Hold every chapter against its committed outputs: a pytest plugin over nbval.

nbval collects notebooks, runs them in a kernel and hands over each cell's new outputs. This
plugin replaces its comparison by `labsupport.pipeline.contract`, checks each notebook with
`labsupport.pipeline.lint` first, notices a dead kernel at once, and words the failures.
`pytest --nbval book/` is all there is to know; pyproject.toml loads the plugin.
"""

import contextlib
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path
from queue import Empty

import pytest
from jupyter_client import KernelManager
from nbval.kernel import CURRENT_ENV_KERNEL_NAME, NbvalKernelspecManager, RunningKernel
from nbval.plugin import IPyNbCell, IPyNbFile, NbCellError

from labsupport.pipeline.contract import compare_outputs
from labsupport.pipeline.costs import threads_each
from labsupport.pipeline.kernels import PromptBlockingClient, kernel_channels, kernel_environment
from labsupport.pipeline.lint import refuse_broken_rules
from labsupport.pipeline.notebooks import (
    NotebookError,
    code_cells,
    read_notebook,
    stand_in_reason,
    tags,
)
from labsupport.pipeline.provisioner import ADDRESS, kernel_server, use_forked_kernels


def pytest_configure(config):
    """Run a server of kernels for all workers and all that they start; share the cores."""
    shared = threads_each(config.getoption("numprocesses", None) or 1)
    for name, value in shared.items():
        os.environ.setdefault(name, value)
    environment = kernel_environment(lambda: make_folder(config))
    server = contextlib.ExitStack()
    config.add_cleanup(server.close)
    os.environ.update(server.enter_context(kernel_server(environment, at_once=False)))
    server.callback(os.environ.pop, ADDRESS, None)
    use_forked_kernels()


def make_folder(config) -> Path:
    """Make a folder that goes with the session."""
    folder = tempfile.TemporaryDirectory(prefix="labs-")
    config.add_cleanup(folder.cleanup)
    return Path(folder.name)


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path, parent):
    """Put a chapter in the place of each notebook that nbval collects."""
    collectors = yield
    return [
        Chapter.from_parent(parent, path=file_path) if isinstance(item, IPyNbFile) else item
        for item in collectors
    ]


class KernelDiedError(Exception):
    """The kernel went away while a cell was running."""


class WatchedKernel(RunningKernel):
    """A kernel whose death is noticed within a second, not at the end of the cell's timeout."""

    def __init__(self, cwd, environment):
        """Start as nbval does, but keep no connection file, which outlives a killed session."""
        self.km = KernelManager(
            kernel_name=CURRENT_ENV_KERNEL_NAME,
            kernel_spec_manager=NbvalKernelspecManager(),
            client_factory=PromptBlockingClient,
            **kernel_channels(),
        )
        try:
            self.km.start_kernel(stderr=subprocess.DEVNULL, cwd=cwd, env=environment)
            self.kc = self.km.client()
            self.kc.start_channels()
            self.kc.wait_for_ready(timeout=60)
            self._ensure_iopub_up()
        except BaseException:
            self.km.shutdown_kernel(now=True)
            raise
        self.km.cleanup_connection_file()

    def execute_cell_input(self, cell_input, allow_stdin=None):
        """Run a cell as papermill and Jupyter do; without history IPython ignores a final `;`."""
        return self.kc.execute(
            cell_input, store_history=True, allow_stdin=allow_stdin, stop_on_error=False
        )

    def get_message(self, stream, timeout=None):
        """Wait for a message as nbval does, but look every second whether the kernel lives."""
        give_up_at = None if timeout is None else time.monotonic() + timeout
        while True:
            left = 1.0 if give_up_at is None else give_up_at - time.monotonic()
            try:
                return super().get_message(stream, timeout=max(0.0, min(1.0, left)))
            except Empty:
                if not self.is_alive():
                    raise KernelDiedError from None
                if give_up_at is not None and time.monotonic() >= give_up_at:
                    raise


class Chapter(IPyNbFile):
    """A notebook with a kernel, its lint and its cells."""

    def collect(self):
        """Yield the lint, then one item for each code cell."""
        try:
            self.nb = read_notebook(self.path)
        except NotebookError as error:
            raise self.CollectError(str(error)) from error
        self.stopped = ""
        self.running = None  # the cell under way, which may stand before the one selected
        self.num_executed = 0
        yield ChapterLint.from_parent(self, name="lint")
        self.cells = [
            ChapterCell.from_parent(
                self,
                name=f"{number}-{cell.get('id', 'cell')}",
                cell_num=number,
                cell=cell,
                options={"check": True, "check_exception": False, "skip": False},
            )
            for number, cell in enumerate(code_cells(self.nb), start=1)
        ]
        yield from self.cells

    def setup(self):
        """Start a kernel of this environment in the chapter's folder."""
        environment = kernel_environment(lambda: make_folder(self.config))
        self.kernel = WatchedKernel(str(self.path.parent), environment)


class ChapterLint(pytest.Item):
    """The rules that a committed notebook keeps before any cell is run."""

    def runtest(self):
        """Fail with every broken rule."""
        root = self.config.rootpath
        refuse_broken_rules(self.parent.nb, chapter=self.path.stem, root=root)

    def repr_failure(self, excinfo):
        """List the broken rules."""
        if isinstance(excinfo.value, NotebookError):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def reportinfo(self):
        """Name the chapter in reports."""
        return self.path, None, f"{self.path.stem}: lint"


class ChapterCell(IPyNbCell):
    """One code cell: run again, its outputs held against the committed ones."""

    def setup(self):
        """Do nothing: a chapter that stopped skips its other cells with the reason."""

    def runtest(self):
        """Run the cells before this one if they were not selected, then this one."""
        chapter = self.parent
        if chapter.stopped:
            pytest.skip(chapter.stopped)
        try:
            for earlier in chapter.cells[chapter.num_executed : self.cell_num - 1]:
                chapter.running = earlier
                earlier.options["check"] = False
                IPyNbCell.runtest(earlier)
            chapter.running = self
            super().runtest()
        except NbCellError as error:
            if str(error) != "Cell outputs differ":
                chapter.stopped = f"not run, because cell {error.cell_num} failed"
            raise
        except KernelDiedError:
            number = chapter.running.cell_num
            chapter.stopped = f"not run, because the kernel died in cell {number}"
            raise
        finally:
            chapter.num_executed = max(chapter.num_executed, self.cell_num)

    def compare_outputs(self, test, ref, skip_compare=None) -> bool:
        """Keep the contract; leave what is broken in `comparison_traceback`."""
        reason = stand_in_reason(test)
        if reason:
            self.parent.stopped = f"{self.path.stem} ran on stand-in data: {reason}"
            pytest.skip(self.parent.stopped)
        measured = "measured" in tags(self.cell)
        self.comparison_traceback = compare_outputs(ref, test, measured=measured)
        return not self.comparison_traceback

    def repr_failure(self, excinfo):
        """Word the failure as a review comment: where, what was promised, what was found."""
        error, chapter, running = excinfo.value, self.path.stem, self.parent.running
        if not isinstance(error, NbCellError | KernelDiedError):
            return super().repr_failure(excinfo)
        where = f"{chapter}, cell {running.cell_num} ({running.cell.id})"
        if isinstance(error, KernelDiedError):
            return (
                f"{where}: the kernel died while the cell was running.\n"
                "It was killed, or the machine ran out of memory."
            )
        if str(error) != "Cell outputs differ":
            traceback = re.sub(r"\x1b\[[0-9;]*m", "", error.inner_traceback or "")
            return f"{where}: {error}\n\n{error.source}\n{traceback}"
        return "\n".join(
            [
                f"{where}: the outputs are not those that the page promises",
                *self.comparison_traceback,
                f"If the change is meant: labs run {chapter} && labs update {chapter}",
            ]
        )

    def reportinfo(self):
        """Name the chapter and the cell in reports."""
        return Path(self.path), None, f"{self.path.stem}: cell {self.cell_num} ({self.cell.id})"
