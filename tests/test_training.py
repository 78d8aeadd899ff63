import json
import os
import pty
import subprocess
import sys
import termios

import pytest
import torch
from jupyter_client.manager import start_new_kernel
from torch import nn

from labsupport import training
from labsupport.best_model import BestModel
from labsupport.data import Minibatches
from labsupport.seeding import make_generator
from labsupport.training import History, evaluate, fit, predict, show_progress, stack_runs


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
    assert list(history[0]) == ["epoch", "train_loss", "elapsed_s", "val_loss", "val_accuracy"]
    assert history["epoch"] == list(range(1, 21))
    assert history["train_loss"][-1] < history["train_loss"][0]
    assert history[-1]["val_accuracy"] > 0.95
    assert json.loads(json.dumps(history)) == history


def test_fit_takes_the_steps_of_gradient_descent():
    X, targets = torch.tensor([[1.0]]), torch.tensor([[3.0]])
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.25)
    fit(model, [(X, targets)], optimizer=optimizer, num_epochs=3, loss_fn=nn.functional.mse_loss)
    assert model.weight.item() == 3 * (1 - 0.5**3)  # the distance to 3 is halved by each step


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


def evaluate_all(model, X, targets, logits):
    """Hold both scores against those of logits that are right."""
    scores = evaluate(model, [(X, targets)])
    loss = nn.functional.cross_entropy(logits, targets).item()
    assert scores["val_loss"] == pytest.approx(loss, rel=1e-6)
    assert scores["val_accuracy"] == (logits.argmax(dim=1) == targets).double().mean().item()


def predict_all(model, X, targets, logits):
    """Hold the classes against those of logits that are right."""
    assert predict(model, X).equal(logits.argmax(dim=1))


@pytest.mark.parametrize("is_training", [True, False])
@pytest.mark.parametrize("look_at", [evaluate_all, predict_all])
def test_looking_at_a_model_uses_evaluation_mode_and_changes_nothing(look_at, is_training):
    X, targets = torch.randn(40, 5, generator=make_generator(0)), torch.arange(40) % 2
    torch.manual_seed(0)
    model = nn.Sequential(nn.BatchNorm1d(5), nn.Dropout(0.9), nn.Linear(5, 2))
    with torch.no_grad():
        expected = model.eval()(3 * X + 1)
    model.train(is_training)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    look_at(model, 3 * X + 1, targets, expected)
    assert [part.training for part in model.modules()] == [is_training] * 4
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())


def test_history_gives_rows_and_columns():
    history = History([{"epoch": 1, "val_loss": 0.5}, {"epoch": 2, "val_loss": 0.25}])
    assert history[1] == {"epoch": 2, "val_loss": 0.25}
    assert history["val_loss"] == [0.5, 0.25]


@pytest.fixture
def binary_problem(problem):
    """The same classes for a model with a single logit, targets as a column."""
    _, X, targets = problem
    return nn.Linear(3, 1), X, targets[:, None].float()


def test_evaluate_scores_a_single_logit_by_its_sign(binary_problem):
    model, X, targets = binary_problem
    loss_fn = nn.functional.binary_cross_entropy_with_logits
    scores = evaluate(model, Minibatches(X, targets, 7), loss_fn=loss_fn)
    with torch.no_grad():
        logits = model(X)
    assert scores["val_accuracy"] == ((logits > 0) == (targets == 1)).sum().item() / 60
    assert scores["val_loss"] == pytest.approx(loss_fn(logits, targets).item(), rel=1e-5)


def test_predict_gives_the_classes_that_evaluate_counts(problem, binary_problem):
    for model, X, targets in (problem, binary_problem):
        classes = predict(model, X)
        assert classes.shape == (60,)
        assert classes.dtype == torch.int64
        num_right = (classes == targets.flatten()).sum().item()
        loss_fn = nn.functional.mse_loss if targets.ndim == 2 else nn.functional.cross_entropy
        assert num_right / 60 == evaluate(model, [(X, targets)], loss_fn=loss_fn)["val_accuracy"]


def test_predict_takes_a_logit_of_zero_for_class_zero():
    model = nn.Linear(3, 1, bias=False)
    nn.init.zeros_(model.weight)
    assert predict(model, torch.ones(2, 3)).tolist() == [0, 0]


def test_evaluate_and_predict_record_no_graph(problem):
    class Witness(nn.Linear):
        def forward(self, X):
            records_graph.append(torch.is_grad_enabled())
            return super().forward(X)

    _, X, targets = problem
    model, records_graph = Witness(3, 2), []
    predict(model, X)
    evaluate(model, [(X, targets)])
    assert records_graph == [False, False]


