import os
import platform
import subprocess
from pathlib import Path

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
    assert choose_device("cuda") == torch.device("cuda", 0)
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


def test_describe_device_names_the_cpu(monkeypatch):
    info = "processor : 0\nmodel name : A: CPU\nprocessor : 1\nmodel name : B\n"
    files = {"/proc/cpuinfo": info}
    monkeypatch.setattr(Path, "read_text", lambda path, **_: files[str(path)])
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(5), raising=False)
    described = describe_device("cpu")
    assert described == {"device": "CPU, A: CPU, 3 of 5 cores", "driver": "", "cuda": ""}


@pytest.mark.parametrize("processor", ["a processor", ""])
def test_describe_device_asks_elsewhere_without_cpuinfo(monkeypatch, processor):
    def no_such_file(*_, **__):
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", no_such_file)
    monkeypatch.setattr(platform, "processor", lambda: processor)
    monkeypatch.setattr(platform, "machine", lambda: "a machine")
    name = processor or "a machine"
    assert describe_device("cpu")["device"].startswith(f"CPU, {name}, ")


def test_describe_device_names_the_machine_if_cpuinfo_does_not(monkeypatch):
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "processor : 0\n")
    monkeypatch.setattr(platform, "machine", lambda: "a machine")
    assert describe_device("cpu")["device"].startswith("CPU, a machine, ")


@pytest.fixture
def named_gpu(monkeypatch):
    names = {torch.device("cuda", 1): "H100"}
    monkeypatch.setattr(torch.cuda, "get_device_name", names.__getitem__)
    monkeypatch.setattr(torch.version, "cuda", "13.0")


def test_describe_device_names_gpu_driver_and_cuda(named_gpu, monkeypatch):
    asked = []

    def answer(command, **options):
        asked.append(command)
        assert options == {"capture_output": True, "text": True, "timeout": 10, "check": True}
        return subprocess.CompletedProcess(command, 0, stdout=" 570.1 \n999.9\n")

    monkeypatch.setattr(subprocess, "run", answer)
    described = describe_device("cuda:1")
    assert described == {"device": "GPU, H100", "driver": "570.1", "cuda": "13.0"}
    assert asked == [["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]]


@pytest.mark.parametrize("answer", [FileNotFoundError(), subprocess.TimeoutExpired("x", 1), ""])
def test_describe_device_goes_without_the_driver(named_gpu, monkeypatch, answer):
    def run(command, **_):
        if isinstance(answer, Exception):
            raise answer
        return subprocess.CompletedProcess(command, 0, stdout=answer)

    monkeypatch.setattr(subprocess, "run", run)
    assert describe_device("cuda:1")["driver"] == ""


def test_synchronize_waits_for_a_gpu_and_not_for_the_cpu(monkeypatch):
    waited = []
    monkeypatch.setattr(torch.cuda, "synchronize", waited.append)
    synchronize("cpu")
    assert waited == []
    synchronize("cuda:1")
    assert waited == [torch.device("cuda", 1)]
