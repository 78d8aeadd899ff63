import pytest
import torch

from labsupport.lab import start_lab


def test_start_lab_gives_device_and_generator():
    lab = start_lab(seed=3, device="cpu")
    assert lab.device == torch.device("cpu")
    expected = torch.rand(4, generator=torch.Generator().manual_seed(3))
    assert torch.equal(torch.rand(4, generator=lab.generator), expected)


@pytest.mark.parametrize(("seed", "device"), [(-1, "cpu"), (1, "tpu")])
def test_start_lab_refuses_bad_parameters(seed, device):
    with pytest.raises(ValueError, match="seed must be|unknown device"):
        start_lab(seed=seed, device=device)


def test_where_it_ran_records_what_it_shows(capsys):
    start_lab(seed=3, device="cpu").where_it_ran()
    shown = capsys.readouterr().out
    for title in ("device", "Python", "PyTorch", "seed", "seconds"):
        assert f"| {title}" in shown
