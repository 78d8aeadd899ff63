"""A fake GPU: it lives in the memory of the CPU, refuses what a GPU refuses, rounds otherwise.

To compute with tensors of the CPU is refused, to draw from a generator of the CPU, and to become a
NumPy array. Files remember that its tensors were there, and `torch.load` puts them there again,
unless `map_location` says otherwise.
"""

from collections.abc import Callable
from contextvars import ContextVar

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map_only

# Autograd has no queue for a CUDA device that is not there; for this one it takes the CPU's.
FAKE_GPU = torch.device("lazy")
aten = torch.ops.aten
_load = torch.load
_puts_back: ContextVar[bool] = ContextVar("whether a file's tensors go to the fake GPU")


class FakeGPUTensor(Tensor):
    """A tensor on the fake GPU; `inner` holds its numbers."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner: Tensor):
        """Make a tensor of the same shape that has no memory."""
        return Tensor._make_wrapper_subclass(
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=FAKE_GPU,
        )

    def __init__(self, inner: Tensor):
        self.inner = inner

    @classmethod
    def __torch_dispatch__(cls, operator, types, args=(), kwargs=None):
        return _run(operator, args, kwargs or {})

    # what PyTorch would do without asking the operators, or denies to subclasses

    @property
    def data(self) -> Tensor:
        """The tensor without its history."""
        return FakeGPUTensor(self.inner)

    @data.setter
    def data(self, value: Tensor) -> None:
        self.inner = value.inner

    def __getitem__(self, index):
        return super().__getitem__(_lists_as_tensors(index))

    def __setitem__(self, index, values):
        super().__setitem__(_lists_as_tensors(index), values)

    def new_tensor(self, data, **options) -> Tensor:
        """Return a tensor of the same type on the fake GPU."""
        return torch.tensor(data, **{"dtype": self.dtype} | options).to(FAKE_GPU)

    def __reduce_ex__(self, protocol):
        """Go into a file as the numbers and a mark; `torch.load` without the mode knows none."""
        return _from_file, (self.inner.detach(),)

    def __repr__(self) -> str:
        return f"{repr(self.inner)[:-1]}, device='cuda:0')"

    def __format__(self, spec: str) -> str:
        return format(self.inner.detach(), spec)

    def tolist(self) -> list:
        """Return the numbers as nested lists."""
        return self.inner.tolist()

    def data_ptr(self) -> int:
        """Return the address of the first number."""
        return self.inner.data_ptr()

    def untyped_storage(self) -> torch.UntypedStorage:
        """Return the memory behind the tensor and its views."""
        return self.inner.untyped_storage()


def _from_file(inner: Tensor) -> Tensor:
    """Return a tensor that a file has marked as one of the fake GPU."""
    return FakeGPUTensor(inner) if _puts_back.get() else inner


def _load_marked(*args, map_location=None, **options):
    """Do what `torch.load` does where there is a GPU."""
    onto_fake = isinstance(map_location, str | torch.device) and (
        torch.device(map_location) == FAKE_GPU
    )
    here = _puts_back.set(map_location is None)
    try:
        with torch.serialization.safe_globals([_from_file]):
            loaded = _load(*args, map_location="cpu" if onto_fake else map_location, **options)
    finally:
        _puts_back.reset(here)
    return tree_map_only(Tensor, FakeGPUTensor, loaded) if onto_fake else loaded


def _lists_as_tensors(index):
    """Return an index of which the lists, which would get lost on the way, are tensors."""
    parts = index if isinstance(index, tuple) else (index,)
    return tuple(torch.tensor(part) if isinstance(part, list | range) else part for part in parts)


class FakeGPU(TorchDispatchMode):
    """Where this is active, tensors can be made on and moved to `FAKE_GPU`."""

    def __enter__(self):
        self._constructors = _Constructors().__enter__()
        torch.load = _load_marked
        # Module.to would write through .data, which cannot change a dtype here.
        torch.__future__.set_swap_module_params_on_conversion(True)
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        torch.load = _load
        torch.__future__.set_swap_module_params_on_conversion(False)
        self._constructors.__exit__(*error)

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        return _run(operator, args, kwargs or {})


class _Constructors(TorchFunctionMode):
    """`torch.tensor` and its like make a tensor without telling the operators where."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        makes = function in (torch.tensor, torch.as_tensor) and kwargs.get("device") is not None
        if not makes or torch.device(kwargs["device"]) != FAKE_GPU:
            return function(*args, **kwargs)
        learns = kwargs.pop("requires_grad", False)
        return function(*args, **kwargs | {"device": "cpu"}).to(FAKE_GPU).requires_grad_(learns)


