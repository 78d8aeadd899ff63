import random

import numpy as np
import pytest
import torch

from labsupport.seeding import make_generator, seed_everything


def test_make_generator_repeats_its_numbers():
    first, second = (torch.rand(5, generator=make_generator(7)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, torch.rand(5, generator=make_generator(8)))


@pytest.mark.parametrize("seed", [-1, 1.5, "1", None, True, 2**63])
def test_make_generator_refuses_other_seeds(seed):
    with pytest.raises(ValueError, match="seed must be a whole number"):
        make_generator(seed)


def test_seed_everything_seeds_the_global_generators():
    draws = []
    for _ in range(2):
        generator = seed_everything(3)
        own = torch.rand(1, generator=generator).item()
        draws.append((random.random(), np.random.rand(), torch.rand(1).item(), own))
    assert draws[0] == draws[1]


def test_seed_everything_asks_for_deterministic_algorithms():
    torch.set_deterministic_debug_mode("default")
    seed_everything(0)
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cuda.matmul.allow_tf32
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cudnn.benchmark
