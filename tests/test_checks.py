import pytest
import torch

from labsupport.checks import below


def test_below_prints_the_bound():
    assert below(3e-15, 1e-14) == "below 1e-14"
    assert below(torch.tensor(0.0), 1e-4) == "below 1e-04"


@pytest.mark.parametrize("error", [1e-14, 2.0, float("nan"), float("inf"), -1e-20])
def test_below_refuses_errors_that_are_not(error):
    with pytest.raises(AssertionError, match=r"the error is .* not below 1e-14"):
        below(error, 1e-14)
