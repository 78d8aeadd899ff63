"""Open a chapter with one call, and close it with a table of where it ran."""

from __future__ import annotations

import platform
import time
from importlib.metadata import version

import torch
from IPython.display import display

from labsupport.device import choose_device, describe_device
from labsupport.plotting import use_book_style
from labsupport.seeding import seed_everything
from labsupport.tables import Table

__all__ = ["Lab", "start_lab"]


class Lab:
    """A chapter under way.

    Attributes
    ----------
    device : torch.device
        Where the chapter computes.
    generator : torch.Generator
        On the CPU; every random draw of the chapter comes from it or from one of its own.
    """

    def __init__(self, seed: int, device: torch.device, generator: torch.Generator):
        self.seed, self.device, self.generator = seed, device, generator
        self._started_at = time.perf_counter()

    def where_it_ran(self) -> None:
        """Display versions, hardware, seed and time; `labs update` records the same as provenance.

        Wording and rows are the same on every device, so that a `measured` cell can hold them.
        """
        hardware = describe_device(self.device)
        environment = {
            "device": hardware["device"],
            "driver": hardware["driver"],
            "cuda": hardware["cuda"],
            "python": platform.python_version(),
            "torch": version("torch").split("+")[0],
            "seed": str(self.seed),
        }
        rows = [
            ["device", environment["device"]],
            ["Python", environment["python"]],
            ["PyTorch", environment["torch"]],
            ["torchvision", version("torchvision").split("+")[0]],
            ["NumPy", version("numpy")],
            ["seed", environment["seed"]],
            ["seconds since setup", f"{time.perf_counter() - self._started_at:.1f}"],
        ]
        display(Table(["what", "here"], rows), metadata={"labs": {"environment": environment}})


def start_lab(*, seed: int, device: str = "auto") -> Lab:
    """Choose the device, fix every seed, set the plotting style.

    Parameters
    ----------
    seed : int
        From 0 to 2**63 - 1.
    device : str
        "auto", "cpu", "cuda" or "cuda:N".

    Raises
    ------
    ValueError
        If seed or device name are none of these.
    RuntimeError
        If a GPU is asked for that this machine does not have.
    """
    chosen = choose_device(device)
    use_book_style()
    return Lab(seed, chosen, seed_everything(seed))
