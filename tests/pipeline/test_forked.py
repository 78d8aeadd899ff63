"""Copies of a server end like other processes, and with whoever asked for them."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from copied_program import ask, told
from tiny_book import processes_in, wait_for

from labsupport.pipeline import forkserver
from labsupport.pipeline.forked import RefusedError, fork_server


@pytest.mark.parametrize(("argument", "code"), [("fail", 3), ("die", -9)])
def test_end_is_told_as_by_subprocess(server, tmp_path, environment, argument, code):
    assert ask(server, tmp_path, environment, argument).wait() == code


def test_signal_reaches_the_copy(server, tmp_path, environment):
    process = ask(server, tmp_path, environment, "stay")
    wait_for((tmp_path / "reached").exists)
    assert process.poll() is None
    process.terminate()
    assert process.wait() == -signal.SIGTERM
    process.kill()  # does nothing to whoever has its number now
    for left in processes_in(tmp_path):  # as after any other process
        os.kill(int(left), signal.SIGKILL)


CLIENT = """
import json, sys
from labsupport.pipeline.forked import ForkedProcess
address, cwd, environment = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
options = {"streams": [0, 1, 2], "cwd": cwd, "environment": environment}
process = ForkedProcess(address, "program", ["stay"], **options)
sys.stdin.read()
"""


def test_copy_and_what_it_has_started_end_with_whoever_asked(server, tmp_path, environment):
    arguments = [server, str(tmp_path), json.dumps(environment)]
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, "-c", CLIENT, *arguments], **options) as client:
        wait_for((tmp_path / "reached").exists)
        assert len(processes_in(tmp_path)) == 2
        client.kill()
    wait_for(lambda: not processes_in(tmp_path))
    assert ask(server, tmp_path, environment).wait() == 0  # the server goes on


def test_copies_end_with_the_server(environment, tmp_path):
    with fork_server([], environment) as server:
        process = ask(server, tmp_path, environment, "stay")
        wait_for((tmp_path / "reached").exists)
    assert process.wait() == -signal.SIGKILL
    wait_for(lambda: not processes_in(tmp_path))
    with pytest.raises(OSError, match="refused"):
        ask(server, tmp_path, environment)


SERVER = """
import json, sys
from labsupport.pipeline.forked import fork_server
with fork_server([], json.loads(sys.argv[1])) as address:
    print(address, flush=True)
    sys.stdin.read()
"""


def test_server_ends_with_whoever_started_it(environment, tmp_path):
    command = [sys.executable, "-c", SERVER, json.dumps(environment)]
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **options) as starter:
        address = starter.stdout.readline().strip()
        process = ask(address, tmp_path, environment, "stay")
        wait_for((tmp_path / "reached").exists)
        found = told(tmp_path)["server"]
        assert Path(f"/proc/{found}").exists()
        starter.kill()
    assert process.wait() == -signal.SIGKILL
    wait_for(lambda: not processes_in(tmp_path))
    wait_for(lambda: not Path(f"/proc/{found}").exists())


def test_server_of_another_user_is_refused(server, tmp_path, environment, monkeypatch):
    monkeypatch.setattr(forkserver.os, "getuid", lambda: 12345)
    with pytest.raises(RefusedError, match="belongs to another user"):
        ask(server, tmp_path, environment)
