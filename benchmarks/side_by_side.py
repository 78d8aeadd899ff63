"""Let recipes for the same work take turns in one process, and print how they compare."""

import argparse
import statistics
from collections.abc import Callable, Mapping

import torch

from labsupport.device import choose_device, describe_device
from labsupport.seeding import seed_everything
from labsupport.timing import Timer


def read_options(description: str) -> argparse.Namespace:
    """Return the options `device`, chosen, and `turns`; fix the seeds."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--turns", type=int, default=3, metavar="N", help="at least 2")
    options = parser.parse_args()
    if options.turns < 2:
        parser.error(f"--turns must be at least 2, got {options.turns}")
    options.device = choose_device(options.device)
    seed_everything(0)
    return options


def take_turns(
    recipes: Mapping[str, Callable[[torch.device], float]], options: argparse.Namespace
) -> tuple[dict[str, float], dict[str, float]]:
    """Run the recipes in turn; return the median seconds and the median result of each.

    A recipe does the whole work, data included, and returns the number by which its result is
    judged. The one named last is run once before, to warm up.
    """
    *_, last = recipes.values()
    last(options.device)
    seconds = {name: [] for name in recipes}
    results = {name: [] for name in recipes}
    for _ in range(options.turns):
        for name, recipe in recipes.items():
            with Timer(options.device) as timer:
                result = recipe(options.device)
            seconds[name].append(timer.sum())
            results[name].append(result)
    print(f"{describe_device(options.device)['device']}, medians of {options.turns} turns")
    for name in recipes:
        q1, median, q3 = statistics.quantiles(seconds[name], n=4, method="inclusive")
        print(f"{name:8} {median:8.2f} s  (quartiles {q1:.2f} to {q3:.2f})")
    return (
        {name: statistics.median(values) for name, values in seconds.items()},
        {name: statistics.median(values) for name, values in results.items()},
    )
