import numpy as np
import pytest
import torch

from labsupport.findings import Finding, truth

HELD = Finding("loop-is-slow", "The loop is slower.", True, {"factor": torch.tensor(2.5)})
LOST = Finding("loop-is-slow", "The loop is slower.", False)


def test_finding_is_shown_in_words_with_a_mark():
    assert repr(HELD) == "✓ **Found:** The loop is slower."
    assert HELD._repr_mimebundle_()[0]["text/markdown"] == repr(HELD)


def test_finding_that_does_not_hold_says_so_in_words():
    assert repr(LOST) == "✗ **Does not hold here:** The loop is slower."


def test_text_quotes_the_words_and_says_if_they_do_not_hold():
    plain = [finding._repr_mimebundle_()[0]["text/plain"] for finding in (HELD, LOST)]
    assert plain == ["'The loop is slower.'", "'(Does not hold here: The loop is slower.)'"]


def test_record_keeps_name_words_outcome_and_numbers():
    assert HELD._repr_mimebundle_()[1] == {
        "labs": {
            "finding": {
                "name": "loop-is-slow",
                "words": "The loop is slower.",
                "held": True,
                "numbers": {"factor": 2.5},
            }
        }
    }


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize(
    "wrap", [bool, np.bool_, torch.tensor, np.array, lambda v: torch.tensor([[v]])]
)
def test_truth_of_one_truth_value(wrap, value):
    assert truth(wrap(value)) is value


@pytest.mark.parametrize(
    ("condition", "fault"),
    [
        (torch.tensor([True, True]), r"has shape \(2,\): reduce it with all\(\) or any\(\)"),
        (np.ones((2, 1), dtype=bool), r"has shape \(2, 1\): reduce it"),
        (torch.ones(0, dtype=torch.bool), r"has shape \(0,\)"),
        (float("nan"), "is nan: give True or False"),
        (torch.tensor(float("nan")), "is nan: give True or False"),
        (np.float64("nan"), "is nan: give True or False"),
        (1, "is 1: give True or False"),
        (None, "is None: give True or False"),
        ("yes", "is 'yes': give True or False"),
    ],
)
def test_truth_refuses_what_is_no_truth_value(condition, fault):
    with pytest.raises(ValueError, match=fault):
        truth(condition)
