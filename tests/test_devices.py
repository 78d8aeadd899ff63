from decimal import Decimal

import devices
import pytest
from conftest import ROOT

from labsupport.pipeline.runner import Run

CPU, GPU = {"device": "CPU, of a kind"}, {"device": "GPU, of a kind"}


def runs(blessed_book):
    return (blessed_book.read("sums") for _ in range(2))


def test_a_run_does_not_differ_from_itself(blessed_book):
    assert devices.compare(*runs(blessed_book)) == (0, [])


def test_largest_difference_is_in_units_of_the_last_place(blessed_book):
    first, second = runs(blessed_book)
    second.cells[3].outputs[0].text = "total 1.231 of 3 parts\n"
    assert devices.compare(first, second) == (1, [])


def test_cell_that_would_not_pass_is_named(blessed_book):
    first, second = runs(blessed_book)
    second.cells[3].outputs[0].text = "total 1.232 of 3 parts\n"
    assert devices.compare(first, second) == (0, ["total"])


def test_times_of_measured_cells_may_be_any(blessed_book):
    first, second = runs(blessed_book)
    second.cells[4].outputs[0].text = "took 99.999 s\n"
    assert devices.compare(first, second) == (0, [])


def test_page_tells_what_each_chapter_gains():
    pair = (
        Run("sums", {}, 4, wall_s=6.0, environment=CPU),
        Run("sums", {}, 4, wall_s=1.5, environment=GPU),
    )
    page = devices.compose([pair], [(Decimal("0.5"), ["total"])])
    assert page.startswith("Measured on CPU, of a kind, and on GPU, of a kind.\n\n| chapter |")
    assert page.endswith("| {doc}`sums` | 6.0 | 1.5 | 4.0 | 0.5 | total |\n")


def test_without_the_device_the_program_says_so(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["devices.py", "--device", "cuda:99"])
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit, match="1"):
        devices.main()
    assert "device 'cuda:99'" in capsys.readouterr().err
