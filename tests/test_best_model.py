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


def test_best_model_keeps_the_lowest_loss():
    best, model = BestModel("val_loss"), constant_model()
    for value, val_loss in ((1.0, 0.5), (2.0, 0.3), (3.0, 0.4)):
        model.load_state_dict(constant_model(value).state_dict())
        assert best.update(model, {"val_loss": val_loss}) == (value < 3)
    best.restore(model)
    assert weight_of(model) == 2
    assert best.row == {"val_loss": 0.3}


def test_best_model_keeps_the_first_of_the_highest_accuracies():
    best, model = BestModel("val_accuracy"), constant_model()
    for value, val_accuracy in ((1.0, 0.5), (2.0, 0.75), (3.0, 0.75), (4.0, 0.25)):
        best.update(constant_model(value), {"val_accuracy": val_accuracy})
    best.restore(model)
    assert weight_of(model) == 2


def test_best_model_refuses_an_unknown_score():
    with pytest.raises(ValueError, match="'val_loss' or 'val_accuracy', got 'loss'"):
        BestModel("loss")


def test_best_model_has_nothing_to_restore_before_the_first_epoch():
    with pytest.raises(RuntimeError, match="no parameters were kept yet"):
        BestModel().restore(constant_model())
