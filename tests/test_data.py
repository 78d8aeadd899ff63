import pytest
import torch

from labsupport.data import Minibatches
from labsupport.seeding import make_generator

X = torch.arange(20.0).reshape(10, 2)
y = torch.arange(10)


def test_minibatches_keep_order_without_generator():
    batches = list(Minibatches(X, y, 4))
    assert [len(targets) for _, targets in batches] == [4, 4, 2]
    assert torch.equal(torch.cat([X_batch for X_batch, _ in batches]), X)
    assert len(Minibatches(X, y, 4)) == 3


def test_minibatches_shuffle_each_sample_once_and_anew():
    batches = Minibatches(X, y, 3, generator=make_generator(0))
    first, second = (torch.cat([targets for _, targets in batches]) for _ in range(2))
    assert torch.equal(first.sort().values, y)
    assert not torch.equal(first, y)
    assert not torch.equal(first, second)


def test_minibatches_keep_samples_and_targets_together():
    for X_batch, targets in Minibatches(X, y, 4, generator=make_generator(0)):
        assert torch.equal(X_batch[:, 0], 2.0 * targets)


def test_minibatches_repeat_with_the_seed():
    first, second = (
        torch.cat([targets for _, targets in Minibatches(X, y, 4, generator=make_generator(5))])
        for _ in range(2)
    )
    assert torch.equal(first, second)


@pytest.mark.parametrize(
    ("X", "y", "batch_size", "message"),
    [
        (X, y[:-1], 4, "same length, got 10 and 9"),
        (X[:0], y[:0], 4, "no samples"),
        (X, y, 0, "at least 1, got 0"),
    ],
)
def test_minibatches_refuse_bad_arguments(X, y, batch_size, message):
    with pytest.raises(ValueError, match=message):
        Minibatches(X, y, batch_size)