def test_fit_validates_with_the_loss_that_it_trains(problem):
    model, X, targets = problem
    loss_fn = nn.functional.multi_margin_loss
    expected = evaluate(model, [(X, targets)], loss_fn=loss_fn)["val_loss"]
    options = {"optimizer": torch.optim.SGD(model.parameters(), lr=0.0), "loss_fn": loss_fn}
    (row,) = fit(model, [(X, targets)], num_epochs=1, val_batches=[(X, targets)], **options)
    assert row["val_loss"] == expected


def test_fit_keeps_the_best_epoch(problem):
    model, X, targets = problem
    best = BestModel("val_loss")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, maximize=True)  # best is the first
    options = {"optimizer": optimizer, "val_batches": [(X, targets)], "best": best}
    history = fit(model, [(X, targets)], num_epochs=3, **options)
    assert history["val_loss"] == sorted(history["val_loss"])
    assert best.row == history[0]
    best.restore(model)
    assert evaluate(model, [(X, targets)])["val_loss"] == history[0]["val_loss"]


def test_fit_refuses_to_choose_the_best_epoch_by_nothing(problem):
    model, X, targets = problem
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ValueError, match="best needs val_batches"):
        fit(model, [(X, targets)], optimizer=optimizer, num_epochs=1, best=BestModel())


LONG_TRAINING = """
import time
import torch
from labsupport import training
training.PATIENCE_S = 0.0
print("before")
model = torch.nn.Linear(1, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
batches = [(torch.ones(1, 1), torch.ones(1, 1))]
def loss_fn(y_hat, y):
    time.sleep(0.02)
    return (y_hat - y).square().mean()
history = training.fit(model, batches, optimizer=optimizer, num_epochs=30, loss_fn=loss_fn)
"""


def test_progress_is_shown_after_two_seconds(monkeypatch):
    monkeypatch.setattr(training, "_someone_watches", lambda: True)
    with show_progress(range(3)) as epochs:
        assert epochs.delay == 2


@pytest.fixture(scope="module")
def client():
    """Start a kernel."""
    manager, client = start_new_kernel()
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.mark.parametrize("someone_watches", [False, True])
def test_progress_is_shown_in_a_notebook_only_if_someone_watches(client, someone_watches):
    messages = []
    # a front end lets a cell ask questions, papermill and nbval do not
    client.execute_interactive(
        LONG_TRAINING, allow_stdin=someone_watches, output_hook=messages.append
    )
    streams = {"stdout": "", "stderr": ""}
    for message in messages:
        if message["msg_type"] == "stream":
            streams[message["content"]["name"]] += message["content"]["text"]
    assert streams["stdout"] == "before\n"
    assert ("/30" in streams["stderr"]) == someone_watches
    assert "".join(streams["stderr"].rsplit("\r", 2)[1:]).strip() == ""  # wiped at the end


@pytest.fixture(scope="module")
def trained():
    """Train in a process whose errors go to a terminal, then again with errors into a pipe."""
    again = f"import os, sys\nos.dup2(int(sys.argv[1]), 2)\n{LONG_TRAINING}"
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (24, 80))
    reading, writing = os.pipe()
    command = [sys.executable, "-c", f"{LONG_TRAINING}\n{again}", str(writing)]
    pipes = {"stdout": subprocess.PIPE, "stderr": follower, "pass_fds": [writing]}
    ran = subprocess.run(command, text=True, check=True, **pipes)
    os.close(writing)
    os.close(follower)
    with open(leader, "rb", buffering=0) as terminal, open(reading, "rb") as pipe:
        yield ran.stdout, terminal, pipe


def test_progress_is_shown_in_a_terminal_and_wiped_at_the_end(trained):
    _, terminal, _ = trained
    shown = terminal.read(65536)
    assert b"/30" in shown
    assert b"epoch/s" in shown
    assert shown.rsplit(b"\r", 2)[-2].strip() == b""


def test_progress_is_not_written_into_a_pipe(trained):
    printed, _, pipe = trained
    assert printed == "before\n" * 2
    assert pipe.read() == b""


def test_stack_runs_puts_the_runs_on_a_new_first_axis():
    runs = [(torch.full((2, 3), k), torch.full((4,), -k)) for k in (1.0, 2.0, 3.0)]
    first, second = stack_runs(iter(runs))
    assert first.shape == (3, 2, 3)
    assert second.shape == (3, 4)
    assert all(
        torch.equal(first[k], a) and torch.equal(second[k], b) for k, (a, b) in enumerate(runs)
    )


def test_stack_runs_refuses_a_run_that_lacks_a_tensor():
    with pytest.raises(ValueError, match="zip\\(\\) argument 2 is shorter"):
        stack_runs([(torch.ones(2), torch.ones(3)), (torch.ones(2),)])
