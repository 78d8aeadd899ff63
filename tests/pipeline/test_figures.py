import numpy as np
import pytest
from tiny_book import encode

from labsupport.pipeline.figures import figure_difference

IN_ALL, IN_A_TILE = "other pixels in all", "other pixels in a tile of 16 by 16"


def difference(old, new):
    """Return what differs, the same whichever of the two is promised."""
    found, reverse = (
        figure_difference(encode(one), encode(other)) for one, other in ((old, new), (new, old))
    )
    assert found == reverse
    return found and found[0]


def transparent(*shape):
    """Return the pixels of an image without colour, whose four channels can all be changed."""
    return np.zeros((*shape, 4), dtype=np.uint8)


@pytest.mark.parametrize(("extra", "verdict"), [(0, None), (1, IN_ALL)])
def test_figure_may_differ_in_all_by_a_root_mean_square_of_one(extra, verdict):
    old = transparent(40, 60)
    new = old + 1
    new[20, 30, 0] += extra
    assert difference(old, new) == verdict


@pytest.mark.parametrize(("extra", "verdict"), [(0, None), (1, IN_A_TILE)])
def test_figure_may_differ_in_a_tile_by_a_root_mean_square_of_fifteen(extra, verdict):
    old = transparent(320, 320)
    new = old.copy()
    new[16:32, 48:64] = 15
    new[20, 50, 0] += extra
    assert difference(old, new) == verdict


@pytest.mark.parametrize(("change", "verdict"), [(29, None), (31, IN_A_TILE)])
def test_figure_is_cut_into_tiles_of_sixteen_by_sixteen(change, verdict):
    old = transparent(320, 320)
    new = old.copy()
    new[16:24, 48:56] = change  # a quarter of a tile: half the root mean square
    assert difference(old, new) == verdict


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
