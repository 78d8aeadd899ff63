"""Choose the device that a chapter runs on, wait for it, and name it."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path

import torch

__all__ = ["choose_device", "describe_device", "synchronize", "try_all_gpus", "try_gpu"]


def try_gpu(index: int = 0) -> torch.device:
    """Return CUDA device `index` if this machine has it, otherwise the CPU."""
    if 0 <= index < torch.cuda.device_count():
        return torch.device("cuda", index)
    return torch.device("cpu")


def try_all_gpus() -> list[torch.device]:
    """Return every CUDA device of this machine, or the CPU alone if there is none."""
    gpus = [torch.device("cuda", index) for index in range(torch.cuda.device_count())]
    return gpus or [torch.device("cpu")]


def choose_device(name: str = "auto") -> torch.device:
    """Turn the `device` parameter of a chapter into a device that exists.

    Parameters
    ----------
    name : str
        "auto" (the first GPU, else the CPU), "cpu", "cuda" or "cuda:N".

    Raises
    ------
    ValueError
        If the name is none of these.
    RuntimeError
        If a GPU is asked for that this machine does not have.
    """
    if name == "auto":
        return try_gpu()
    if name == "cpu":
        return torch.device("cpu")
    match = re.fullmatch(r"cuda(?::(\d+))?", str(name))
    if match is None:
        raise ValueError(f"unknown device {name!r}: use 'auto', 'cpu', 'cuda' or 'cuda:N'")
    index, count = int(match[1] or 0), torch.cuda.device_count()
    if count == 0:
        raise RuntimeError(
            f"device {name!r} was asked for, but PyTorch sees no CUDA GPU: "
            "use 'cpu' or 'auto', or check the driver with nvidia-smi"
        )
    if index >= count:
        raise RuntimeError(
            f"device {name!r} does not exist: the last GPU here is 'cuda:{count - 1}'"
        )
    return torch.device("cuda", index)


def synchronize(device: torch.device | str) -> None:
    """Wait until `device` has finished all work queued on it; the CPU has no queue."""
    device = torch.device(device)
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def describe_device(device: torch.device | str) -> dict[str, str]:
    """Name the hardware behind `device`.

    Returns
    -------
    dict
        `device` (the name of the processor or GPU), `driver` and `cuda` (empty on the CPU).
    """
    device = torch.device(device)
    if device.type == "cpu":
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        threads = torch.get_num_threads()
        name = f"CPU, {_processor_name()}, {threads} of {cores} cores"
        return {"device": name, "driver": "", "cuda": ""}
    return {
        "device": f"GPU, {torch.cuda.get_device_name(device)}",
        "driver": _nvidia_driver(),
        "cuda": torch.version.cuda or "",
    }


def _processor_name() -> str:
    """Return the processor's marketing name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _nvidia_driver() -> str:
    """Return the version of the NVIDIA driver, or an empty string if nvidia-smi cannot tell."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return result.stdout.splitlines()[0].strip() if result.stdout else ""
