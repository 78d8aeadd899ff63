import pytest
import torch

from labsupport.device import choose_device, describe_device, synchronize, try_all_gpus, try_gpu


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


def test_try_gpu_falls_back_to_the_cpu(no_gpu):
    assert try_gpu() == torch.device("cpu")
    assert try_all_gpus() == [torch.device("cpu")]
    assert choose_device("auto") == torch.device("cpu")


def test_try_gpu_takes_the_gpu_that_exists(two_gpus):
    assert try_gpu(1) == torch.device("cuda", 1)
    assert try_gpu(2) == torch.device("cpu")
    assert try_all_gpus() == [torch.device("cuda", 0), torch.device("cuda", 1)]


def test_choose_device_takes_what_is_named(two_gpus):
    assert choose_device("auto") == torch.device("cuda", 0)
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("cuda:1") == torch.device("cuda", 1)


@pytest.mark.parametrize("name", ["tpu", "", "CUDA", "cuda:", "cuda:-1", "cpu:0", None])
def test_choose_device_refuses_unknown_names(name):
    with pytest.raises(ValueError, match=r"unknown device .* use 'auto', 'cpu', 'cuda'"):
        choose_device(name)


def test_choose_device_refuses_a_gpu_that_is_not_there(no_gpu):
    with pytest.raises(RuntimeError, match="sees no CUDA GPU"):
        choose_device("cuda")


def test_choose_device_names_the_last_gpu(two_gpus):
    with pytest.raises(RuntimeError, match="the last GPU here is 'cuda:1'"):
        choose_device("cuda:2")


def test_describe_device_names_the_cpu():
    described = describe_device("cpu")
    assert described["device"].startswith("CPU, ")
    assert described["driver"] == described["cuda"] == ""


def test_synchronize_does_nothing_on_the_cpu():
    synchronize("cpu")
