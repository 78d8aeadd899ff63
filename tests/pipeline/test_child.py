"""What `labs` starts ends with it, whatever ends it, and so does all that was started there."""

import subprocess
import sys

import psutil
import pytest
from tiny_book import processes_in, wait_for

from labsupport.pipeline.child import kill_tree, run_child

PARENT = """
import signal, sys
from labsupport.pipeline.child import run_child
signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell does in the background
signal.signal(signal.SIGTERM, signal.default_int_handler)
run_child(["sh", "-c", sys.argv[1]])
"""


def start(script, folder):
    """Start a parent whose child is a shell, and wait until that has reached its work."""
    command = [sys.executable, "-c", PARENT, script]
    parent = subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL)
    wait_for((folder / "reached").exists)
    return parent


@pytest.mark.parametrize(("script", "code"), [("exit 3", 3), ("kill -9 $$", 137), ("cat", 0)])
def test_child_gives_the_exit_code_of_its_program_and_an_empty_stdin(script, code):
    assert run_child(["sh", "-c", script]) == code


def test_child_ends_with_its_parent_and_so_does_all_that_it_has_started(tmp_path):
    with start("trap '' INT; setsid sleep 600 & touch reached; wait", tmp_path) as parent:
        parent.kill()
    wait_for(lambda: not processes_in(tmp_path))


def test_process_that_is_being_killed_starts_no_other(tmp_path, monkeypatch):
    script = "while [ ! -e go ]; do sleep 0.1; done; sleep 600 & touch started; wait"
    program = subprocess.Popen(["sh", "-c", script], cwd=tmp_path)
    listed = psutil.Process.children

    def list_and_let_go(process):
        found = listed(process)
        (tmp_path / "go").touch()
        started = tmp_path / "started"
        wait_for(lambda: started.exists() or process.status() == psutil.STATUS_STOPPED)
        return found

    monkeypatch.setattr(psutil.Process, "children", list_and_let_go)
    kill_tree(program.pid)
    program.wait()
    wait_for(lambda: not processes_in(tmp_path))


def test_child_may_finish_after_ctrl_c(tmp_path):
    script = "trap 'touch finished; exit' INT; touch reached; while :; do sleep 0.1; done"
    with start(script, tmp_path) as parent:
        parent.terminate()
    assert (tmp_path / "finished").exists()
    assert not processes_in(tmp_path)


def test_child_that_does_not_heed_ctrl_c_is_killed(tmp_path, monkeypatch):
    early = "from labsupport.pipeline import child; child.TIME_TO_FINISH_S = 0.1"
    monkeypatch.setitem(globals(), "PARENT", f"{early}\n{PARENT}")
    with start("trap '' INT; touch reached; while :; do sleep 0.1; done", tmp_path) as parent:
        parent.terminate()
    wait_for(lambda: not processes_in(tmp_path))
