"""A program that tells what it sees, for the tests of copies."""

import json
import os

from labsupport.pipeline.forked import ForkedProcess

PROGRAM = """
import json, os, signal, subprocess, sys, time
import numpy
told = {
    "arguments": sys.argv[1:],
    "name": __name__,
    "cwd": os.getcwd(),
    "late": os.environ.get("LABS_LATE"),
    "preloaded": "colorsys" in sys.modules,
    "drawn": numpy.random.random(),
    "server": os.getppid(),
    "descriptors": sorted(os.listdir("/proc/self/fd"), key=int),
}
print(json.dumps(told), flush=True)
if sys.argv[1:] == ["fail"]:
    sys.exit(3)
if sys.argv[1:] == ["die"]:
    os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[1:] == ["stay"]:
    subprocess.Popen(["sleep", "600"])
    open("reached", "w").close()
    time.sleep(600)
"""


def ask(address, cwd, environment, *arguments):
    """Start the program in a folder, its stdout in a file there."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    with (cwd / "told").open("w") as told:
        streams = [nowhere, told.fileno(), nowhere]
        options = {"streams": streams, "cwd": cwd, "environment": environment}
        process = ForkedProcess(address, "program", arguments, **options)
    os.close(nowhere)
    return process


def told(cwd):
    return json.loads((cwd / "told").read_text())
