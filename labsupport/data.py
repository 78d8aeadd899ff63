"""Serve minibatches of tensors that already lie on the device."""

from collections.abc import Iterator

import torch
from torch import Tensor

__all__ = ["Minibatches"]


class Minibatches:
    """Re-iterable minibatches of tensors; one pass is one epoch, the last batch may be short.

    Does for tensors what `torch.utils.data.DataLoader` does for data sets, without touching
    the samples one by one: a batch is one gather on the device.

    Parameters
    ----------
    X : Tensor of shape (num_samples, ...)
    y : Tensor of shape (num_samples, ...)
    batch_size : int
    generator : torch.Generator on the CPU, optional
        Draws a new order for each epoch. Without it the order is that of the data.

    Raises
    ------
    ValueError
        If there are no samples, the lengths differ, or `batch_size` is below 1.
    """

    def __init__(
        self, X: Tensor, y: Tensor, batch_size: int, *, generator: torch.Generator | None = None
    ):
        if len(X) != len(y):
            raise ValueError(f"X and y must have the same length, got {len(X)} and {len(y)}")
        if len(X) == 0:
            raise ValueError("X and y hold no samples")
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        self.X, self.y, self.batch_size, self.generator = X, y, batch_size, generator

    def __len__(self) -> int:
        return -(-len(self.X) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        if self.generator is None:
            yield from zip(
                self.X.split(self.batch_size), self.y.split(self.batch_size), strict=True
            )
            return
        order = torch.randperm(len(self.X), generator=self.generator).to(self.X.device)
        for rows in order.split(self.batch_size):
            yield self.X.index_select(0, rows), self.y.index_select(0, rows)
