"""Copies of a Python that has imported what is slow: what they share, and what they must not."""

import sys

import pytest
from copied_program import ask, told

from labsupport.pipeline.forked import RefusedError


def test_copy_is_a_program_of_its_own(server, tmp_path, environment):
    process = ask(server, tmp_path, environment | {"LABS_LATE": "x"}, "1", "two")
    assert process.wait() == process.poll() == 0
    found = told(tmp_path)
    assert found["arguments"] == ["1", "two"]
    assert (found["name"], found["cwd"], found["late"]) == ("__main__", str(tmp_path), "x")
    assert found["preloaded"]
    assert len(found["descriptors"]) == 4  # the fourth lists them
    assert 10_000 < process.peak_memory_kb < 1_000_000


def test_copies_do_not_draw_the_same_numbers(server, tmp_path, environment):
    drawn = set()
    for _ in range(2):
        ask(server, tmp_path, environment).wait()
        drawn.add(told(tmp_path)["drawn"])
    assert len(drawn) == 2


def test_what_a_library_has_read_already_cannot_be_changed(server, tmp_path, environment):
    with pytest.raises(RefusedError, match="another value of OMP_NUM_THREADS"):
        ask(server, tmp_path, environment | {"OMP_NUM_THREADS": "7"})
    del environment["HOME"]
    with pytest.raises(RefusedError, match="another value of HOME"):
        ask(server, tmp_path, environment)


def test_another_python_is_refused(server, tmp_path, environment, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/elsewhere/python")
    with pytest.raises(RefusedError, match="the server runs "):
        ask(server, tmp_path, environment)
