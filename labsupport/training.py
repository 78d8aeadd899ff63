"""Train a model or many at once, evaluate a classifier, predict; record it as plain rows."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Sequence

import torch
from IPython import get_ipython
from torch import Tensor, nn
from tqdm import tqdm

from labsupport.best_model import BestModel
from labsupport.timing import Timer

__all__ = ["History", "evaluate", "fit", "predict", "show_progress", "stack_runs"]

PATIENCE_S = 2.0  # training that takes longer shows its progress


class History(list):
    """One dict a epoch, ready for JSON; `history["val_loss"]` is the column over the epochs."""

    def __getitem__(self, key):
        """Return a row by its index, or a column by its name."""
        if isinstance(key, str):
            return [row[key] for row in self]
        return super().__getitem__(key)


def evaluate(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    *,
    loss_fn: Callable[[Tensor, Tensor], Tensor] = nn.functional.cross_entropy,
) -> dict[str, float]:
    """Return the mean loss (in nats for cross-entropy) and the accuracy over all samples.

    Parameters
    ----------
    model : maps X of shape (batch_size, ...) to logits of shape (batch_size, num_classes), or
        of shape (batch_size, 1) if there are two classes
    batches : pairs of X and class indices of shape (batch_size,), or of shape (batch_size, 1) as
        `binary_cross_entropy_with_logits` wants them
    loss_fn : mean loss of a batch

    Returns
    -------
    dict
        `val_loss` and `val_accuracy`.
    """
    num_samples, loss_sum, num_correct = 0, 0.0, 0
    was_training = model.training
    model.eval()
    with torch.no_grad():
        for X, targets in batches:
            logits = model(X)
            loss_sum += loss_fn(logits, targets) * len(targets)
            num_correct += (_most_likely(logits) == targets.flatten()).sum()
            num_samples += len(targets)
    model.train(was_training)
    return {
        "val_loss": float(loss_sum) / num_samples,
        "val_accuracy": int(num_correct) / num_samples,
    }


def predict(model: nn.Module, X: Tensor) -> Tensor:
    """Return the most likely class of each sample.

    Parameters
    ----------
    model : as for `evaluate`
    X : Tensor of shape (num_samples, ...)

    Returns
    -------
    Tensor of shape (num_samples,), int64
        The index of the largest logit; of a single logit, 1 if it is above 0.
    """
    was_training = model.training
    model.eval()
    with torch.no_grad():
        classes = _most_likely(model(X))
    model.train(was_training)
    return classes


def _most_likely(logits: Tensor) -> Tensor:
    """Return class indices of shape (num_samples,)."""
    if logits.shape[1] == 1:
        return (logits[:, 0] > 0).long()
    return logits.argmax(dim=1)


def show_progress(epochs: Iterable[int]) -> Iterable[int]:
    """Pass the epochs through; after two seconds show a bar, if there is someone to see it.

    That is in a terminal, or in a notebook's front end. Papermill and nbval tell the kernel that
    nobody can answer a question; their runs store no trace of a bar.
    """
    return tqdm(epochs, unit="epoch", leave=False, delay=PATIENCE_S, disable=not _someone_watches())


def _someone_watches() -> bool:
    """Tell whether standard error ends at a person."""
    shell = get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return sys.stderr.isatty()
    return bool(shell.get_parent().get("content", {}).get("allow_stdin"))


def fit(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    *,
    optimizer: torch.optim.Optimizer,
    num_epochs: int,
    val_batches: Iterable[tuple[Tensor, Tensor]] | None = None,
    loss_fn: Callable[[Tensor, Tensor], Tensor] = nn.functional.cross_entropy,
    scheduler: torch.optim.lr_scheduler.LRScheduler | None = None,
    best: BestModel | None = None,
) -> History:
    """Run minibatch gradient descent and return one row for each epoch.

    Parameters
    ----------
    model : maps X of shape (batch_size, ...) to what `loss_fn` compares with the targets
    batches : re-iterable pairs of X and targets; one pass is one epoch
    optimizer : holds the parameters of `model`
    num_epochs : int
    val_batches : evaluated after each epoch if given; the model must be a classifier
    loss_fn : mean loss of a batch
    scheduler : stepped after each epoch if given
    best : keeps the parameters of the best epoch if given; `val_batches` must be, too

    Returns
    -------
    History
        Rows with `epoch` (from 1), `train_loss` (the mean over the epoch's samples, each batch
        before its own step), `elapsed_s` (seconds of training, evaluation not included) and, if
        `val_batches` are given, `val_loss` and `val_accuracy`.

    Raises
    ------
    FloatingPointError
        If the loss of an epoch is not finite.
    ValueError
        If `best` is given without `val_batches`.
    """
    if best is not None and val_batches is None:
        raise ValueError("best needs val_batches: there is nothing to choose an epoch by")
    history = History()
    device = next(model.parameters()).device
    for epoch in show_progress(range(1, num_epochs + 1)):
        num_samples, loss_sum = 0, 0.0
        with Timer(device) as timer:
            for X, targets in batches:
                optimizer.zero_grad()
                loss = loss_fn(model(X), targets)
                loss.backward()
                optimizer.step()
                loss_sum += loss.detach() * len(targets)
                num_samples += len(targets)
        train_loss = float(loss_sum) / num_samples
        if not math.isfinite(train_loss):
            raise FloatingPointError(
                f"the training loss became {train_loss} in epoch {epoch}: lower the learning rate"
            )
        row = {"epoch": epoch, "train_loss": train_loss, "elapsed_s": timer.sum()}
        if val_batches is not None:
            row |= evaluate(model, val_batches, loss_fn=loss_fn)
        history.append(row)
        if best is not None:
            best.update(model, row)
        if scheduler is not None:
            scheduler.step()
    return history


def stack_runs(runs: Iterable[Sequence[Tensor]]) -> list[Tensor]:
    """Stack the tensors of many runs along a new first axis, for one program to train them all.

    Operations that work on the last axes, such as a matrix product, then need no change.

    Parameters
    ----------
    runs : for each run its tensors, such as data or parameters, in one order and of equal shapes

    Returns
    -------
    list of Tensor of shape (num_runs, ...)

    Raises
    ------
    ValueError
        If a run has more tensors than another.
    RuntimeError
        If the shapes differ.
    """
    return [torch.stack(tensors) for tensors in zip(*runs, strict=True)]
