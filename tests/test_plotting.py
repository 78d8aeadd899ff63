import base64
import struct

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from matplotlib_inline.config import InlineBackend
from traitlets.config import Config

from labsupport import plotting
from labsupport.plotting import (
    plot_curves,
    plot_decision_regions,
    plot_matrix,
    show_images,
    use_book_style,
)


@pytest.fixture(autouse=True)
def _close_figures():
    use_book_style()
    yield
    plt.close("all")


def test_style_forgets_what_was_set_before():
    plt.rcParams["lines.linewidth"] = 9
    use_book_style()
    assert plt.rcParams["lines.linewidth"] == plt.rcParamsDefault["lines.linewidth"]


@pytest.mark.filterwarnings("ignore:InlineBackend.* is deprecated in traitlets")
def test_figures_of_notebooks_have_twice_the_pixels_and_are_not_cropped(monkeypatch):
    InlineBackend.clear_instance()
    shell = InteractiveShell(config=Config(HistoryManager={"enabled": False}))
    monkeypatch.setattr(plotting, "get_ipython", lambda: shell)
    use_book_style()
    png, size = shell.display_formatter.formatters["image/png"](plt.subplots()[0])
    InlineBackend.clear_instance()
    assert size == {"width": 700, "height": 400}
    assert base64.b64decode(png)[16:24] == struct.pack(">II", 1400, 800)


def test_plot_curves_names_each_curve():
    ax = plot_curves([1, 2], {"a": [1, 2], "b": [2, 1]}, x_label="epoch", y_label="loss in nats")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]
    assert ax.get_xlabel() == "epoch"
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), [2, 1])


def test_plot_curves_draws_into_given_axes():
    _, ax = plt.subplots()
    assert plot_curves([1], {"a": [1]}, x_label="x", y_label="y", ax=ax) is ax


def test_show_images_fills_a_grid():
    axes = show_images(np.zeros((5, 4, 4)), titles=list("abcde"), num_columns=3)
    assert axes.shape == (2, 3)
    assert [len(ax.images) for ax in axes.flat] == [1, 1, 1, 1, 1, 0]
    assert axes[1, 1].get_title() == "e"
    assert [ax.axison for ax in axes.flat] == [False] * 6


def test_show_images_centres_signed_images():
    axes = show_images([np.array([[-3.0, 1.0]]), np.array([[0.0, 2.0]])], symmetric=True)
    assert {ax.images[0].get_clim() for ax in axes.flat[:2]} == {(-3.0, 3.0)}


def test_plot_matrix_writes_counts_but_no_zeros():
    ax = plot_matrix([[5, 0], [2, 7]], labels=["a", "b"], x_label="said", y_label="true")
    assert sorted(text.get_text() for text in ax.texts) == ["2", "5", "7"]


def test_plot_matrix_writes_white_on_fields_above_a_third_of_the_largest():
    ax = plot_matrix([[12, 5], [4, 3]], labels=["a", "b"], x_label="said", y_label="true")
    colors = {text.get_text(): text.get_color() for text in ax.texts}
    assert colors == {"12": "white", "5": "white", "4": "black", "3": "black"}


def decision_regions(probability_of):
    """Draw a classifier on [-1, 1]² with one sample of each class."""
    x1, x2 = np.linspace(-1, 1, 41), np.linspace(-1, 1, 21)
    X = np.array([[-0.5, 0.25], [0.5, -0.25]])
    probability = probability_of(*np.meshgrid(x1, x2))
    return plot_decision_regions(x1, x2, probability, X=X, targets=[[0.0], [1.0]])


def colour_at(ax, x, y):
    """Return the pixel at a point in data coordinates as three numbers from 0 to 255."""
    ax.figure.canvas.draw()
    pixels = np.asarray(ax.figure.canvas.buffer_rgba())
    column, row = ax.transData.transform((x, y))
    return pixels[pixels.shape[0] - 1 - int(row), int(column), :3].astype(int)


def test_decision_regions_put_the_boundary_where_both_classes_have_one_half():
    ax = decision_regions(lambda x1, x2: 1 / (1 + np.exp(-8 * (x1 - 0.3))))
    (boundary,) = [c for c in ax.collections if list(c.levels) == [0.5]]
    vertices = np.concatenate([path.vertices for path in boundary.get_paths()])
    np.testing.assert_allclose(vertices[:, 0], 0.3, atol=0.01)


def test_decision_regions_shade_the_classes_in_the_colours_of_their_samples():
    ax = decision_regions(lambda x1, x2: (x1 > 0).astype(float))
    left, right = colour_at(ax, -0.8, -0.8), colour_at(ax, 0.8, -0.8)
    assert left[2] > left[0]  # class 0: bluish
    assert right[0] > right[2]  # class 1: orange
    assert [line.get_marker() for line in ax.lines] == ["o", "^"]
    np.testing.assert_array_equal(ax.lines[1].get_xydata(), [[0.5, -0.25]])


def test_decision_regions_have_no_boundary_where_one_class_has_it_all():
    ax = decision_regions(lambda x1, x2: np.full(x1.shape, 0.25))
    assert [list(c.levels) for c in ax.collections if list(c.levels) == [0.5]] == []


def test_decision_regions_rows_are_the_second_feature():
    ax = decision_regions(lambda x1, x2: (x2 > 0).astype(float))
    lower, upper = colour_at(ax, 0.8, -0.8), colour_at(ax, 0.8, 0.8)
    assert lower[2] > lower[0]
    assert upper[0] > upper[2]


def test_book_style_does_not_crop_figures():
    assert plt.rcParams["savefig.bbox"] is None
    figure = plot_curves([1], {"a": [1]}, x_label="x", y_label="y").figure
    assert tuple(figure.get_size_inches()) == (7, 4)
