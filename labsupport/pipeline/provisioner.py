"""Kernels that need not import PyTorch: copies of a Python that has done so.

Jupyter asks a provisioner for the process of a kernel. This one has it forked by the server of
`labsupport.pipeline.forked`; where there is none, or it could not make what a new Python would
be, it starts that new Python, as Jupyter itself does.

References
----------
https://jupyter-client.readthedocs.io/en/stable/provisioning.html
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner

from labsupport.pipeline.forked import ForkedProcess, RefusedError, fork_server

__all__ = ["ADDRESS", "ForkingProvisioner", "kernel_server", "use_forked_kernels"]

LONGEST_END_S = 0.5  # of a kernel that has nothing left to do
ADDRESS = "LABS_KERNEL_SERVER"
PRELOADED = (
    "ipykernel.debugger",
    "ipykernel.kernelapp",
    "matplotlib.pyplot",
    "numpy",
    "torch",
)
LATER = ("torch.optim", "torchvision.datasets", "sklearn.linear_model")  # few chapters want all


@contextlib.contextmanager
def kernel_server(
    environment: Mapping[str, str], *, at_once: bool = True
) -> Iterator[dict[str, str]]:
    """Run a server of kernels, unless there is one already or this platform cannot fork safely.

    Parameters
    ----------
    environment
        All variables that kernels will have.
    at_once
        Make it ready now, not when the first kernel is asked for.

    Yields
    ------
    dict
        The variables by which `use_forked_kernels` finds the server, none if there is none.
    """
    if ADDRESS in environment or not sys.platform.startswith("linux"):
        yield {}
    else:
        options = {"later": LATER, "at_once": at_once}
        with fork_server(PRELOADED, environment, **options) as address:
            yield {ADDRESS: address}


def use_forked_kernels() -> None:
    """Let Jupyter take kernels from the server, in this process."""
    KernelProvisionerFactory.instance().default_provisioner_name = "labs-forking"


class ForkingProvisioner(LocalProvisioner):
    """Jupyter's own provisioner, but for where its process comes from."""

    largest_kb = 0  # peak memory of all forked kernels of this process that have ended

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork a kernel, or start one."""
        address = os.environ.get(ADDRESS)
        if address and cmd[:3] == [sys.executable, "-m", "ipykernel_launcher"]:
            with contextlib.suppress(OSError, RefusedError):
                self.process = _fork(address, cmd[3:], **kwargs)
                self.pid = self.pgid = self.process.pid
                return self.connection_info
        return await super().launch_kernel(cmd, **kwargs)

    async def shutdown_requested(self, restart: bool = False) -> None:
        """Notice at once that the kernel has ended; Jupyter looks ten times in a second."""
        give_up_at = time.monotonic() + LONGEST_END_S
        while await self.poll() is None and time.monotonic() < give_up_at:
            await asyncio.sleep(0.005)

    async def wait(self) -> int | None:
        """Wait for the end of the kernel; remember its memory."""
        process = self.process
        code = await super().wait()
        if isinstance(process, ForkedProcess):
            largest = max(ForkingProvisioner.largest_kb, process.peak_memory_kb)
            ForkingProvisioner.largest_kb = largest
        return code


def _fork(
    address: str, arguments: list[str], *, env: Mapping[str, str], cwd: str | None = None, **streams
) -> ForkedProcess:
    """Fork a kernel whose streams are given as to `subprocess.Popen`."""
    with open(os.devnull, "r+b") as nowhere:
        numbers = [nowhere.fileno()]
        for name, own in (("stdout", 1), ("stderr", 2)):
            stream = streams.get(name)
            if stream == subprocess.DEVNULL:
                numbers.append(nowhere.fileno())
            elif stream is None:
                numbers.append(own)
            else:
                numbers.append(stream if isinstance(stream, int) else stream.fileno())
        return ForkedProcess(
            address,
            "ipykernel_launcher",
            arguments,
            streams=numbers,
            cwd=cwd or os.getcwd(),
            environment=env,
        )
