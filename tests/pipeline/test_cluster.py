"""Chapters on a cluster: equal results, workers that die, are strangers, or are not there."""

import contextlib
import csv
import os
import signal
import socket
import subprocess
import sys
from types import SimpleNamespace

import pytest
from distributed import Client
from tiny_book import wait_for

from labsupport.pipeline import cluster
from labsupport.pipeline.cluster import connected, run_tasks
from labsupport.pipeline.project import LabsError
from labsupport.pipeline.tasks import make_task


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port):
    with socket.socket() as probe:
        return not probe.connect_ex(("127.0.0.1", port))


@contextlib.contextmanager
def dask(*arguments, folder):
    """Run a program of Dask; kill it and all that it has started afterwards."""

    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{arguments[0]}", *arguments[1:]],
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """Run a scheduler on loopback and give its address."""
    folder, port = tmp_path_factory.mktemp("scheduler"), free_port()
    options = ["--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    with dask("scheduler", *options, folder=folder):
        wait_for(lambda: answers(port))
        yield f"tcp://127.0.0.1:{port}"


@contextlib.contextmanager
def workers(scheduler, folder, *options, number=1):
    """Run workers and wait until the scheduler knows them."""
    options = ["--nworkers", str(number), "--nthreads", "1", "--host", "127.0.0.1", *options]
    with dask("worker", scheduler, "--no-dashboard", *options, folder=folder):
        with Client(scheduler, set_as_default=False) as client:
            client.wait_for_workers(number, timeout=60)
        yield
    with Client(scheduler, set_as_default=False) as client:
        wait_for(lambda: not client.scheduler_info()["workers"])


@pytest.fixture(scope="module")
def cluster_of_one(scheduler, tmp_path_factory):
    """Let the scheduler have one worker for the tests that end none."""
    with workers(scheduler, tmp_path_factory.mktemp("worker")):
        yield scheduler


def table(book, build):
    with (book.root / build / "sweep/sweep.csv").open() as file:
        return [
            {name: text for name, text in row.items() if name not in ("seconds", "worker")}
            for row in csv.DictReader(file)
        ]


def test_cluster_with_a_worker_killed_finds_what_this_machine_finds(scheduler, book, tmp_path):
    place = str(tmp_path / "reached")
    book.put_line(f"open({place!r} + str(seed), 'w').close()\ntime.sleep(0.5)")
    arguments = ["sweep", "sums", "--seeds", "0-3"]
    with workers(scheduler, tmp_path, number=2):
        with book.start_labs(*arguments, "--scheduler", scheduler, "--build", "far") as labs:
            wait_for((tmp_path / "reached1").exists)
            with Client(scheduler, set_as_default=False) as client:
                pids = client.run(os.getpid)
            os.kill(next(iter(pids.values())), signal.SIGKILL)
            _, errors = labs.communicate(timeout=120)
        assert labs.returncode == 0, errors
    assert book.labs(*arguments).returncode == 0
    assert table(book, "far") == table(book, "_build")
    assert len(table(book, "far")) == 4


def test_run_that_kills_each_of_its_workers_is_an_error(scheduler, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "run_on_worker", lambda task: os._exit(1))
    with workers(scheduler, tmp_path), connected(scheduler) as client:
        ((_, result),) = run_tasks(client, [make_task("sums", "{}", {}, {"seed": 1})])
    assert result["error"].startswith("because its workers died, the last at tcp://127.0.0.1:")


def test_client_without_a_certificate_is_told_where_to_name_one():
    address = "tls://127.0.0.1:1"
    with pytest.raises(LabsError, match=f"{address} wants a certificate"), connected(address):
        pass


def test_cluster_without_workers_is_refused(scheduler):
    with pytest.raises(LabsError, match="has no worker: dask worker tcp"), connected(scheduler):
        pass


def test_scheduler_that_dies_is_named_and_the_sweep_goes_on_afterwards(book, tmp_path):
    place = str(tmp_path / "reached")
    book.put_line(f"open({place!r} + str(seed), 'w').close()\ntime.sleep(1)")
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    options = ["--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    with dask("scheduler", *options, folder=tmp_path) as process:
        wait_for(lambda: answers(port))
        with dask("worker", address, "--nthreads", "1", "--no-dashboard", folder=tmp_path):
            with Client(address, set_as_default=False) as client:
                client.wait_for_workers(1, timeout=60)
            arguments = ["sweep", "sums", "--seeds", "0-9", "--scheduler", address]
            with book.start_labs(*arguments) as labs:
                wait_for((tmp_path / "reached2").exists)
                process.kill()
                _, errors = labs.communicate(timeout=120)
    assert labs.returncode == 1
    assert "Traceback" not in errors
    assert "the scheduler" in errors.splitlines()[-1]
    again = book.labs("sweep", "sums", "--seeds", "0-2")
    assert "runs that were there already" in again.stdout


def test_run_on_a_cluster_brings_the_executed_copies_home(cluster_of_one, book, blessed_book):
    ran = book.labs("run", "--no-html", "--scheduler", cluster_of_one)
    assert ran.returncode == 0, ran.stderr
    mine, other = (b.root / "_build/executed/curves.ipynb" for b in (book, blessed_book))
    assert mine.read_bytes() == other.read_bytes()
    assert book.labs("update").returncode == 0


def test_run_that_fails_outside_of_its_process_is_an_error(cluster_of_one):
    with connected(cluster_of_one) as client:
        ((_, result),) = run_tasks(client, [{"chapter": "sums", "parameters": {}}])
    assert result["error"].startswith("on its worker: KeyError: ")


def test_gpu_runs_want_workers_that_offer_one(cluster_of_one):
    task = make_task("sums", "{}", {}, {"seed": 1, "device": "cuda"})
    with connected(cluster_of_one) as client:
        with pytest.raises(LabsError, match='--resources "GPU=1"'):
            list(run_tasks(client, [task]))


@pytest.mark.parametrize("name", ["labsupport", "torch", "python"])
def test_worker_of_another_version_is_refused(cluster_of_one, monkeypatch, name):
    theirs = cluster.versions() | {name: "0.1"}
    monkeypatch.setattr(Client, "run", lambda *_, **__: {"tcp://there": theirs})
    message = f"the worker tcp://there has {name} 0.1, and this machine {name} "
    with pytest.raises(LabsError, match=message), connected(cluster_of_one):
        pass


def test_runs_at_once_on_a_worker_share_its_cores(monkeypatch, tmp_path):
    here = SimpleNamespace(local_directory=tmp_path, state=SimpleNamespace(nthreads=3))
    at_once = []
    monkeypatch.setattr(cluster, "get_worker", lambda: here)
    monkeypatch.setattr(cluster, "kernel_environment", lambda _, number: at_once.append(number))
    monkeypatch.setattr(cluster, "Workers", lambda environment, copies: contextlib.nullcontext())
    cluster._workers_here.__wrapped__()
    assert at_once == [3]
