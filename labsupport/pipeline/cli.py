"""The `labs` command: run chapters, bless their outputs, render the book, check it."""

import argparse
import contextlib
import importlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from labsupport.pipeline.child import run_child
from labsupport.pipeline.locks import locked
from labsupport.pipeline.options import (
    add_run_options,
    add_sweep_options,
    check_device,
    read_value,
)
from labsupport.pipeline.project import DISK_FIX, LabsError, Project, find_project

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit code.

    0 if all went well, 1 if something failed, 2 if the command line is wrong, 130 after Ctrl-C,
    143 after SIGTERM.
    """
    _prepare_streams()
    options = _parser().parse_args(arguments)
    with _sigterm_like_ctrl_c() as terminated:
        code = _do(options)
        return 128 + signal.SIGTERM if terminated else code


def _do(options: argparse.Namespace) -> int:
    """Do one command; say what went wrong in one message."""
    try:
        code = options.command(find_project(options.build), options)
        sys.stdout.flush()
        return code
    except LabsError as error:
        print(f"labs: {error}", file=sys.stderr)
    except ModuleNotFoundError as error:
        fix = "`make book` installs everything, `make html` what rendering needs"
        print(f"labs: {error.name} is not installed in this environment: {fix}", file=sys.stderr)
    except KeyboardInterrupt:
        message = "interrupted; no file in book/ is half-written. Run again when ready."
        print(f"\nlabs: {message}", file=sys.stderr)
        return 128 + signal.SIGINT
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at the end
        message = "what read its output ended too early; run again without it to see the rest"
        print(f"labs: {message}", file=sys.stderr)
    except OSError as error:
        where = error.filename2 or error.filename or "a file"
        print(f"labs: cannot use {where}: {error.strerror or error}. {DISK_FIX}", file=sys.stderr)
    return 1


@contextlib.contextmanager
def _sigterm_like_ctrl_c() -> Iterator[list[int]]:
    """Let SIGTERM do what Ctrl-C does; give a list that is no longer empty then."""
    received = []

    def interrupt(number, frame):
        received.append(number)
        handler = signal.getsignal(signal.SIGINT)  # asyncio has one of its own
        (handler if callable(handler) else signal.default_int_handler)(signal.SIGINT, frame)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield received
    finally:
        signal.signal(signal.SIGTERM, before)


def _prepare_streams() -> None:
    """Open those that are closed, and write what a terminal's encoding lacks as escapes."""
    if None in (sys.stdin, sys.stdout, sys.stderr):
        while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:  # takes the lowest number first
            continue
        os.close(handle)
    sys.stdout = sys.stdout or open(1, "w", closefd=False)
    sys.stderr = sys.stderr or open(2, "w", closefd=False)
    sys.stdout.reconfigure(errors="backslashreplace")


def run(project: Project, options: argparse.Namespace) -> int:
    """Execute chapters, then render the book with them."""
    from labsupport.pipeline.render import render_html
    from labsupport.pipeline.runner import run_chapters

    chapters = project.select(options.chapters)
    parameters = {name: read_value(text) for name, text in options.parameters}
    if options.device:
        if "device" in parameters:
            raise LabsError("the device is given twice: leave out --device or -p device")
        parameters["device"] = options.device
    check_device(parameters.get("device", "auto"))
    with locked(project):
        options_of_run = {"num_jobs": options.jobs, "scheduler": options.scheduler}
        runs = run_chapters(project, chapters, parameters=parameters, **options_of_run)
        _print_summary(project, runs)
        if any(run.error for run in runs):
            return 1
        if options.html:
            print(f"\nThe book: {render_html(project, chapters)}")
    return 0


def sweep(project: Project, options: argparse.Namespace) -> int:
    """Run chapters with many seeds and parameters; tell how often findings held."""
    from labsupport.pipeline.sweep_command import sweep_command

    return sweep_command(project, options)


def update(project: Project, options: argparse.Namespace) -> int:
    """Bless the outputs of the last run."""
    from labsupport.pipeline.update import update_chapters

    with locked(project):
        chapters = project.select(options.chapters)
        if not options.chapters:
            chapters = [c for c in chapters if (project.executed / f"{c}.json").exists()]
        if not chapters:
            raise LabsError("there is no finished run to bless: labs run")
        update_chapters(project, chapters)
    return 0


def html(project: Project, options: argparse.Namespace) -> int:
    """Render the committed outputs."""
    from labsupport.pipeline.render import render_html

    with locked(project):
        print(f"The book: {render_html(project)}")
    return 0


def pdf(project: Project, options: argparse.Namespace) -> int:
    """Print the committed book into one PDF."""
    from labsupport.pipeline.pdf import render_pdf

    with locked(project):
        print(f"The book: {render_pdf(project)}")
    return 0


def check(project: Project, options: argparse.Namespace) -> int:
    """Run the chapters again under pytest and hold them against their committed outputs."""
    importlib.import_module("nbval")
    chapters = project.select(options.chapters)
    command = [sys.executable, "-m", "pytest", "--nbval", "-p", "no:cacheprovider"]
    command += [str(project.notebook(chapter)) for chapter in chapters]
    return run_child(command, cwd=project.root)


def _print_summary(project: Project, runs: Sequence) -> None:
    """Print one line for each chapter, then what went wrong."""
    width = max(len(run.chapter) for run in runs)
    print(f"\n{'chapter':{width}}  cells  seconds  peak MB  findings  result")
    for run in runs:
        result = "FAILED" if run.error else "on stand-in data" if run.stand_in else "ok"
        held = f"{len(run.findings) - len(run.lost)} of {len(run.findings)}"
        row = f"{run.num_cells:5}  {run.wall_s:7.1f}  {run.peak_memory_mb:7}  {held:>8}  {result}"
        print(f"{run.chapter:{width}}  {row}")
    for run in runs:
        for name, words in run.lost.items():
            print(f"\n{run.chapter}: the finding {name!r} does not hold here: {words}")
        if run.stand_in:
            print(f"\n{run.chapter} ran on stand-in data. {run.stand_in}")
        if run.error:
            print(f"\nlabs: {run.chapter} failed {run.error}", file=sys.stderr)
            copy = project.failed / f"{run.chapter}.ipynb"
            if copy.exists():
                print(f"  the failed copy: {copy}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(prog="labs", description=__doc__)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--build", type=Path, metavar="FOLDER", help="write here instead of _build")
    some = argparse.ArgumentParser(add_help=False)
    some.add_argument(
        "chapters", nargs="*", metavar="CHAPTER", help="all chapters if none is named"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(command, *parents: argparse.ArgumentParser) -> argparse.ArgumentParser:
        summary = command.__doc__.splitlines()[0]
        sub = commands.add_parser(
            command.__name__, parents=[common, *parents], help=summary, description=summary
        )
        sub.set_defaults(command=command)
        return sub

    runner = add(run, some)
    add_run_options(runner)
    runner.add_argument(
        "-p",
        nargs=2,
        action="append",
        default=[],
        dest="parameters",
        metavar=("NAME", "VALUE"),
        help="change a parameter of the chapters",
    )
    runner.add_argument(
        "--no-html", dest="html", action="store_false", help="do not render the book afterwards"
    )
    add_sweep_options(add(sweep, some))
    add(update, some)
    add(html)
    add(pdf)
    add(check, some)
    return parser


if __name__ == "__main__":
    sys.exit(main())
