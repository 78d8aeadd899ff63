import math

import pytest
import torch

from labsupport.data import (
    Minibatches,
    append_ones,
    make_linear_data,
    make_moons,
)
from labsupport.seeding import make_generator

WEIGHT, BIAS = [2.0, -3.4], 4.2


def linear_data(seed=0, **options):
    defaults = {"num_samples": 1000, "noise_std": 0.01, "dtype": torch.float64}
    return make_linear_data(WEIGHT, BIAS, generator=make_generator(seed), **(defaults | options))


def test_linear_data_have_a_column_of_targets():
    X, y = linear_data(num_samples=7, dtype=torch.float32)
    assert X.shape == (7, 2)
    assert y.shape == (7, 1)
    assert X.dtype == y.dtype == torch.float32


def test_linear_data_without_noise_return_the_parameters():
    X, y = linear_data(num_samples=3, noise_std=0)
    design = torch.cat([X, torch.ones(3, 1)], dim=1)
    solution = torch.linalg.solve(design, y).squeeze(1)
    torch.testing.assert_close(solution, torch.tensor([*WEIGHT, BIAS], dtype=torch.float64))


def test_linear_data_have_the_moments_asked_for():
    num_samples, noise_std = 200_000, 0.5
    X, y = linear_data(num_samples=num_samples, noise_std=noise_std)
    noise = (y - X @ torch.tensor(WEIGHT, dtype=torch.float64)[:, None] - BIAS).squeeze(1)
    columns = torch.stack([*X.T, noise / noise_std])
    standard_error = 1 / math.sqrt(num_samples)
    assert columns.mean(dim=1).abs().max() < 5 * standard_error
    # the same bound holds for a variance and, off the diagonal, for a correlation
    assert (columns.cov() - torch.eye(3)).abs().max() < 5 * math.sqrt(2) * standard_error


def test_linear_data_repeat_with_the_seed_in_every_dtype():
    X, y = linear_data(seed=1)
    again = linear_data(seed=1)
    single = linear_data(seed=1, dtype=torch.float32)
    other, _ = linear_data(seed=2)
    assert torch.equal(X, again[0])
    assert torch.equal(y, again[1])
    assert torch.equal(X.float(), single[0])
    assert torch.equal(y.float(), single[1])
    assert not torch.equal(X, other)


@pytest.mark.parametrize(
    ("weight", "options", "message"),
    [
        (WEIGHT, {"num_samples": 0}, "num_samples must be at least 1, got 0"),
        (WEIGHT, {"noise_std": -0.1}, "noise_std must be 0 or .* above it, got -0.1"),
        (WEIGHT, {"noise_std": math.nan}, "noise_std must be 0 or .* above it, got nan"),
        (WEIGHT, {"noise_std": math.inf}, "noise_std must be 0 or .* above it, got inf"),
        ([], {}, r"shape \(num_features,\), got \(0,\)"),
        ([WEIGHT], {}, r"shape \(num_features,\), got \(1, 2\)"),
    ],
)
def test_linear_data_refuse_bad_arguments(weight, options, message):
    arguments = {"num_samples": 10, "noise_std": 0.01, "generator": make_generator(0)} | options
    with pytest.raises(ValueError, match=message):
        make_linear_data(weight, BIAS, **arguments)


def test_append_ones_turns_the_bias_into_a_weight():
    X, y = linear_data(noise_std=0)
    extended = append_ones(X.expand(2, *X.shape))
    assert extended.dtype == torch.float64
    parameters = torch.tensor([*WEIGHT, BIAS], dtype=torch.float64)
    torch.testing.assert_close(extended @ parameters, y.T.expand(2, -1))


X = torch.arange(20.0).reshape(10, 2)
y = torch.arange(10)


def test_minibatches_keep_order_without_generator():
    batches = list(Minibatches(X, y, 4))
    assert [len(targets) for _, targets in batches] == [4, 4, 2]
    assert torch.equal(torch.cat([X_batch for X_batch, _ in batches]), X)
    assert len(Minibatches(X, y, 4)) == 3
    assert len(list(Minibatches(X, y, 1))) == len(X)


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


def moons(seed=0, **options):
    defaults = {"num_samples": 1000, "noise_std": 0.2, "dtype": torch.float64}
    return make_moons(generator=make_generator(seed), **(defaults | options))


def sorted_rows(X, y):
    """Return the samples with their class, in an order that no shuffle changes."""
    return torch.tensor(sorted(torch.cat([X, y], dim=1).tolist()), dtype=torch.float64)


@pytest.mark.parametrize("num_samples", [2, 7, 1000])
def test_moons_without_noise_are_those_of_scikit_learn(num_samples):
    from sklearn import datasets

    X, y = moons(num_samples=num_samples, noise_std=0)
    reference, classes = datasets.make_moons(num_samples, noise=None, shuffle=False)
    expected = sorted_rows(torch.from_numpy(reference), torch.from_numpy(classes)[:, None])
    torch.testing.assert_close(sorted_rows(X, y), expected, rtol=0, atol=1e-12)


def test_moons_are_a_shuffled_column_of_half_zeros_half_ones():
    X, y = moons(dtype=torch.float32)
    assert X.shape == (1000, 2)
    assert y.shape == (1000, 1)
    assert X.dtype == y.dtype == torch.float32
    assert y.sum() == 500
    assert 200 < y[:500].sum() < 300  # 250 with a standard error of 8 if shuffled; 0 or 500 if not


def test_moons_scatter_around_their_arcs_with_the_noise_asked_for():
    num_samples, noise_std = 200_000, 0.3
    X, y = moons(num_samples=num_samples, noise_std=noise_std)
    centre = torch.where(y == 1, torch.tensor([1.0, 0.5]), torch.zeros(2))
    # a half circle has the mean 2/π and the second moment 1/2 along its axis
    height = torch.where(y[:, 0] == 1, centre[:, 1] - X[:, 1], X[:, 1])
    assert height.mean().item() == pytest.approx(2 / math.pi, abs=5e-3)
    assert (height**2).mean().item() == pytest.approx(0.5 + noise_std**2, abs=1e-2)
    sideways = X[:, 0] - centre[:, 0].double()
    assert (sideways**2).mean().item() == pytest.approx(0.5 + noise_std**2, abs=1e-2)


def test_moons_repeat_with_the_seed_in_every_dtype():
    X, _ = moons(seed=1)
    single, _ = moons(seed=1, dtype=torch.float32)
    assert torch.equal(X, moons(seed=1)[0])
    assert torch.equal(X.float(), single)
    assert not torch.equal(X, moons(seed=2)[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_samples": 1}, "num_samples must be at least 2, one for each class, got 1"),
        ({"noise_std": -0.1}, "noise_std must be 0 or a finite number above it, got -0.1"),
        ({"noise_std": math.nan}, "noise_std .* got nan"),
    ],
)
def test_moons_refuse_what_cannot_be_drawn(options, message):
    with pytest.raises(ValueError, match=message):
        moons(**options)
