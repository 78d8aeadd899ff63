"""Time ten epochs of softmax regression on Fashion-MNIST: the report's recipe and the book's.

The report feeds a `DataLoader` over torchvision's data set, which decodes and normalises every
image in every epoch. The book keeps one tensor on the device. Model, loss, optimiser, learning
rate, batch size and number of epochs are the same, and both evaluate on the test images after
each epoch.

    LABS_FASHION_MNIST=FOLDER python benchmarks/softmax_regression.py --turns 3
"""

import sys
from collections.abc import Callable
from functools import partial

import torch
from side_by_side import read_options, take_turns
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import FashionMNIST

from labsupport.data import Minibatches
from labsupport.fashion_mnist import load_fashion_mnist, unpacked_root
from labsupport.seeding import make_generator
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


def train(make_batches: Callable, device: torch.device) -> float:
    """Load the data, train, and return the final test accuracy."""
    model, optimizer = make_model(device)
    batches, test = (make_batches(device, train=train) for train in (True, False))
    history = fit(model, batches, optimizer=optimizer, num_epochs=NUM_EPOCHS, val_batches=test)
    return history[-1]["val_accuracy"]


def main() -> int:
    """Print the comparison, return 1 if a target is missed."""
    options = read_options(__doc__.splitlines()[0])
    print(f"{NUM_EPOCHS} epochs, batches of {BATCH_SIZE}")
    recipes = {"report": partial(train, report_batches), "book": partial(train, book_batches)}
    seconds, accuracies = take_turns(recipes, options)
    ratio = seconds["report"] / seconds["book"]
    points = 100 * abs(accuracies["report"] - accuracies["book"])
    print(
        f"{ratio:.0f} times faster (target {TARGET_RATIO}); test accuracy "
        f"{accuracies['report']:.4f} and {accuracies['book']:.4f}, {points:.2f} points apart "
        f"(target {TARGET_POINTS})"
    )
    return int(ratio < TARGET_RATIO or points > TARGET_POINTS)


if __name__ == "__main__":
    sys.exit(main())
