"""Time ten epochs of softmax regression on Fashion-MNIST: the report's recipe and the book's.

The report feeds a `DataLoader` over torchvision's data set, which decodes and normalises every
image in every epoch. The book keeps one tensor on the device. Model, loss, optimiser, learning
rate, batch size and number of epochs are the same, and both evaluate on the test images after
each epoch. The two take turns in one process; medians and quartiles are over the turns.

    LABS_FASHION_MNIST=FOLDER python benchmarks/softmax_regression.py --turns 3
"""

import argparse
import statistics
import sys

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import FashionMNIST

from labsupport.data import Minibatches
from labsupport.device import choose_device, describe_device
from labsupport.fashion_mnist import load_fashion_mnist, unpacked_root
from labsupport.seeding import make_generator, seed_everything
from labsupport.timing import Timer
from labsupport.training import fit

BATCH_SIZE, NUM_EPOCHS, LR = 4096, 10, 0.05
TARGET_RATIO, TARGET_POINTS = 60, 0.2


def make_model(device: torch.device) -> tuple[nn.Module, torch.optim.Optimizer]:
    """Return a linear model with the same initial weights each time, and its optimiser."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10)).to(device)
    return model, torch.optim.SGD(model.parameters(), lr=LR)


class OnDevice:
    """Batches of a DataLoader, moved to the device as they come."""

    def __init__(self, loader: DataLoader, device: torch.device):
        self.loader, self.device = loader, device

    def __iter__(self):
        return ((X.to(self.device), targets.to(self.device)) for X, targets in self.loader)


def report_batches(device: torch.device, *, train: bool) -> OnDevice:
    """Return the report's loader."""
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize(0.5, 0.5)])
    images = FashionMNIST(unpacked_root(), train=train, transform=transform)
    generator = make_generator(0)
    return OnDevice(DataLoader(images, BATCH_SIZE, shuffle=train, generator=generator), device)


def book_batches(device: torch.device, *, train: bool) -> Minibatches:
    """Return the book's batches; putting the images on the device is part of the measured time."""
    data = load_fashion_mnist()
    images, targets = (data.X_train, data.y_train) if train else (data.X_test, data.y_test)
    X = images.to(device).float().div_(127.5).sub_(1)
    generator = make_generator(0) if train else None
    return Minibatches(X, targets.to(device), BATCH_SIZE, generator=generator)


def run(make_batches, device: torch.device) -> tuple[float, float]:
    """Return the seconds of a whole run, data included, and the final test accuracy."""
    with Timer(device) as timer:
        model, optimizer = make_model(device)
        batches, test = (make_batches(device, train=train) for train in (True, False))
        history = fit(model, batches, optimizer=optimizer, num_epochs=NUM_EPOCHS, val_batches=test)
    return timer.sum(), history[-1]["val_accuracy"]


def main() -> int:
    """Take turns, print the table, return 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--turns", type=int, default=3, metavar="N", help="at least 2")
    options = parser.parse_args()
    device = choose_device(options.device)
    seed_everything(0)
    recipes = {"report": report_batches, "book": book_batches}
    results = {name: [] for name in recipes}
    run(book_batches, device)  # warm-up
    for _ in range(options.turns):
        for name, make_batches in recipes.items():
            results[name].append(run(make_batches, device))
    print(describe_device(device)["device"])
    print(f"{NUM_EPOCHS} epochs, batches of {BATCH_SIZE}, medians of {options.turns} turns")
    medians, accuracies = {}, {}
    for name, turns in results.items():
        seconds = [turn[0] for turn in turns]
        q1, medians[name], q3 = statistics.quantiles(seconds, n=4, method="inclusive")
        accuracies[name] = statistics.median(turn[1] for turn in turns)
        print(
            f"{name:8} {medians[name]:8.2f} s  (quartiles {q1:.2f} to {q3:.2f})  "
            f"test accuracy {accuracies[name]:.4f}"
        )
    ratio = medians["report"] / medians["book"]
    points = 100 * abs(accuracies["report"] - accuracies["book"])
    print(
        f"{ratio:.0f} times faster (target {TARGET_RATIO}), {points:.2f} points apart (target "
        f"{TARGET_POINTS})"
    )
    return int(ratio < TARGET_RATIO or points > TARGET_POINTS)


if __name__ == "__main__":
    sys.exit(main())