def _run(operator: Callable, args: tuple, kwargs: dict):
    """Run an operator as the device of its tensors would."""
    device = kwargs.get("device")
    onto_fake = device is not None and torch.device(device) == FAKE_GPU
    leaves = tree_leaves((args, kwargs))
    fakes = [leaf for leaf in leaves if isinstance(leaf, FakeGPUTensor)]
    if not fakes and not onto_fake:
        return operator(*args, **kwargs)
    _refuse(operator, leaves, args)
    inner_args, inner_kwargs = tree_map_only(FakeGPUTensor, lambda t: t.inner, (args, kwargs))
    if onto_fake:
        inner_kwargs = inner_kwargs | {"device": torch.device("cpu")}
    if operator is aten.copy_.default and not isinstance(args[0], FakeGPUTensor):
        operator(*inner_args, **inner_kwargs)
        return args[0]
    result = _round_otherwise(operator, inner_args, inner_kwargs)
    if device is not None and not onto_fake:
        return result
    if operator is aten._to_copy.default and result is inner_args[0]:
        result = result.clone()
    result = tree_map_only(Tensor, FakeGPUTensor, result)
    return return_and_correct_aliasing(operator, args, kwargs, result) if fakes else result


def _refuse(operator: Callable, leaves: list, args: tuple) -> None:
    """Raise what a GPU would raise."""
    if any(isinstance(leaf, torch.Generator) for leaf in leaves):
        raise RuntimeError(f"{operator}: a generator of the CPU cannot draw on the GPU")
    if operator in (aten._to_copy.default, aten.copy_.default):
        return
    if operator in (aten.index.Tensor, aten.index_put.default, aten.index_put_.default):
        leaves = [args[0], *args[2:3]]  # the indices may be on the CPU
    here = [t for t in leaves if isinstance(t, Tensor) and not isinstance(t, FakeGPUTensor)]
    assert all(tensor.device != FAKE_GPU for tensor in here), f"{operator}: numbers got lost"
    if any(tensor.dim() > 0 for tensor in here):
        raise RuntimeError(f"{operator}: tensors of the CPU and the GPU cannot be mixed")


def _all_dims(x: Tensor) -> tuple[int, ...]:
    return tuple(range(x.dim()))


# Sums and products over the same numbers, last one first
REVERSED = {
    aten.sum.default: lambda x: (x.flip(_all_dims(x)),),
    aten.sum.dim_IntList: lambda x, dims, *rest: (x.flip(dims or _all_dims(x)), dims, *rest),
    aten.mean.default: lambda x: (x.flip(_all_dims(x)),),
    aten.mean.dim: lambda x, dims, *rest: (x.flip(dims or _all_dims(x)), dims, *rest),
    aten.dot.default: lambda x, y: (x.flip(0), y.flip(0)),
    aten.mv.default: lambda A, x: (A.flip(1), x.flip(0)),
    aten.mm.default: lambda A, B: (A.flip(1), B.flip(0)),
    aten.addmm.default: lambda C, A, B: (C, A.flip(1), B.flip(0)),
    aten.bmm.default: lambda A, B: (A.flip(2), B.flip(1)),
}
# Functions of which each library has its own; to compute in float64 is one more way
IN_DOUBLE = {
    aten.exp.default,
    aten.log.default,
    aten.tanh.default,
    aten.softplus.default,
    aten.logsumexp.default,
    aten._softmax.default,
    aten._log_softmax.default,
    aten.convolution.default,
    aten.convolution_backward.default,
}


def _round_otherwise(operator: Callable, args: tuple, kwargs: dict):
    """Compute the same as the CPU, with other rounding errors."""
    if operator in REVERSED:
        return operator(*REVERSED[operator](*args), **kwargs)
    if operator is aten.sigmoid.default and args[0].dtype == torch.float32:
        return 1 / (1 + args[0].double().neg().exp().float())  # overflows where it does on a GPU
    if operator in IN_DOUBLE and args[0].dtype == torch.float32:
        result = operator(*tree_map_only(Tensor, Tensor.double, args), **kwargs)
        return tree_map_only(Tensor, Tensor.float, result)
    return operator(*args, **kwargs)
