"""Make a chapter print the same digits on every run and on every device."""

import hashlib
import operator
import os
import random

import numpy as np
import torch

__all__ = ["derive_seed", "make_deterministic", "make_generator", "seed_everything"]


def make_generator(seed: int) -> torch.Generator:
    """Return a CPU generator seeded with `seed`.

    CPU and CUDA generators give different numbers for one seed. A chapter therefore draws on
    the CPU and moves the result, so that both devices work on the same data.

    Raises
    ------
    ValueError
        If the seed is not a whole number from 0 to 2**63 - 1.
    """
    return torch.Generator().manual_seed(_whole_number(seed))


def derive_seed(seed: int, experiment: str, run: int = 0) -> int:
    """Return a seed for one run of one experiment, so that a change of one moves no other.

    Parameters
    ----------
    seed : int
        The chapter's.
    experiment : str
        Its name.
    run : int
        Which of its repetitions.

    Returns
    -------
    int
        From 0 to 2**63 - 1; the same on every machine.

    Raises
    ------
    ValueError
        If the seed is not a whole number from 0 to 2**63 - 1.
    """
    text = f"{_whole_number(seed)}/{experiment}/{run}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> 1


def _whole_number(seed: object) -> int:
    """Return a seed, which may be one of NumPy's whole numbers, as one of Python's."""
    try:
        number = operator.index(seed)
    except TypeError:
        number = -1
    if isinstance(seed, bool) or not 0 <= number < 2**63:
        raise ValueError(f"seed must be a whole number from 0 to 2**63 - 1, got {seed!r}")
    return number


def make_deterministic() -> None:
    """Switch off what makes equal programs give unequal digits.

    TF32 rounds float32 products to 10 bits; cuDNN's benchmark picks another algorithm on
    another day; some CUDA kernels add in the order in which threads finish. cuBLAS reads its
    workspace setting once, when CUDA starts, so call this before the first CUDA operation.

    References
    ----------
    https://docs.pytorch.org/docs/stable/notes/randomness.html
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # use_deterministic_algorithms(True) does the same, but takes seconds to import the compiler
    torch.set_deterministic_debug_mode("error")
    torch.utils.deterministic.fill_uninitialized_memory = False  # it costs a pass over memory
    torch.backends.cudnn.benchmark = False
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def seed_everything(seed: int) -> torch.Generator:
    """Make the process deterministic, seed all global generators, return one for the chapter.

    The global generators of Python, NumPy and PyTorch are seeded for the libraries that know
    no other; the chapter's own draws come from the generator that is returned.

    Raises
    ------
    ValueError
        If the seed is not a whole number from 0 to 2**63 - 1; nothing is seeded then.
    """
    seed = _whole_number(seed)
    make_deterministic()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    return make_generator(seed)
