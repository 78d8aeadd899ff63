import pytest
from torch import nn

from labsupport.best_model import BestModel


def constant_model(value=0.0):
    """Return a layer whose only weight is `value`."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, value)
    return model


def weight_of(model):
    return model.weight.item()


@pytest.mark.parametrize(
    ("monitor", "scores", "kept_epoch"),
    [
        ("val_loss", [0.5, 0.3, 0.4], 2),
        ("val_loss", [0.5, 0.3, 0.3], 2),
        ("val_loss", [float("inf"), float("inf"), 0.3], 3),
        ("val_loss", [float("nan"), 0.5, float("nan")], 2),
        ("val_accuracy", [0.5, 0.75, 0.25], 2),
        ("val_accuracy", [0.75, 0.75, 0.75], 1),
        ("val_accuracy", [float("nan"), 0.25, float("nan")], 2),
    ],
)
def test_best_model_keeps_the_first_of_the_best_epochs(monitor, scores, kept_epoch):
    best, model = BestModel(monitor), constant_model()
    other = "val_accuracy" if monitor == "val_loss" else "val_loss"
    for epoch, score in enumerate(scores, start=1):
        model.load_state_dict(constant_model(float(epoch)).state_dict())
        is_kept = best.update(model, {"epoch": epoch, monitor: score, other: 0.5})
        assert is_kept == (best.row is not None and best.row["epoch"] == epoch)
    best.restore(model)
    assert weight_of(model) == best.row["epoch"] == kept_epoch


def test_best_model_refuses_an_unknown_score():
    with pytest.raises(ValueError, match="'val_loss' or 'val_accuracy', got 'loss'"):
        BestModel("loss")


@pytest.mark.parametrize("scores", [[], [float("nan")] * 2])
def test_best_model_has_nothing_to_restore_without_a_score(scores):
    best = BestModel()
    for val_loss in scores:
        best.update(constant_model(), {"val_loss": val_loss})
    assert best.row is None
    with pytest.raises(RuntimeError, match="no parameters were kept yet"):
        best.restore(constant_model())
