"""Measure elapsed time so that the figure means something."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import accumulate

import torch

from labsupport.device import synchronize

__all__ = ["Measurement", "Timer", "measure", "measure_each", "take_turns"]


class Timer:
    """A stopwatch that waits for the device at both ends of each lap.

    Reads the monotonic clock with the highest resolution; the wall clock can jump. On a GPU an
    operation returns before it is done, so without waiting only the launch would be timed.

    Examples
    --------
    >>> timer = Timer()
    >>> with timer:
    ...     total = sum(range(1000))
    >>> len(timer.laps_s)
    1
    """

    def __init__(self, device: torch.device | str = "cpu"):
        self.device = torch.device(device)
        self.laps_s: list[float] = []
        self._started_at: float | None = None

    def start(self) -> None:
        """Begin a lap."""
        synchronize(self.device)
        self._started_at = time.perf_counter()

    def stop(self) -> float:
        """End the lap and return its length in seconds.

        Raises
        ------
        RuntimeError
            If no lap has begun.
        """
        if self._started_at is None:
            raise RuntimeError("Timer.stop() without a lap under way: call start() first")
        synchronize(self.device)
        self.laps_s.append(time.perf_counter() - self._started_at)
        self._started_at = None
        return self.laps_s[-1]

    def avg(self) -> float:
        """Return the mean lap in seconds."""
        return statistics.fmean(self.laps_s)

    def sum(self) -> float:
        """Return the total of all laps in seconds."""
        return sum(self.laps_s)

    def cumsum(self) -> list[float]:
        """Return the running totals in seconds, one for each lap."""
        return list(accumulate(self.laps_s))

    def __enter__(self) -> Timer:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


@dataclass(frozen=True)
class Measurement:
    """Seconds per call over many repeats: the shortest lap, the median and the quartiles.

    What else a machine does can only lengthen a lap. So where it is busy the shortest laps of two
    programs can be compared, and their medians may not.
    """

    shortest_s: float
    q1_s: float
    median_s: float
    q3_s: float
    num_repeats: int

    @property
    def iqr_s(self) -> float:
        """The interquartile range in seconds."""
        return self.q3_s - self.q1_s


def measure(
    function: Callable[[], object],
    *,
    device: torch.device | str = "cpu",
    num_repeats: int = 7,
    min_lap_s: float = 1e-3,
) -> Measurement:
    """Time `function()` after a warm-up, waiting for `device` around each lap.

    `measure_each` tells how, and what the arguments are.
    """
    options = {"device": device, "num_repeats": num_repeats, "min_lap_s": min_lap_s}
    return measure_each({"it": function}, **options)["it"]


def measure_each(
    functions: Mapping[str, Callable[[], object]],
    *,
    device: torch.device | str = "cpu",
    num_repeats: int = 7,
    min_lap_s: float = 1e-3,
) -> dict[str, Measurement]:
    """Time functions that are compared, a lap of each in turn, each after a warm-up of its own.

    What slows the machine down for a while then falls on all of them, on long laps more often than
    on short ones: if laps differ in length and the machine is busy, compare the shortest. Calls
    shorter than `min_lap_s` are timed in groups, because reading a clock costs about as much as a
    small tensor operation.

    Parameters
    ----------
    functions : mapping from a name to a callable without arguments
    device : the device whose queue must be empty before a lap ends
    num_repeats : laps that count; at least 3, so that quartiles exist
    min_lap_s : shortest lap in seconds that is trusted

    Raises
    ------
    ValueError
        If `num_repeats` is below 3.
    """
    if num_repeats < 3:
        raise ValueError(f"num_repeats must be at least 3 for quartiles, got {num_repeats}")
    timer = Timer(device)

    def lap_s(function: Callable[[], object], num_calls: int) -> float:
        with timer:
            for _ in range(num_calls):
                function()
        return timer.laps_s[-1]

    num_calls = {}
    for name, function in functions.items():
        function()  # the first call pays for allocation, caches and lazy set-up
        num_calls[name] = 1
        while any(lap_s(function, num_calls[name]) < min_lap_s for _ in range(3)):
            num_calls[name] *= 2  # one long lap may be a stall
    laps_s = {name: [] for name in functions}
    for _ in range(num_repeats):
        for name, function in functions.items():
            laps_s[name].append(lap_s(function, num_calls[name]) / num_calls[name])
    return {name: _summary(laps) for name, laps in laps_s.items()}


def take_turns(
    programs: Mapping[str, Callable[[], object]],
    *,
    device: torch.device | str = "cpu",
    num_turns: int = 3,
) -> tuple[dict[str, Measurement], dict[str, object]]:
    """Time programs that do the same work one after the other, over and over.

    What slows the machine down for a while then falls on all of them, on long laps more often than
    on short ones. There is no warm-up: call each program before, if only on less work, and compare
    what they return.

    Parameters
    ----------
    programs : mapping from a name to a callable without arguments
    device : the device whose queue must be empty before a lap ends
    num_turns : laps of each program; at least 3, so that quartiles exist

    Returns
    -------
    measurements : dict from name to Measurement
    results : dict from name to what the program returned in its last lap

    Raises
    ------
    ValueError
        If `num_turns` is below 3.
    """
    if num_turns < 3:
        raise ValueError(f"num_turns must be at least 3 for quartiles, got {num_turns}")
    timers = {name: Timer(device) for name in programs}
    results = {}
    for _ in range(num_turns):
        for name, program in programs.items():
            with timers[name]:
                results[name] = program()
    return {name: _summary(timer.laps_s) for name, timer in timers.items()}, results


def _summary(laps_s: list[float]) -> Measurement:
    """Return the shortest lap, the median and the quartiles."""
    quartiles_s = statistics.quantiles(laps_s, n=4, method="inclusive")
    return Measurement(min(laps_s), *quartiles_s, len(laps_s))
