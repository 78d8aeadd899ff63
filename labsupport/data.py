"""Make the data that the labs fit, and serve it in minibatches.

Draws are made in float64 on the CPU and then cast: every dtype and every device sees the same
samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

__all__ = [
    "Minibatches",
    "append_ones",
    "make_linear_data",
    "make_moons",
]


def make_linear_data(
    weight: Sequence[float] | Tensor,
    bias: float,
    *,
    num_samples: int,
    noise_std: float,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
) -> tuple[Tensor, Tensor]:
    """Draw X from the standard normal distribution, and y = X weight + bias + noise.

    Parameters
    ----------
    weight : sequence of float or Tensor of shape (num_features,)
    bias : float
    num_samples : int
    noise_std : float
        Standard deviation of the normal noise, in the unit of y.
    generator : torch.Generator on the CPU
    dtype : torch.dtype

    Returns
    -------
    X : Tensor of shape (num_samples, num_features), on the CPU
    y : Tensor of shape (num_samples, 1), on the CPU

    Raises
    ------
    ValueError
        If there are no samples or no features, if `weight` has another shape, or if `noise_std`
        is negative or not finite.
    """
    weight = torch.as_tensor(weight, dtype=torch.float64, device="cpu")
    if weight.ndim != 1 or len(weight) == 0:
        raise ValueError(f"weight must have shape (num_features,), got {tuple(weight.shape)}")
    if num_samples < 1:
        raise ValueError(f"num_samples must be at least 1, got {num_samples}")
    check_noise(noise_std)
    X = torch.randn(num_samples, len(weight), generator=generator, dtype=torch.float64)
    noise = noise_std * torch.randn(num_samples, generator=generator, dtype=torch.float64)
    y = X @ weight + bias + noise
    return X.to(dtype), y.unsqueeze(1).to(dtype)


def make_moons(
    *,
    num_samples: int,
    noise_std: float,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
) -> tuple[Tensor, Tensor]:
    """Draw two interleaving half circles of radius 1, one for each class, with noise around them.

    Class 0 is the upper half of the circle around (0, 0), class 1 the lower half of the circle
    around (1, 1/2). The points of a class are evenly spaced on its arc, then all are shuffled.

    Parameters
    ----------
    num_samples : int
        Of both classes together; with an odd number class 1 has one more.
    noise_std : float
        Standard deviation of the normal noise on each coordinate; the radius is 1.
    generator : torch.Generator on the CPU
    dtype : torch.dtype

    Returns
    -------
    X : Tensor of shape (num_samples, 2), on the CPU
    y : Tensor of shape (num_samples, 1), on the CPU
        0 or 1, in `dtype`, as binary cross-entropy wants it.

    Raises
    ------
    ValueError
        If there is not a sample for each class, or if `noise_std` is negative or not finite.

    References
    ----------
    `sklearn.datasets.make_moons`, without its noise the same points.
    """
    if num_samples < 2:
        raise ValueError(f"num_samples must be at least 2, one for each class, got {num_samples}")
    check_noise(noise_std)
    num_upper = num_samples // 2
    num_lower = num_samples - num_upper
    upper = torch.linspace(0, math.pi, num_upper, dtype=torch.float64)
    lower = torch.linspace(0, math.pi, num_lower, dtype=torch.float64)
    x1 = torch.cat([upper.cos(), 1 - lower.cos()])
    x2 = torch.cat([upper.sin(), 0.5 - lower.sin()])
    y = (torch.arange(num_samples) >= num_upper).to(dtype)
    order = torch.randperm(num_samples, generator=generator)
    noise = noise_std * torch.randn(num_samples, 2, generator=generator, dtype=torch.float64)
    X = torch.stack([x1, x2], dim=1)[order] + noise
    return X.to(dtype), y[order].unsqueeze(1)


def append_ones(X: Tensor) -> Tensor:
    """Append a feature that is always 1, whose weight is then the bias.

    Parameters
    ----------
    X : Tensor of shape (..., num_samples, num_features)

    Returns
    -------
    Tensor of shape (..., num_samples, num_features + 1)
        Of the dtype and on the device of X.
    """
    return torch.cat([X, torch.ones_like(X[..., :1])], dim=-1)


def check_noise(noise_std: float) -> None:
    """Refuse what is no standard deviation."""
    if not 0 <= noise_std < math.inf:
        raise ValueError(f"noise_std must be 0 or a finite number above it, got {noise_std}")


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
