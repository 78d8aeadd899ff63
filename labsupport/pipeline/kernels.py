"""The surroundings of the kernels in which chapters run, and how they are spoken to."""

import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty

from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.client import KernelClient
from jupyter_client.utils import ensure_async, run_sync

from labsupport.pipeline.costs import threads_each

__all__ = [
    "PromptBlockingClient",
    "PromptClient",
    "kernel_channels",
    "kernel_environment",
]


async def _wait_for_ready(client: KernelClient, timeout: float | None = None) -> None:
    """Wait until a kernel has answered on both channels.

    Jupyter waits until one of them has been silent for a fifth of a second. Here the kernel's word
    that it is idle again ends the wait: whoever hears that hears all that comes after.

    Raises
    ------
    RuntimeError
        If the kernel dies before, or does not answer within `timeout` seconds.
    """
    give_up_at = time.monotonic() + (float("inf") if timeout is None else timeout)
    while True:
        request = client.kernel_info()
        try:
            reply = await ensure_async(client.shell_channel.get_msg(timeout=1))
            while not _says_idle(
                await ensure_async(client.iopub_channel.get_msg(timeout=1)), request
            ):
                continue
        except Empty:
            if not await ensure_async(client.is_alive()):
                raise RuntimeError("Kernel died before replying to kernel_info") from None
            if time.monotonic() > give_up_at:
                raise RuntimeError(f"Kernel didn't respond in {timeout} seconds") from None
        else:
            client._handle_kernel_info_reply(reply)
            return


def _says_idle(message: dict, request: str) -> bool:
    """Tell whether a kernel is done with a request."""
    is_of_request = message["parent_header"].get("msg_id") == request
    return is_of_request and message["content"].get("execution_state") == "idle"


class PromptClient(AsyncKernelClient):
    """Jupyter's client for nbclient, without a wait."""

    wait_for_ready = _wait_for_ready


class PromptBlockingClient(BlockingKernelClient):
    """Jupyter's client for nbval, without a wait."""

    wait_for_ready = run_sync(_wait_for_ready)


def kernel_channels() -> dict[str, str]:
    """Return the settings of a kernel manager by which a kernel is spoken to.

    Two kernels that start at the same moment can be given one port, and one of them dies. Linux has
    sockets with names of their own, which leave no file behind.

    References
    ----------
    `man 7 unix`, "abstract"; `man 7 zmq_ipc`.
    """
    if not sys.platform.startswith("linux"):
        return {}
    return {"transport": "ipc", "ip": f"@labs-{uuid.uuid4()}"}


def kernel_environment(make_folder: Callable[[], Path], num_at_once: int = 1) -> dict[str, str]:
    """Return the variables of the environment of a kernel: the user's, and some that lack there.

    Parameters
    ----------
    make_folder
        Gives a folder; called only where the user's home cannot be written. Matplotlib would
        complain about that in the first cell of a chapter, and IPython leave a folder each time.
    num_at_once
        How many kernels run at the same time, and share the cores.
    """
    defaults = {
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",  # as ipykernel does, but earlier
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # or ipykernel's debugger complains of Python
    }
    defaults |= threads_each(num_at_once)
    homeless = [name for name in ("MPLCONFIGDIR", "IPYTHONDIR") if _lacks_a_home(name)]
    if homeless:
        folder = make_folder()
        folder.mkdir(parents=True, exist_ok=True)
        defaults |= {name: str(folder / name) for name in homeless}
    return defaults | os.environ | {"PYTHONUTF8": "1"}


def _lacks_a_home(variable: str) -> bool:
    """Tell whether a program cannot write into the folder that it takes without this variable."""
    if variable in os.environ:
        return False
    try:
        folders = list(_folders_without(variable))
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # for a user who has no home at all
        return True
    return not all(os.access(folder, os.W_OK) for folder in folders)


def _folders_without(variable: str) -> Iterator[Path]:
    """Yield where matplotlib keeps settings and fonts, or IPython its history, by themselves.

    References
    ----------
    https://matplotlib.org/stable/api/matplotlib_configuration_api.html#matplotlib.get_configdir
    https://ipython.readthedocs.io/en/stable/development/config.html
    """
    if variable == "IPYTHONDIR":
        yield Path.home() / ".ipython"
    elif sys.platform.startswith(("linux", "freebsd")):
        for kind in ("config", "cache"):
            base = os.environ.get(f"XDG_{kind.upper()}_HOME") or Path.home() / f".{kind}"
            yield Path(base, "matplotlib")
    else:
        yield Path.home() / ".matplotlib"
