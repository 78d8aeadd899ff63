import os
import random
import re

import numpy as np
import pytest
import torch

from labsupport.seeding import derive_seed, make_deterministic, make_generator, seed_everything


def test_make_generator_repeats_its_numbers():
    first, second = (torch.rand(5, generator=make_generator(7)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, torch.rand(5, generator=make_generator(8)))


def test_make_generator_takes_the_first_and_the_last_seed():
    assert [make_generator(seed).initial_seed() for seed in (0, 2**63 - 1)] == [0, 2**63 - 1]


def test_make_generator_takes_whole_numbers_of_numpy():
    assert make_generator(np.int64(7)).initial_seed() == 7


SEEDS = [-1, 1.5, "abc", "1", "", None, True, 2**63, 10**20, np.float64(1), np.nan]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("take", [make_generator, seed_everything])
def test_other_seeds_are_refused_by_name_and_value_before_anything_is_seeded(take, seed):
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    message = f"seed must be a whole number from 0 to 2**63 - 1, got {seed!r}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        take(seed)
    after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    assert after == before


def test_seed_everything_seeds_the_global_generators():
    draws = []
    for _ in range(2):
        generator = seed_everything(3)
        own = torch.rand(1, generator=generator).item()
        draws.append((random.random(), np.random.rand(), torch.rand(1).item(), own))
    assert draws[0] == draws[1]


def test_seed_everything_takes_whole_numbers_of_numpy():
    drawn = []
    for seed in (np.int64(3), 3):
        generator = seed_everything(seed)
        drawn.append((random.random(), np.random.rand(), torch.rand(1, generator=generator).item()))
    assert drawn[0] == drawn[1]


def test_seed_everything_takes_seeds_that_numpy_does_not():
    seed_everything(2**32 + 500)
    drawn = np.random.rand()
    np.random.seed(500)
    assert drawn == np.random.rand()


def test_make_deterministic_switches_off_what_was_on(monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    torch.set_deterministic_debug_mode("default")
    torch.utils.deterministic.fill_uninitialized_memory = True
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    make_deterministic()
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert torch.get_deterministic_debug_mode() == 2  # an error
    assert not torch.utils.deterministic.fill_uninitialized_memory
    assert not torch.backends.cudnn.benchmark
    assert not torch.backends.cuda.matmul.allow_tf32
    assert not torch.backends.cudnn.allow_tf32


def test_make_deterministic_keeps_a_workspace_that_the_user_chose(monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    make_deterministic()
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"


def test_seed_everything_makes_deterministic():
    torch.set_deterministic_debug_mode("default")
    seed_everything(0)
    assert torch.are_deterministic_algorithms_enabled()


def test_derived_seed_is_the_same_everywhere():
    assert derive_seed(0, "rates") == derive_seed(0, "rates", 0) == 3490243284336634447


def test_derived_seeds_differ_by_seed_experiment_and_run():
    seeds = {derive_seed(s, e, r) for s in (0, 1, 11) for e in ("a", "b") for r in (0, 1, 11)}
    assert len(seeds) == 18
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_derived_seed_refuses_what_is_no_seed():
    with pytest.raises(ValueError, match="seed must be"):
        derive_seed(-1, "rates")
