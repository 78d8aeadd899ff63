import json

import pytest
import torch
from torch import nn

from labsupport.data import Minibatches
from labsupport.seeding import make_generator
from labsupport.training import History, evaluate, fit


@pytest.fixture
def problem():
    """Two well separated classes and an untrained linear model."""
    generator = make_generator(0)
    targets = torch.arange(60) % 2
    X = torch.randn(60, 3, generator=generator) + 4 * targets[:, None]
    torch.manual_seed(0)
    return nn.Linear(3, 2), X, targets


def test_fit_learns_and_records_plain_rows(problem):
    model, X, targets = problem
    batches = Minibatches(X, targets, 20, generator=make_generator(1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    history = fit(model, batches, optimizer=optimizer, num_epochs=20, val_batches=[(X, targets)])
    assert history["epoch"] == list(range(1, 21))
    assert history["train_loss"][-1] < history["train_loss"][0]
    assert history[-1]["val_accuracy"] > 0.95
    assert json.loads(json.dumps(history)) == history


def test_fit_weighs_a_short_batch_by_its_samples(problem):
    model, X, targets = problem
    with torch.no_grad():
        expected = nn.functional.cross_entropy(model(X), targets).item()
    frozen = torch.optim.SGD(model.parameters(), lr=0.0)
    history = fit(model, Minibatches(X, targets, 25), optimizer=frozen, num_epochs=1)
    assert history[0]["train_loss"] == pytest.approx(expected, rel=1e-5)


def test_fit_adds_losses_in_the_dtype_of_the_model(problem):
    model, X, targets = problem
    model, X = model.double(), X.double()
    with torch.no_grad():
        expected = nn.functional.cross_entropy(model(X), targets).item()
    frozen = torch.optim.SGD(model.parameters(), lr=0.0)
    history = fit(model, Minibatches(X, targets, 25), optimizer=frozen, num_epochs=1)
    assert history[0]["train_loss"] == pytest.approx(expected, rel=1e-13)


def test_fit_steps_the_scheduler_once_an_epoch(problem):
    model, X, targets = problem
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    fit(model, Minibatches(X, targets, 20), optimizer=optimizer, num_epochs=3, scheduler=scheduler)
    assert optimizer.param_groups[0]["lr"] == 0.125


def test_fit_stops_when_the_loss_is_not_finite(problem):
    model, X, targets = problem
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    with pytest.raises(FloatingPointError, match=r"nan in epoch 1: lower the learning rate"):
        fit(model, [(X * float("nan"), targets)], optimizer=optimizer, num_epochs=1)


def test_evaluate_agrees_with_one_pass_over_all(problem):
    model, X, targets = problem
    scores = evaluate(model, Minibatches(X, targets, 7))
    with torch.no_grad():
        logits = model(X)
    assert scores["val_accuracy"] == (logits.argmax(1) == targets).sum().item() / 60
    loss = nn.functional.cross_entropy(logits, targets).item()
    assert scores["val_loss"] == pytest.approx(loss, rel=1e-5)


def test_evaluate_leaves_the_mode_as_it_was(problem):
    model, X, targets = problem
    model.train()
    evaluate(model, [(X, targets)])
    assert model.training


def test_history_gives_rows_and_columns():
    history = History([{"epoch": 1, "val_loss": 0.5}, {"epoch": 2, "val_loss": 0.25}])
    assert history[1] == {"epoch": 2, "val_loss": 0.25}
    assert history["val_loss"] == [0.5, 0.25]
