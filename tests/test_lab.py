import platform

import matplotlib as mpl
import pytest
import torch

from labsupport import lab as lab_module
from labsupport.device import choose_device, describe_device
from labsupport.lab import Lab, start_lab
from labsupport.seeding import make_generator
from labsupport.units import Quantity


def test_start_lab_gives_device_and_generator():
    lab = start_lab("two_moons", seed=3, device="cpu")
    assert lab.device == torch.device("cpu")
    expected = torch.rand(4, generator=torch.Generator().manual_seed(3))
    assert torch.equal(torch.rand(4, generator=lab.generator), expected)


def test_start_lab_chooses_the_device_unless_told_otherwise():
    assert start_lab("two_moons", seed=3).device == choose_device("auto")


def test_start_lab_sets_the_style_of_the_book():
    mpl.rcdefaults()
    start_lab("two_moons", seed=3, device="cpu")
    assert mpl.rcParams["figure.dpi"] == 100
    assert not mpl.rcParams["legend.frameon"]


@pytest.mark.parametrize(("seed", "device"), [(-1, "cpu"), (1, "tpu")])
def test_start_lab_refuses_bad_parameters(seed, device):
    with pytest.raises(ValueError, match="seed must be|unknown device"):
        start_lab("two_moons", seed=seed, device=device)


def test_draw_normal_draws_from_the_chapters_generator_in_float64():
    lab = start_lab("two_moons", seed=3, device="cpu")
    draws = [lab.draw_normal(2, 3), lab.draw_normal(4)]
    generator = make_generator(3)
    expected = [torch.randn(s, generator=generator, dtype=torch.float64) for s in ((2, 3), (4,))]
    assert all(map(torch.equal, draws, expected))
    assert draws[0].dtype == torch.float64


def test_draw_normal_takes_another_generator_and_leaves_the_chapters_alone():
    lab = start_lab("two_moons", seed=3, device="cpu")
    before = lab.generator.get_state()
    draws = lab.draw_normal(2, 3, generator=make_generator(8))
    expected = torch.randn(2, 3, generator=make_generator(8), dtype=torch.float64)
    assert torch.equal(draws, expected)
    assert torch.equal(lab.generator.get_state(), before)


def test_draw_normal_moves_to_the_device():
    lab = Lab("two_moons", 3, torch.device("meta"), make_generator(3))
    assert lab.draw_normal(2, 3).is_meta


def test_report_stores_a_number_under_the_chapters_name_without_showing_it(monkeypatch):
    stored = []
    monkeypatch.setattr(lab_module, "glue", lambda *a, **k: stored.append((*a, k)))
    start_lab("two_moons", seed=3, device="cpu").report("val-loss", "0.50")
    assert stored == [("two-moons-val-loss", "0.50", {"display": False})]


@pytest.mark.parametrize(
    ("name", "text"), [("loop-ms", "20.5"), ("loop-element-us", "20500.0"), ("loop-s", "0.0")]
)
def test_report_writes_a_quantity_in_the_unit_of_its_name(monkeypatch, name, text):
    stored = []
    monkeypatch.setattr(lab_module, "glue", lambda name, value, display: stored.append(value))
    start_lab("two_moons", seed=3, device="cpu").report(name, Quantity(0.0205, ".1f"))
    assert stored == [text]


@pytest.mark.parametrize(
    ("name", "value"),
    [("loop-ms", "20.5"), ("loop-s", 20), ("loop", Quantity(0.02, ".1f")), ("ms", "20.5")],
)
def test_report_refuses_a_unit_without_a_quantity_and_a_quantity_without_a_unit(name, value):
    with pytest.raises(ValueError, match=f"'{name}': a Quantity, and nothing else, ends in"):
        start_lab("two_moons", seed=3, device="cpu").report(name, value)


@pytest.fixture
def shown(monkeypatch):
    """Return the table and the metadata that a chapter's closing cell displays."""
    found = []
    monkeypatch.setattr(lab_module, "display", lambda *a, **k: found.append((*a, k["metadata"])))
    monkeypatch.setattr(lab_module, "version", lambda package: f"{len(package)}.1+local")
    monkeypatch.setattr(lab_module.time, "perf_counter", iter([10.0, 12.34]).__next__)
    start_lab("two_moons", seed=3, device="cpu").where_it_ran()
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
