import base64
import io

import numpy as np
import pytest
from PIL import Image

from labsupport.contract import compare_figures, compare_outputs, compare_text


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("loss 0.80", "loss 0.81"),
        ("loss 0.80", "loss 0.79"),
        ("1.2e-5", "1.3e-5"),
        ("1.0e-05", "9.9e-06"),
        ("-0.00", "0.00"),
        ("0.99999", "1"),
        ("\u22120.5", "-0.5"),
        ("准确率0.80", "准确率0.81"),
        ("1,234.5", "1,234.6"),
        ("[0.5,0.25]", "[0.6,0.26]"),
        ("12.50 ms", "12.51 ms"),
    ],
)
def test_compare_text_allows_one_unit_of_the_last_place(reference, found):
    assert compare_text(reference, found) == ""


@pytest.mark.parametrize(
    ("reference", "found", "reason"),
    [
        ("loss 0.80", "loss 0.82", "2 units of its last place apart"),
        ("loss 0.80", "loss 0.7899", "1.01 units"),
        ("1.2e-5", "1.4e-5", "2 units"),
        ("0.5", "-0.5", "10 units"),
        ("0.5", "nan", "other words"),
        ("nan", "0.5", "other words"),
        ("inf", "-inf", "other words"),
        ("12 images", "13 images", "12 was promised exactly, 13 found"),
        ("It took 12.", "It took 13.", "promised exactly"),
        ("tensor([1., 2.])", "tensor([1., 3.])", "promised exactly"),
        ("60,000", "60,001", "promised exactly"),
        ("2-5-1", "2-5-2", "promised exactly"),
        ("torch 2.14.1", "torch 2.14.2", "other words"),
        ("float32", "float64", "other words"),
        ("准确率0.80", "准确率0.82", "2 units"),
        ("C30", "C31", "other words"),
        ("one\ntwo", "one", "another number of lines"),
        ("one", "one\n", "another number of lines"),
    ],
)
def test_compare_text_names_the_broken_promise(reference, found, reason):
    assert reason in compare_text(reference, found)


def test_compare_text_names_the_line():
    assert compare_text("a\nb 0.1", "a\nb 0.3").startswith("line 2: ")


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("took 0.2 ms", "took   113.25 ms"),
        ("Python 3.11.7", "Python 3.12.11"),
        ("| device | CPU, EPYC, 2 cores |", "| device | GPU, H100 80GB |"),
        ("| rate | 3e9 |", "| rate | 41 |"),
    ],
)
def test_compare_text_masks_measured_numbers(reference, found):
    assert compare_text(reference, found, measured=True) == ""


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("took 2 ms", "took 2 s"),
        ("took 2 ms", "took nan ms"),
        ("a 1\nb 2", "a 1"),
        ("1 2", "1 2 3"),
    ],
)
def test_compare_text_keeps_measured_words(reference, found):
    assert compare_text(reference, found, measured=True) != ""


def encode(array):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format="png")
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.fixture
def blank():
    return np.full((40, 60, 3), 255, dtype=np.uint8)


def test_compare_figures_allows_a_grey_level(blank):
    assert compare_figures(encode(blank), encode(blank - 1)) == ""
    assert compare_figures(encode(blank - 1), encode(blank)) == ""


def test_compare_figures_sees_a_moved_line(blank):
    old, new = blank.copy(), blank.copy()
    old[20, :], new[21, :] = 0, 0
    assert "other pixels" in compare_figures(encode(old), encode(new))


def test_compare_figures_sees_another_size(blank):
    problem = compare_figures(encode(blank), encode(blank[:-1]), measured=True)
    assert "promised  60 by 40 pixels" in problem
    assert "found     60 by 39 pixels" in problem


def test_compare_figures_of_measured_cells_ignores_pixels(blank):
    assert compare_figures(encode(blank), encode(0 * blank), measured=True) == ""


def display(metadata=None, **data):
    data = {kind.replace("_", "/"): content for kind, content in data.items()}
    return {"output_type": "display_data", "data": data, "metadata": metadata or {}}


def test_compare_outputs_counts_outputs():
    (problem,) = compare_outputs([display(text_plain="a")], [])
    assert problem == "promised  1 output: text/plain\nfound     no output"


def test_compare_outputs_compares_kinds():
    (problem,) = compare_outputs([display(text_plain="a")], [display(text_markdown="a")])
    assert "promised  text/plain" in problem


def test_compare_outputs_compares_names_of_glued_values():
    old, new = ({"scrapbook": {"name": name}} for name in ("loss", "accuracy"))
    assert compare_outputs([display(old, text_plain="1")], [display(new, text_plain="1")])


def test_compare_outputs_compares_glued_figures_by_pixels(blank):
    name = {"scrapbook": {"name": "figure"}}
    old, new = ([display(name, image_png=encode(image))] for image in (blank, blank - 1))
    assert compare_outputs(old, new) == []


def test_compare_outputs_tells_streams_apart():
    streams = [{"output_type": "stream", "name": n, "text": "a"} for n in ("stdout", "stderr")]
    assert compare_outputs(streams[:1], streams[1:])


def test_compare_outputs_reads_structured_data():
    assert compare_outputs(
        [display(application_json={"a": 0.5})], [display(application_json={"a": 0.7})]
    )
