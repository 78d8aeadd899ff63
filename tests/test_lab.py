import platform

import matplotlib as mpl
import pytest
import torch

from labsupport import lab as lab_module
from labsupport.device import choose_device, describe_device
from labsupport.lab import start_lab


def test_start_lab_gives_device_and_generator():
    lab = start_lab(seed=3, device="cpu")
    assert lab.device == torch.device("cpu")
    expected = torch.rand(4, generator=torch.Generator().manual_seed(3))
    assert torch.equal(torch.rand(4, generator=lab.generator), expected)


def test_start_lab_chooses_the_device_unless_told_otherwise():
    assert start_lab(seed=3).device == choose_device("auto")


def test_start_lab_sets_the_style_of_the_book():
    mpl.rcdefaults()
    start_lab(seed=3, device="cpu")
    assert mpl.rcParams["figure.dpi"] == 100
    assert not mpl.rcParams["legend.frameon"]


@pytest.mark.parametrize(("seed", "device"), [(-1, "cpu"), (1, "tpu")])
def test_start_lab_refuses_bad_parameters(seed, device):
    with pytest.raises(ValueError, match="seed must be|unknown device"):
        start_lab(seed=seed, device=device)


@pytest.fixture
def shown(monkeypatch):
    """Return the table and the metadata that a chapter's closing cell displays."""
    found = []
    monkeypatch.setattr(lab_module, "display", lambda *a, **k: found.append((*a, k["metadata"])))
    monkeypatch.setattr(lab_module, "version", lambda package: f"{len(package)}.1+local")
    monkeypatch.setattr(lab_module.time, "perf_counter", iter([10.0, 12.34]).__next__)
    start_lab(seed=3, device="cpu").where_it_ran()
    return found[0]


def test_where_it_ran_shows_versions_seed_and_time(shown):
    table, _ = shown
    assert table.header == ["what", "here"]
    assert table.rows[1:] == [
        ["Python", platform.python_version()],
        ["PyTorch", "5.1"],
        ["torchvision", "11.1"],
        ["NumPy", "5.1+local"],
        ["seed", "3"],
        ["seconds since setup", "2.3"],
    ]
    assert table.rows[0] == ["device", describe_device("cpu")["device"]]


def test_where_it_ran_records_the_environment_for_provenance(shown):
    _, metadata = shown
    assert metadata == {
        "labs": {
            "environment": {
                "device": describe_device("cpu")["device"],
                "driver": "",
                "cuda": "",
                "python": platform.python_version(),
                "torch": "5.1",
                "seed": "3",
            }
        }
    }
