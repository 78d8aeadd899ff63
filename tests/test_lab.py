import math
import platform

import matplotlib as mpl
import pytest
import torch

from labsupport import lab as lab_module
from labsupport.device import choose_device, describe_device
from labsupport.findings import Finding
from labsupport.lab import Lab, start_lab
from labsupport.seeding import make_generator


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


def test_generator_of_an_experiment_depends_on_seed_name_and_run():
    lab = start_lab("two_moons", seed=3, device="cpu")
    other = start_lab("two_moons", seed=4, device="cpu")
    generators = [
        lab.make_generator("rates"),
        lab.make_generator("rates", 1),
        lab.make_generator("widths"),
        other.make_generator("rates"),
    ]
    assert len({torch.rand(1, generator=generator).item() for generator in generators}) == 4
    again = torch.rand(1, generator=lab.make_generator("rates", 0))
    assert torch.equal(again, torch.rand(1, generator=lab.make_generator("rates")))


@pytest.fixture
def glued(monkeypatch):
    """Return what the chapters hand to glue."""
    found = []
    monkeypatch.setattr(lab_module, "glue", lambda *a, **k: found.append((*a, k)))
    return found


@pytest.fixture
def lab():
    return start_lab("two_moons", seed=3, device="cpu")


def test_report_stores_a_number_under_the_chapters_name_without_showing_it(glued, lab):
    lab.report("val-loss", 0.498, ".2f")
    ((name, number, options),) = glued
    assert (name, options) == ("two-moons-val-loss", {"display": False})
    assert (number.text, number.value) == ("0.50", 0.498)


def test_finds_shows_a_finding_under_the_chapters_name(glued, lab):
    lab.finds("loss-falls", "The loss falls.", torch.tensor(False), first=0.7, last=0.8)
    ((name, finding, options),) = glued
    assert (name, options) == ("two-moons-loss-falls", {})
    assert finding == Finding("loss-falls", "The loss falls.", False, {"first": 0.7, "last": 0.8})


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("", "It is so.", True), "the finding '': a name of small letters"),
        ((None, "It is so.", True), "the finding None: a name of small letters"),
        (("Two Words", "It is so.", True), "the finding 'Two Words': a name of small letters"),
        (("so", "", True), "the finding 'so': its words are empty"),
        (("so", " \n", True), "the finding 'so': its words are empty"),
        (("so", None, True), "the finding 'so': its words are empty"),
        (("so", "It is so.", torch.ones(2)), r"the finding 'so': its condition has shape \(2,\)"),
        (("so", "It is so.", math.nan), "the finding 'so': its condition is nan"),
        (("so", "It is so.", 1), "the finding 'so': its condition is 1"),
    ],
)
def test_bad_finding_is_refused_with_chapter_and_name(glued, lab, arguments, fault):
    with pytest.raises(ValueError, match=f"^two_moons, {fault}"):
        lab.finds(*arguments)
    assert glued == []


def test_number_that_its_format_cannot_print_is_refused_with_chapter_and_name(glued, lab):
    with pytest.raises(ValueError, match=r"^two_moons, the number 'loss': its shape is \(2,\)"):
        lab.report("loss", torch.ones(2), ".2f")
    assert glued == []


@pytest.mark.parametrize("first", ["finds", "report"])
@pytest.mark.parametrize("second", ["finds", "report"])
def test_name_is_used_once_in_a_chapter(glued, lab, first, second):
    arguments = {"finds": ("so", "It is so.", True), "report": ("so", "word")}
    getattr(lab, first)(*arguments[first])
    with pytest.raises(ValueError, match="^two_moons, the (finding|number) 'so': this cell uses"):
        getattr(lab, second)(*arguments[second])
    assert len(glued) == 1


def test_other_chapter_may_use_the_name(glued, lab):
    lab.report("so", "word")
    start_lab("sums", seed=3, device="cpu").report("so", "word")
    assert [name for name, *_ in glued] == ["two-moons-so", "sums-so"]


@pytest.mark.parametrize(
    ("cells", "refused"),
    [
        ([("a", 1), ("a", 2)], ""),  # a cell is run again
        ([("a", 1), ("b", 2)], "another cell uses the name already"),
        ([("a", 1), ("a", 2), ("a", 2)], "this cell uses the name already"),
    ],
)
def test_cell_may_be_run_again_where_the_front_end_names_it(
    glued, lab, monkeypatch, cells, refused
):
    class Shell:
        def __init__(self, cell, execution):
            self.cell, self.execution_count = cell, execution

        def get_parent(self):
            return {"metadata": {"cellId": self.cell}}

    *fine, last = cells
    for cell in fine:
        monkeypatch.setattr(lab_module, "get_ipython", lambda cell=cell: Shell(*cell))
        lab.report("so", "word")
    monkeypatch.setattr(lab_module, "get_ipython", lambda: Shell(*last))
    if refused:
        with pytest.raises(ValueError, match=refused):
            lab.report("so", "word")
    else:
        lab.report("so", "word")


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
