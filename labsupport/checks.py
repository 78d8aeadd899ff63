"""Check that errors are small, that a backward is right, how a call ends; say so in few words."""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["attempt", "below", "gradcheck_by_hand"]


def attempt(function: Callable, *args: object, **options: object) -> str:
    """Call a function that may fail, and return the type of its error or "no error".

    Parameters
    ----------
    function : callable
        What it returns is dropped, and the message of its error.
    args, options
        Its arguments.

    Examples
    --------
    >>> attempt(int, "ten")
    'ValueError'
    >>> attempt(int, "ten", base=36)
    'no error'
    """
    try:
        function(*args, **options)
    except Exception as error:
        return type(error).__name__
    return "no error"


def below(error: float, bound: float) -> str:
    """Return "below BOUND" after making sure that it is true.

    An error that comes from rounding has no digit that is the same on two devices, so a page
    prints the bound and not the error.

    Parameters
    ----------
    error : float
        As a magnitude, not negative.
    bound : float
        A power of ten, such as 1e-12.

    Raises
    ------
    AssertionError
        If the error is not below the bound; nan is not.

    Examples
    --------
    >>> print(f"largest error: {below(3e-15, 1e-14)}")
    largest error: below 1e-14
    """
    error = float(error)
    assert 0 <= error < bound, f"the error is {error:.3g}, not below {bound:.0e}"
    return f"below {bound:.0e}"


def gradcheck_by_hand(make_operator: Callable, *inputs: Tensor) -> bool:
    """Tell whether an operator's own backward agrees with differences of its forward.

    Parameters
    ----------
    make_operator : callable
        Takes the parameters and returns an operator: its `forward` takes X, its `backward` takes
        the gradient by the output, returns that by X, and leaves those by the parameters in
        `gradients`, in their order.
    inputs : X, then the parameters, each a Tensor of any shape, float64

    References
    ----------
    `torch.autograd.gradcheck`, which is handed this backward in place of autograd's.
    """
    leaves = [tensor.detach().requires_grad_() for tensor in inputs]
    return torch.autograd.gradcheck(
        lambda *tensors: _ByHand.apply(make_operator, *tensors),
        leaves,
        atol=1e-8,
        rtol=1e-6,
        raise_exception=False,
    )


class _ByHand(torch.autograd.Function):
    """Let autograd call the backward of an operator."""

    @staticmethod
    def forward(ctx, make_operator, X, *parameters):
        """Build the operator and run it forward."""
        ctx.operator = make_operator(*parameters)
        return ctx.operator.forward(X)

    @staticmethod
    def backward(ctx, grad_output):
        """Return its gradients; `make_operator` has none."""
        grad_input = ctx.operator.backward(grad_output)
        return None, grad_input, *ctx.operator.gradients
