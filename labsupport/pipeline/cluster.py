"""Chapters on a Dask cluster: one task a run, on workers that are what the sender is.

A cluster runs whatever its clients send, so bind its scheduler to localhost or use TLS.

References
----------
https://distributed.dask.org/en/stable/resources.html, https://distributed.dask.org/en/stable/tls.html
"""

import contextlib
import functools
import hashlib
import logging
import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from importlib.metadata import version
from pathlib import Path

from distributed import Client, as_completed, get_worker
from distributed.scheduler import KilledWorker
from distributed.security import Security

from labsupport.pipeline.kernels import kernel_environment
from labsupport.pipeline.project import LabsError, Project
from labsupport.pipeline.tasks import run_task
from labsupport.pipeline.workers import Workers

__all__ = ["connected", "run_on_cluster"]

CONNECT_S = 5.0


def run_on_cluster(address: str) -> Callable[..., Iterator[tuple[int, dict]]]:
    """Return an engine for `labsupport.pipeline.sweep.sweep`: the workers of a cluster.

    Parameters
    ----------
    address
        Of the scheduler, such as tcp://127.0.0.1:8786.
    """

    def run(project: Project, tasks: Sequence[Mapping]) -> Iterator[tuple[int, dict]]:
        with connected(address) as client:
            yield from run_tasks(client, tasks)

    return run


@contextlib.contextmanager
def connected(address: str) -> Iterator[Client]:
    """Connect to a cluster whose workers are what this process is.

    Raises
    ------
    LabsError
        If there is no scheduler or no certificate for it, if it has no worker, or if a worker has
        another labsupport or another PyTorch.
    """
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # users get one line of ours
    if address.startswith("tls://") and not Security().tls_client_cert:
        raise LabsError(
            f"{address} wants a certificate, and Dask's settings name none: set ca-file and client "
            "under distributed.comm.tls (https://distributed.dask.org/en/stable/tls.html)"
        )
    try:
        client = Client(address, timeout=CONNECT_S, name="labs", set_as_default=False)
    except (OSError, ValueError) as error:
        raise LabsError(
            f"no Dask scheduler answers at {address} ({error}): start one with dask scheduler"
        ) from error
    try:
        _refuse_strangers(client, address)
        if "dashboard" in client.scheduler_info()["services"]:
            print(f"The dashboard of the cluster: {client.dashboard_link}", file=sys.stderr)
        yield client
    finally:
        client.close()


def _refuse_strangers(client: Client, address: str) -> None:
    """Refuse workers of other versions, and a cluster without workers."""
    own, found = versions(), client.run(versions, on_error="return")
    if not found:
        raise LabsError(f"the cluster at {address} has no worker: dask worker {address}")
    for worker, theirs in found.items():
        if not isinstance(theirs, dict):
            raise LabsError(f"the worker {worker} has no labsupport of this version: {theirs!r}")
        for name, mine in own.items():
            if theirs.get(name) != mine:
                raise LabsError(
                    f"the worker {worker} has {name} {theirs.get(name)}, and this machine "
                    f"{name} {mine}: install the same on both"
                )


def versions() -> dict[str, str]:
    """Return what must be the same on both sides, read from the files that are there."""
    files = sorted(Path(__file__).parents[1].rglob("*.py"))
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    return {
        "labsupport": f"{version('labsupport')} ({digest[:12]})",
        "torch": version("torch"),
        "python": ".".join(platform.python_version_tuple()[:2]),
    }


def run_tasks(client: Client, tasks: Sequence[Mapping]) -> Iterator[tuple[int, dict]]:
    """Yield the number of each task with its result, as they end.

    A task is done again on another worker when its own dies; if that has happened three times, its
    result is an error.
    """
    resources = {"GPU": 1} if any(_is_cuda(task) for task in tasks) else None
    if resources and not any(w["resources"].get("GPU") for w in _workers(client)):
        raise LabsError(
            'no worker of the cluster offers a GPU: start them with --resources "GPU=1", one each'
        )
    futures = {
        client.submit(
            run_on_worker,
            task,
            pure=False,  # the sender knows what it has already
            retries=0,
            resources=resources,
        ): number
        for number, task in enumerate(tasks)
    }
    try:
        for future in as_completed(list(futures), loop=client.loop):
            number = futures.pop(future)
            yield number, _result(future)
            future.release()
    finally:
        client.cancel(list(futures), force=True)


def _result(future) -> dict:
    """Return the result of a task, or that it has none."""
    try:
        return future.result()
    except CancelledError as error:
        raise LabsError(
            "the scheduler is gone, and the runs under way with it: start it again, then call the "
            "same sweep again; it goes on where it was"
        ) from error
    except KilledWorker as error:
        reason = f"because its workers died, the last at {error.last_worker.address}"
    except Exception as error:
        reason = f"on its worker: {type(error).__name__}: {error}"
    return {"error": reason, "seconds": 0.0, "worker": "", "notebook": "", "log": reason}


def _workers(client: Client) -> list[Mapping]:
    """Return what the scheduler knows of each worker."""
    return list(client.scheduler_info(n_workers=-1)["workers"].values())


def _is_cuda(task: Mapping) -> bool:
    """Tell whether a task asks for a GPU."""
    return str(task["parameters"].get("device", "")).startswith("cuda")


def run_on_worker(task: Mapping) -> dict:
    """Run a task in a process of its own on the worker of a cluster."""
    result = run_task(task, _workers_here())
    return result | {"worker": get_worker().address}


@functools.cache
def _workers_here() -> Workers:
    """Return what starts the processes of this worker, which end with it."""
    worker = get_worker()
    folder = Path(worker.local_directory) / "home"
    environment = kernel_environment(lambda: folder, worker.state.nthreads)
    return Workers(environment, copies=True).__enter__()
