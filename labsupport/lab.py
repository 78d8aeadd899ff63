"""Open a chapter with one call, draw and report through it, close it with where it ran."""

from __future__ import annotations

import platform
import time
from importlib.metadata import version

import torch
from IPython.display import display
from myst_nb import glue
from torch import Tensor

from labsupport.device import choose_device, describe_device
from labsupport.plotting import use_book_style
from labsupport.seeding import seed_everything
from labsupport.tables import Table
from labsupport.units import Quantity

__all__ = ["UNIT_OF_ENDING", "Lab", "start_lab"]

# In which unit a number for the text is written, by the end of its name
UNIT_OF_ENDING = {"s": "s", "ms": "ms", "us": "µs", "ns": "ns", "gbs": "GB/s"}


class Lab:
    """A chapter under way.

    Attributes
    ----------
    chapter : str
        The name of its file, without the ending.
    device : torch.device
        Where the chapter computes.
    generator : torch.Generator
        On the CPU; every random draw of the chapter comes from it or from one of its own.
    """

    def __init__(self, chapter: str, seed: int, device: torch.device, generator: torch.Generator):
        self.chapter, self.seed, self.device, self.generator = chapter, seed, device, generator
        self._started_at = time.perf_counter()

    def draw_normal(self, *shape: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw from the standard normal distribution on the CPU, then move to the device.

        So a GPU sees the numbers that a CPU sees.

        Parameters
        ----------
        shape : int
            The sizes of the axes.
        generator : torch.Generator on the CPU, optional
            In the place of the chapter's own.

        Returns
        -------
        Tensor of shape `shape`, float64, on the chapter's device
        """
        draws = torch.randn(shape, generator=generator or self.generator, dtype=torch.float64)
        return draws.to(self.device)

    def report(self, name: str, value: str | int | Quantity) -> None:
        """Store a number for the text, which quotes it with `glue:text`.

        Parameters
        ----------
        name : str
            The text puts the chapter before it: what `moons_mlp` reports as "kept" it quotes as
            `moons-mlp-kept`.
        value : str, int or Quantity
            As the text shows it: the digits printed are the digits promised. A measured quantity
            is written in the unit in which its name ends, one of `UNIT_OF_ENDING`.

        Raises
        ------
        ValueError
            If the name of a quantity ends in no unit, or that of anything else in one.
        """
        unit = UNIT_OF_ENDING.get(name.rpartition("-")[2])
        if isinstance(value, Quantity) != (unit is not None):
            endings = ", ".join(UNIT_OF_ENDING)
            raise ValueError(f"{name!r}: a Quantity, and nothing else, ends in one of {endings}")
        if unit:
            value = value.in_unit(unit)
        glue(f"{self.chapter.replace('_', '-')}-{name}", value, display=False)

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
            ["seconds since setup", Quantity(time.perf_counter() - self._started_at, ".1f")],
        ]
        display(Table(["what", "here"], rows), metadata={"labs": {"environment": environment}})


def start_lab(chapter: str, *, seed: int, device: str = "auto") -> Lab:
    """Choose the device, fix every seed, set the plotting style.

    Parameters
    ----------
    chapter : str
        The name of its file, without the ending.
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
    return Lab(chapter, seed, chosen, seed_everything(seed))
