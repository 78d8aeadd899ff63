"""Train a model, evaluate a classifier; record what happened as plain rows."""

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from labsupport.timing import Timer

__all__ = ["History", "evaluate", "fit"]


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
    model : maps X of shape (batch_size, ...) to logits of shape (batch_size, num_classes)
    batches : pairs of X and class indices of shape (batch_size,)
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
            num_correct += (logits.argmax(dim=1) == targets).sum()
            num_samples += len(targets)
    model.train(was_training)
    return {
        "val_loss": float(loss_sum) / num_samples,
        "val_accuracy": int(num_correct) / num_samples,
    }


def fit(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    *,
    optimizer: torch.optim.Optimizer,
    num_epochs: int,
    val_batches: Iterable[tuple[Tensor, Tensor]] | None = None,
    loss_fn: Callable[[Tensor, Tensor], Tensor] = nn.functional.cross_entropy,
    scheduler: torch.optim.lr_scheduler.LRScheduler | None = None,
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
    """
    history = History()
    device = next(model.parameters()).device
    for epoch in range(1, num_epochs + 1):
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
        if scheduler is not None:
            scheduler.step()
    return history
