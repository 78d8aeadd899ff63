import os

import pytest
import torch

from labsupport import fashion_mnist
from labsupport.archives import DataUnavailableError
from labsupport.fashion_mnist import load_fashion_mnist


def test_without_data_digits_stand_in_and_say_so(packed, capsys):
    data = load_fashion_mnist()
    assert "could not be downloaded" in data.stand_in
    assert "LABS_FASHION_MNIST" in data.stand_in
    assert data.X_train.shape == (1437, 28, 28)
    assert data.X_test.shape == (360, 28, 28)
    assert data.X_train.dtype == torch.uint8
    assert data.X_train.max() == 255
    assert data.y_train.unique().tolist() == list(range(10))
    assert data.class_names == tuple(f"digit {digit}" for digit in range(10))
    assert "Markdown" in capsys.readouterr().out  # what display prints outside a notebook


def test_stand_in_is_marked_for_the_commands(packed, monkeypatch):
    shown = []
    monkeypatch.setattr(fashion_mnist, "display", lambda *_, metadata: shown.append(metadata))
    data = load_fashion_mnist()
    assert shown == [{"labs": {"stand_in": data.stand_in}}]


def test_required_data_does_not_stand_in(packed, monkeypatch):
    monkeypatch.setenv("LABS_REQUIRE_DATA", "1")
    with pytest.raises(DataUnavailableError, match="Connect to the network, or set"):
        load_fashion_mnist()


@pytest.mark.skipif(
    not os.environ.get("LABS_FASHION_MNIST"),
    reason="LABS_FASHION_MNIST names no folder with the original archives",
)
def test_original_archives_hold_seventy_thousand_balanced_images():
    data = load_fashion_mnist()
    assert data.X_train.shape == (60_000, 28, 28)
    assert data.y_train.bincount().tolist() == [6000] * 10
    assert data.y_test.bincount().tolist() == [1000] * 10
