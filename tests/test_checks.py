import pytest
import torch

from labsupport.checks import attempt, below, gradcheck_by_hand
from labsupport.seeding import make_generator


def test_below_prints_the_bound():
    assert below(3e-15, 1e-14) == "below 1e-14"
    assert below(torch.tensor(0.0), 1e-4) == "below 1e-04"


def test_below_compares_in_double_precision():
    almost = torch.tensor(1e-14)  # 9.9999998e-15, which float32 does not tell from the bound
    assert below(almost, 1e-14) == "below 1e-14"


@pytest.mark.parametrize("error", [1e-14, 2.0, float("nan"), float("inf"), -1e-20])
def test_below_refuses_errors_that_are_not(error):
    with pytest.raises(AssertionError, match=r"the error is .* not below 1e-14"):
        below(error, 1e-14)


class Scaled:
    """X times a scale, with a backward that may be wrong."""

    def __init__(self, scale, *, fault=1.0):
        self.scale, self.fault = scale, fault

    def forward(self, X):
        self.X = X
        return X * self.scale

    def backward(self, grad_output):
        self.gradients = [(grad_output * self.X).sum()]
        return self.fault * grad_output * self.scale


def test_gradcheck_by_hand_passes_a_right_backward():
    X, scale = torch.randn(3, 2, generator=make_generator(0)).double(), torch.tensor(1.5).double()
    assert gradcheck_by_hand(Scaled, X, scale)
    assert X.requires_grad is False


@pytest.mark.parametrize("fault", [-1.0, 1.00001])
def test_gradcheck_by_hand_sees_a_wrong_gradient_by_the_input(fault):
    X, scale = torch.randn(3, 2, generator=make_generator(0)).double(), torch.tensor(1.5).double()
    assert not gradcheck_by_hand(lambda scale: Scaled(scale, fault=fault), X, scale)


def test_gradcheck_by_hand_sees_a_wrong_gradient_that_is_small():
    X, scale = torch.randn(3, 2, generator=make_generator(0)).double(), torch.tensor(1e-5).double()
    assert not gradcheck_by_hand(lambda scale: Scaled(scale, fault=1.1), X, scale)


def test_gradcheck_by_hand_sees_a_wrong_gradient_by_a_parameter():
    class Faulty(Scaled):
        def backward(self, grad_output):
            grad_input = super().backward(grad_output)
            self.gradients = [2 * self.gradients[0]]
            return grad_input

    X, scale = torch.randn(3, 2, generator=make_generator(0)).double(), torch.tensor(1.5).double()
    assert not gradcheck_by_hand(Faulty, X, scale)


def test_attempt_names_the_error_of_a_call():
    assert attempt(int, "ten") == "ValueError"
    assert attempt(lambda: {}["ten"]) == "KeyError"


def test_attempt_says_that_there_is_no_error():
    assert attempt(int, "10") == "no error"


def test_attempt_passes_arguments_and_options_on():
    calls = []
    attempt(lambda *args, **options: calls.append((args, options)), 1, 2, base=3)
    assert calls == [((1, 2), {"base": 3})]


def test_attempt_lets_an_interrupt_through():
    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attempt(interrupt)
