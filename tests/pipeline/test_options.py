"""Values of the command line; what the commands do with them is in test_cli.py."""

import argparse

import pytest

from labsupport.pipeline.options import (
    add_run_options,
    add_sweep_options,
    check_device,
    positive,
    read_value,
)
from labsupport.pipeline.project import LabsError


@pytest.mark.parametrize(("text", "value"), [("3", 3), ("0.5", 0.5), ("true", True), ("x", "x")])
def test_value_is_read_as_yaml(text, value):
    assert read_value(text) == value


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many"])
def test_number_of_jobs_is_whole_and_positive(text):
    with pytest.raises(argparse.ArgumentTypeError, match="from 1 on is needed"):
        positive(text)


def test_jobs_of_this_machine_say_nothing_to_a_cluster(capsys):
    parser = argparse.ArgumentParser()
    add_run_options(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["--jobs", "2", "--scheduler", "tcp://127.0.0.1:8786"])
    assert "--scheduler: not allowed with argument --jobs" in capsys.readouterr().err


def test_sweep_takes_ten_seeds_and_an_hour_a_run_unless_told_otherwise():
    parser = argparse.ArgumentParser()
    add_sweep_options(parser)
    options = parser.parse_args([])
    assert (options.seeds, options.limit, options.parameters) == ("0-9", 3600, [])
    options = parser.parse_args(["-p", "lr", "0.1", "0.2", "--limit", "5", "-p", "size", "8"])
    assert options.parameters == [["lr", "0.1", "0.2"], ["size", "8"]]
    assert options.limit == 5


@pytest.mark.parametrize("then", ["report", "bless"])
def test_sweep_is_told_or_blessed_where_that_is_asked(then):
    parser = argparse.ArgumentParser()
    add_sweep_options(parser)
    assert not getattr(parser.parse_args([]), then)
    assert getattr(parser.parse_args([f"--{then}"]), then)


def test_device_that_does_not_exist_is_refused_in_one_line():
    with pytest.raises(LabsError, match="toaster"):
        check_device("toaster")
