"""Time ten epochs of logistic regression on a million samples: the report's recipe and the book's.

The report feeds a `DataLoader` over a data set that hands out one pair at a time. The book keeps
one tensor on the device. Data, model, loss, optimiser, learning rate, batch size and number of
epochs are the same; both are judged by the mean loss over all samples after the last epoch.

    python benchmarks/logistic_regression.py --turns 3
"""

import sys
from collections.abc import Callable, Iterable
from functools import cache, partial

import numpy as np
import torch
from side_by_side import read_options, take_turns
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from labsupport.data import Minibatches
from labsupport.seeding import make_generator

NUM_SAMPLES, BATCH_SIZE, NUM_EPOCHS, LR = 1_000_000, 1024, 10, 0.05
OPTIMUM = 0.57925  # mean loss that BFGS finds on these data
TARGET_RATIO, TARGET_LOSS = 10, 1e-5


@cache
def report_data() -> tuple[Tensor, Tensor]:
    """Return the report's inputs and targets, each of shape (NUM_SAMPLES, 1), scaled to [0, 1]."""
    draws = np.random.RandomState(0)
    x = 2 * draws.rand(NUM_SAMPLES, 1)
    y = 4 - 3 * x + 0.2 * draws.randn(NUM_SAMPLES, 1)
    x, y = ((values - values.min()) / np.ptp(values) for values in (x, y))
    return torch.from_numpy(x).float(), torch.from_numpy(y).float()


class Pairs(Dataset):
    """The report's data set."""

    def __init__(self):
        self.x, self.y = report_data()

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.x[index], self.y[index]


def report_batches(device: torch.device) -> Iterable[tuple[Tensor, Tensor]]:
    """Return the report's loader; its batches are moved to the device as they come."""
    return DataLoader(Pairs(), BATCH_SIZE, shuffle=True, generator=make_generator(0))


def book_batches(device: torch.device) -> Iterable[tuple[Tensor, Tensor]]:
    """Return the book's batches; putting the data on the device is part of the measured time."""
    x, y = (values.to(device) for values in report_data())
    return Minibatches(x, y, BATCH_SIZE, generator=make_generator(0))


def train(make_batches: Callable, device: torch.device) -> float:
    """Train, and return the mean loss over all samples, in nats."""
    torch.manual_seed(0)
    model = nn.Linear(1, 1).to(device)
    loss_fn = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)
    batches = make_batches(device)
    for _ in range(NUM_EPOCHS):
        for x, y in batches:
            optimizer.zero_grad()
            loss_fn(model(x.to(device)), y.to(device)).backward()
            optimizer.step()
    x, y = (values.to(device) for values in report_data())
    with torch.no_grad():
        return loss_fn(model(x), y).item()


def main() -> int:
    """Print the comparison, return 1 if a target is missed."""
    options = read_options(__doc__.splitlines()[0])
    print(f"{NUM_EPOCHS} epochs of {NUM_SAMPLES:,} samples, batches of {BATCH_SIZE}")
    recipes = {"report": partial(train, report_batches), "book": partial(train, book_batches)}
    seconds, losses = take_turns(recipes, options)
    ratio = seconds["report"] / seconds["book"]
    excess = {name: loss - OPTIMUM for name, loss in losses.items()}
    print(
        f"{ratio:.0f} times faster (target {TARGET_RATIO}); mean loss above the optimum: "
        f"{excess['report']:.1e} and {excess['book']:.1e} (target {TARGET_LOSS:.0e})"
    )
    return int(ratio < TARGET_RATIO or max(excess.values()) > TARGET_LOSS)


if __name__ == "__main__":
    sys.exit(main())
