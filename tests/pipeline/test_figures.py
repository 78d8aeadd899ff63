import numpy as np
import pytest
from tiny_book import encode

from labsupport.pipeline.figures import figure_difference


def test_figure_difference_allows_a_grey_level(blank):
    assert figure_difference(encode(blank), encode(blank - 1)) is None
    assert figure_difference(encode(blank - 1), encode(blank)) is None


def test_figure_difference_sees_a_faint_difference_everywhere(blank):
    assert figure_difference(encode(blank), encode(blank - 2))[0] == "other pixels in all"


def test_figure_difference_sees_a_moved_line(blank):
    old, new = blank.copy(), blank.copy()
    old[20, :], new[21, :] = 0, 0
    assert "other pixels" in figure_difference(encode(old), encode(new))[0]


@pytest.mark.parametrize(("top", "left"), [(500, 700), (996, 1396)])
def test_figure_difference_sees_a_small_mark_in_a_large_figure(top, left):
    old = np.full((1000, 1400, 3), 255, dtype=np.uint8)
    new = old.copy()
    new[top : top + 4, left : left + 4] = 0
    assert figure_difference(encode(old), encode(new))[0] == "other pixels in a tile of 16 by 16"


@pytest.mark.parametrize("transposed", [False, True])
def test_figure_difference_cuts_tiles_from_neighbouring_pixels(transposed):
    old = np.full((160, 800, 3), 255, dtype=np.uint8)
    new = old.copy()
    new[40, 160:176] -= 62  # one row of a tile of 16 by 16: 62 · √(3/4) / √16 = 13.4
    if transposed:
        old, new = old.swapaxes(0, 1), new.swapaxes(0, 1)
    assert figure_difference(encode(old), encode(new)) is None


def test_figure_difference_sees_another_size(blank):
    found = figure_difference(encode(blank), encode(blank[:-1]), measured=True)
    assert found == ("another size", "60 by 40 pixels", "60 by 39 pixels")


def test_figure_difference_of_measured_cells_ignores_pixels(blank):
    assert figure_difference(encode(blank), encode(0 * blank), measured=True) is None
