"""Draw the book's figures in one style; every function takes axes or makes them, and returns them.

Imports pyplot and nothing of PyTorch: tensors are handed in as anything NumPy can read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from IPython import get_ipython
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib_inline.config import InlineBackend

__all__ = [
    "plot_curves",
    "plot_decision_regions",
    "plot_matrix",
    "show_images",
    "use_book_style",
]

# Okabe and Ito's palette: told apart by colour-blind readers. https://jfly.uni-koeln.de/color/
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
CLASS_TINTS = LinearSegmentedColormap.from_list("classes", ["#7FB8DA", "#FFFFFF", "#EEAE80"])
LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))


def use_book_style() -> None:
    """Set the style, and make a figure's pixels depend on nothing but its content."""
    mpl.rcdefaults()
    plt.rcParams.update(
        {
            "axes.grid": True,
            "axes.prop_cycle": cycler(color=COLORS) + cycler(linestyle=LINE_STYLES),
            "axes.spines.right": False,
            "axes.spines.top": False,
            "figure.constrained_layout.use": True,
            "figure.dpi": 100,
            "figure.figsize": (7, 4),
            "grid.alpha": 0.3,
            "image.cmap": "gray_r",
            "legend.frameon": False,
            "lines.markersize": 4,
        }
    )
    _fix_inline_backend()


def _fix_inline_backend() -> None:
    """Draw at twice the resolution, and never crop: a cropped figure's size depends on its text."""
    shell = get_ipython()
    if shell is None:
        return
    backend = InlineBackend.instance(parent=shell)
    backend.shell = shell
    backend.print_figure_kwargs = {"bbox_inches": None}
    backend.figure_formats = {"retina"}


def plot_curves(
    x: Sequence[float],
    curves: Mapping[str, Sequence[float]],
    *,
    x_label: str,
    y_label: str,
    ax: Axes | None = None,
) -> Axes:
    """Draw labelled curves over one axis; the keys of `curves` name them in the legend.

    Parameters
    ----------
    x : array of shape (num_points,)
    curves : mapping from label to array of shape (num_points,)
    """
    ax = ax or plt.subplots()[1]
    for label, values in curves.items():
        ax.plot(x, values, label=label)
    ax.set(xlabel=x_label, ylabel=y_label)
    ax.legend()
    return ax


def show_images(
    images: Sequence[np.ndarray],
    *,
    titles: Sequence[str] | None = None,
    num_columns: int = 10,
    symmetric: bool = False,
) -> np.ndarray:
    """Draw images in a grid and return its axes.

    Parameters
    ----------
    images : array of shape (num_images, height, width)
    titles : sequence of str, optional
    num_columns : int
    symmetric : bool
        Signed images: one diverging colour scale for all, white at zero.

    Returns
    -------
    array of Axes of shape (num_rows, num_columns)
    """
    num_rows = -(-len(images) // num_columns)
    cell = min(0.95, 7 / num_columns)  # inches; a page shows 7 without shrinking
    size = (cell * num_columns, cell * (1.15 if titles is None else 1.4) * num_rows)
    _, axes = plt.subplots(num_rows, num_columns, figsize=size, squeeze=False)
    options = {}
    if symmetric:
        limit = float(max(np.abs(np.asarray(image)).max() for image in images))
        options = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
    for ax in axes.flat:
        ax.axis("off")
    for index, (ax, image) in enumerate(zip(axes.flat, images, strict=False)):
        ax.imshow(np.asarray(image), **options)
        if titles is not None:
            ax.set_title(titles[index], fontsize=8)
    return axes


def plot_matrix(
    matrix: np.ndarray, *, labels: Sequence[str], x_label: str, y_label: str, ax: Axes | None = None
) -> Axes:
    """Draw a square matrix of counts with the counts written in, zeros left blank.

    Parameters
    ----------
    matrix : array of integers of shape (num_classes, num_classes)
    labels : the num_classes names, used on both sides
    """
    matrix = np.asarray(matrix)
    ax = ax or plt.subplots(figsize=(7, 6))[1]
    ax.imshow(matrix, cmap="Blues", norm=mpl.colors.PowerNorm(0.5))
    ax.grid(False)
    ticks = range(len(labels))
    ax.set_xticks(ticks, labels, rotation=45, ha="right")
    ax.set_yticks(ticks, labels)
    ax.set(xlabel=x_label, ylabel=y_label)
    for row, column in np.argwhere(matrix):
        color = "white" if matrix[row, column] > matrix.max() / 3 else "black"
        ax.text(column, row, matrix[row, column], ha="center", va="center", color=color, fontsize=8)
    return ax


def plot_decision_regions(
    x1: Sequence[float],
    x2: Sequence[float],
    probability: np.ndarray,
    *,
    X: np.ndarray,
    targets: np.ndarray,
    ax: Axes | None = None,
) -> Axes:
    """Shade where a classifier says class 0 or class 1, with samples on top.

    The shade grows with the probability of the class, the line is where both have one half.
    The classes differ in the shape of their markers too, so that they are told apart in grey.

    Parameters
    ----------
    x1 : array of shape (num_columns,), the first feature on the grid
    x2 : array of shape (num_rows,), the second
    probability : array of shape (num_rows, num_columns), of class 1
    X : array of shape (num_samples, 2)
    targets : array of num_samples numbers, 0 or 1
    """
    ax = ax or plt.subplots(figsize=(5, 5))[1]
    probability, X, targets = np.asarray(probability), np.asarray(X), np.asarray(targets).ravel()
    ax.contourf(x1, x2, probability, levels=np.linspace(0, 1, 21), cmap=CLASS_TINTS)
    if probability.min() < 0.5 < probability.max():
        ax.contour(x1, x2, probability, levels=[0.5], colors="black", linewidths=1.2)
    for label, marker in ((0, "o"), (1, "^")):
        ax.plot(
            *X[targets == label].T,
            marker,
            color=COLORS[label],
            markeredgecolor="white",
            markeredgewidth=0.4,
            label=f"class {label}",
        )
    ax.set(xlim=(x1[0], x1[-1]), ylim=(x2[0], x2[-1]), aspect="equal")
    ax.set(xlabel="first feature", ylabel="second feature")
    ax.grid(False)
    return ax
