import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from labsupport.plotting import plot_curves, plot_matrix, show_images, use_book_style


@pytest.fixture(autouse=True)
def _close_figures():
    use_book_style()
    yield
    plt.close("all")


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


def test_show_images_centres_signed_images():
    axes = show_images([np.array([[-3.0, 1.0]]), np.array([[0.0, 2.0]])], symmetric=True)
    assert {ax.images[0].get_clim() for ax in axes.flat[:2]} == {(-3.0, 3.0)}


def test_plot_matrix_writes_counts_but_no_zeros():
    ax = plot_matrix([[5, 0], [2, 7]], labels=["a", "b"], x_label="said", y_label="true")
    assert sorted(text.get_text() for text in ax.texts) == ["2", "5", "7"]


def test_book_style_does_not_crop_figures():
    assert plt.rcParams["savefig.bbox"] is None
    figure = plot_curves([1], {"a": [1]}, x_label="x", y_label="y").figure
    assert tuple(figure.get_size_inches()) == (7, 4)
