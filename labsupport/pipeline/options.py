"""The options of the command line, and how their values are read."""

import argparse
import json

from labsupport.pipeline.project import LabsError

__all__ = ["add_run_options", "add_sweep_options", "check_device", "positive", "read_value"]

LONGEST_RUN_S = 3600


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add what all commands that execute chapters know."""
    parser.add_argument(
        "--device", help="auto (the default: a GPU if there is one), cpu, cuda or cuda:N"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--jobs",
        type=positive,
        metavar="N",
        help="chapters at a time (default: as cores and memory allow)",
    )
    where.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="of a Dask cluster that executes the chapters, such as tcp://127.0.0.1:8786",
    )


def add_sweep_options(parser: argparse.ArgumentParser) -> None:
    """Add what `labs sweep` knows."""
    add_run_options(parser)
    parser.add_argument(
        "--seeds", default="0-9", help="such as 0-49, or 1,5,10-12 (default: %(default)s)"
    )
    parser.add_argument(
        "-p",
        nargs="+",
        action="append",
        default=[],
        dest="parameters",
        metavar=("NAME", "VALUE"),
        help="the values of a parameter, all of which are combined with all others",
    )
    parser.add_argument(
        "--limit",
        type=positive,
        default=LONGEST_RUN_S,
        metavar="SECONDS",
        help="after which a run is given up (default: %(default)s)",
    )
    then = parser.add_mutually_exclusive_group()
    then.add_argument(
        "--report", action="store_true", help="run nothing; tell what the runs so far found"
    )
    then.add_argument(
        "--bless", action="store_true", help="run nothing; write the runs so far into the book"
    )


def check_device(name: object) -> None:
    """Refuse a device that does not exist before any chapter is started."""
    if name in ("auto", "cpu"):  # no need to wait for torch
        return
    from labsupport.device import choose_device

    try:
        choose_device(name)
    except (ValueError, RuntimeError) as error:
        raise LabsError(str(error)) from error


def positive(text: str) -> int:
    """Read a whole number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number from 1 on is needed, not {text!r}")
    return int(text)


def read_value(text: str) -> object:
    """Read a parameter as YAML does: 3 is a number, true a truth value, the rest text."""
    import yaml

    try:
        value = yaml.safe_load(text)
        json.dumps(value)  # not so dates, sets and bytes
    except (yaml.YAMLError, ValueError, TypeError):
        return text
    return value
