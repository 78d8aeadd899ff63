"""Open a chapter with one call, draw and report through it, close it with where it ran."""

from __future__ import annotations

import platform
import re
import time
from importlib.metadata import version

import torch
from IPython import get_ipython
from IPython.display import display
from myst_nb import glue
from torch import Tensor

from labsupport.device import choose_device, describe_device
from labsupport.findings import Finding, truth
from labsupport.numbers import Number
from labsupport.plotting import use_book_style
from labsupport.seeding import derive_seed, make_generator, seed_everything
from labsupport.tables import Table
from labsupport.units import Quantity

__all__ = ["Lab", "start_lab"]

_NAME = r"[a-z0-9]+([-.][a-z0-9]+)*"


def _running_cell() -> tuple[object, int]:
    """Return the cell under way and the number of its execution; a front end may name the cell."""
    shell = get_ipython()
    if shell is None:
        return "", 0
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    named = parent.get("metadata", {}).get("cellId")
    return named or shell.execution_count, shell.execution_count


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
        self._uses: dict[str, tuple] = {}  # in which cell, and in which execution, a name stands

    def make_generator(self, experiment: str, run: int = 0) -> torch.Generator:
        """Return a generator on the CPU for one run of one experiment.

        It is made from the chapter's seed and the experiment's name, so that a change of one
        experiment moves no other.

        Parameters
        ----------
        experiment : str
        run : int
            Which of its repetitions.
        """
        return make_generator(derive_seed(self.seed, experiment, run))

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

    def finds(self, name: str, words: str, condition: object, **numbers: float) -> None:
        """Show in words what an experiment showed, or that it does not hold in this run.

        The run goes on either way. Text and captions quote the words with `glue:text`, by a name
        made as that of `report`.

        Parameters
        ----------
        name : str
            By which the ledger, the text and the records know the finding, such as
            "start-decides".
        words : str
            One sentence that a reader understands.
        condition : bool, or a Tensor or array that holds one
            Whether this run shows it.
        numbers : float
            Those behind it, kept in the record.

        Raises
        ------
        ValueError
            If there is no name, no words or no truth value, or if the chapter uses the name twice.
        """
        what = f"the finding {name!r}"
        self._claim_name(name, what)
        if not isinstance(words, str) or not words.strip():
            raise ValueError(f"{self.chapter}, {what}: its words are empty; say what was found")
        try:
            held = truth(condition)
        except ValueError as error:
            raise ValueError(f"{self.chapter}, {what}: {error}") from None
        glue(self._quoted_name(name), Finding(name, words, held, numbers))

    def report(self, name: str, value: object, spec: str = "") -> None:
        """Store a number or a word for the text, which quotes it with `glue:text`.

        The raw value of a number is kept beside what is printed.

        Parameters
        ----------
        name : str
            The text puts the chapter before it: what `moons_mlp` reports as "kept" it quotes as
            `moons-mlp-kept`.
        value : float, int, Tensor or array of one number, Quantity or str
            A measured quantity is written in the unit in which its name ends, one of
            `UNIT_OF_ENDING`; a str is shown as it is.
        spec : str
            How a number is printed, such as ".3f": the digits printed are the digits promised. A
            whole number needs none.

        Raises
        ------
        ValueError
            If `spec` cannot print the value, if a number comes as a str or without a `spec`, if
            the name of a quantity ends in no unit, or that of anything else in one, or if the
            chapter uses the name twice.
        """
        self._claim_name(name, f"the number {name!r}")
        try:
            shown = Number(name, value, spec)
        except ValueError as error:
            raise ValueError(f"{self.chapter}, the number {name!r}: {error}") from None
        glue(self._quoted_name(name), shown, display=False)

    def _quoted_name(self, name: str) -> str:
        """Return the name under which a text quotes what the chapter calls `name`."""
        return f"{self.chapter.replace('_', '-')}-{name}"

    def _claim_name(self, name: str, what: str) -> None:
        """Refuse what is no name, and one that stands in another place of the chapter."""
        if not isinstance(name, str) or not re.fullmatch(_NAME, name):
            raise ValueError(
                f"{self.chapter}, {what}: a name of small letters, digits and hyphens is needed"
            )
        cell, execution = _running_cell()
        earlier = self._uses.get(name)
        if earlier and (earlier[0] != cell or earlier[1] == execution):
            where = "this cell" if earlier[0] == cell else "another cell"
            raise ValueError(f"{self.chapter}, {what}: {where} uses the name already")
        self._uses[name] = cell, execution

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
