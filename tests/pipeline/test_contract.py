from decimal import Decimal

import pytest
from tiny_book import encode

from labsupport.findings import Finding
from labsupport.pipeline.contract import compare_outputs, units_apart


def display(metadata=None, **data):
    data = {kind.replace("_", "/"): content for kind, content in data.items()}
    return {"output_type": "display_data", "data": data, "metadata": metadata or {}}


def test_compare_outputs_counts_outputs():
    (problem,) = compare_outputs([display(text_plain="a")], [])
    assert problem == "promised  1 output: text/plain\nfound     no output"


def test_compare_outputs_names_each_output():
    old, new = ([display(text_plain=text) for text in texts] for texts in ("abc", "axy"))
    assert [problem.partition(",")[0] for problem in compare_outputs(old, new)] == [
        "output 2",
        "output 3",
    ]
    (problem,) = compare_outputs(old, new[:2])
    assert problem.startswith("promised  3 outputs: text/plain; text/plain; text/plain\n")


def test_compare_outputs_compares_kinds():
    (problem,) = compare_outputs([display(text_plain="a")], [display(text_markdown="a")])
    assert problem == "output 1\n  promised  text/plain\n  found     text/markdown"


def test_compare_outputs_compares_names_of_glued_values():
    old, new = ({"scrapbook": {"name": name}} for name in ("loss", "accuracy"))
    assert compare_outputs([display(old, text_plain="1")], [display(new, text_plain="1")])


def test_compare_outputs_compares_glued_figures_by_pixels(blank):
    name = {"scrapbook": {"name": "figure"}}
    old, new = ([display(name, image_png=encode(image))] for image in (blank, blank - 1))
    assert compare_outputs(old, new) == []


def test_compare_outputs_compares_the_size_at_which_a_figure_is_shown(blank):
    sizes = ({"image/png": {"width": width, "height": 40}} for width in (60, 30))
    (problem,) = compare_outputs(*([display(s, image_png=encode(blank))] for s in sizes))
    assert problem == (
        "output 1\n  promised  {'image/png': {'width': 60, 'height': 40}}"
        "\n  found     {'image/png': {'width': 30, 'height': 40}}"
    )


def test_compare_outputs_ignores_what_a_run_records_about_its_machine():
    marks = ({"labs": {"environment": {"device": name}}} for name in ("CPU", "GPU"))
    assert compare_outputs(*([display(mark, text_plain="1")] for mark in marks)) == []


@pytest.mark.parametrize("kind", ["text_html", "text_latex", "text_markdown", "image_svg+xml"])
def test_compare_outputs_reads_numbers_in_marked_up_text(kind):
    old, near, far = ([display(**{kind: f"<b>{x}</b>"})] for x in ("0.5", "0.6", "0.7"))
    assert compare_outputs(old, near) == []
    assert "2 units" in compare_outputs(old, far)[0]


@pytest.mark.parametrize("kind", ["image_gif", "video_mp4", "application_pdf"])
def test_compare_outputs_reads_no_numbers_in_encoded_bytes(kind):
    old, new = ([display(**{kind: text})] for text in ("iVBO/3e+5/", "iVBO/4e+5/"))
    assert "other content" in compare_outputs(old, new)[0]


@pytest.mark.parametrize(
    ("reference", "found"), [(["a", "b"], ["ab"]), ("1", 1), ({"a": None}, {"a": "null"})]
)
def test_compare_outputs_keeps_the_types_of_structured_data(reference, found):
    old, new = ([display(application_json=value)] for value in (reference, found))
    assert compare_outputs(old, new) != []


def test_compare_outputs_reads_numbers_beside_foreign_letters_in_structured_data():
    old, new = ([display(application_json={"a": text})] for text in ("准确率0.80", "准确率0.81"))
    assert compare_outputs(old, new) == []


def test_compare_outputs_compares_errors():
    errors = [{"output_type": "error", "ename": n, "evalue": "0.5"} for n in ("KeyError", "Error")]
    assert compare_outputs(errors[:1], errors[1:])


def test_compare_outputs_tells_streams_apart():
    streams = [{"output_type": "stream", "name": n, "text": "a"} for n in ("stdout", "stderr")]
    assert compare_outputs(streams[:1], streams[1:])


def test_compare_outputs_reads_structured_data():
    assert compare_outputs(
        [display(application_json={"a": 0.5})], [display(application_json={"a": 0.7})]
    )


@pytest.mark.parametrize(
    ("reference", "found", "units"),
    [
        ("loss 0.80, accuracy 0.512", "loss 0.80, accuracy 0.511", "1"),
        ("12 of 1,024", "12 of 1,024", "0"),
        ("12 of 1,024", "12 of 1,021", "3"),
        ("1.20e-05", "1.2345e-05", "3.45"),
        ("no number", "no number", "0"),
    ],
)
def test_units_apart_are_those_of_the_last_place(reference, found, units):
    outputs = [[{"output_type": "stream", "name": "stdout", "text": t}] for t in (reference, found)]
    assert units_apart(*outputs) == Decimal(units)


def finding(*, held, words="The loop is slower."):
    data, metadata = Finding("loop", words, held)._repr_mimebundle_()
    metadata["scrapbook"] = {"name": "sums-loop", "mime_prefix": ""}
    return {"output_type": "display_data", "data": data, "metadata": metadata}


@pytest.mark.parametrize("measured", [False, True])
def test_finding_that_does_not_hold_any_more_is_named(measured):
    (problem,) = compare_outputs([finding(held=True)], [finding(held=False)], measured=measured)
    assert problem == (
        "output 1: the finding 'loop' does not hold"
        "\n  promised  'The loop is slower.'"
        "\n  found     '(Does not hold here: The loop is slower.)'"
    )


@pytest.mark.parametrize("measured", [False, True])
def test_words_of_a_finding_are_compared(measured):
    other = finding(held=True, words="The loop is faster.")
    (problem,) = compare_outputs([finding(held=True)], [other], measured=measured)
    assert "other words" in problem


def test_name_of_a_finding_is_compared():
    old, new = finding(held=True), finding(held=True)
    for output in (old, new):
        del output["metadata"]["scrapbook"]
    new["metadata"]["labs"]["finding"]["name"] = "other"
    (problem,) = compare_outputs([old], [new])
    assert "glued as loop" in problem
    assert "glued as other" in problem


@pytest.mark.parametrize("measured", [False, True])
def test_finding_that_is_gone_is_missed(measured):
    assert compare_outputs([finding(held=True)], [], measured=measured)


def test_same_finding_keeps_the_contract():
    assert compare_outputs([finding(held=True)], [finding(held=True)]) == []
