import json

import numpy as np
import pytest
import torch

from labsupport.numbers import Number, recorded
from labsupport.units import Quantity


@pytest.mark.parametrize(
    ("value", "spec", "text", "raw"),
    [
        (0.8437, ".3f", "0.844", 0.8437),
        (0.8437, ".1%", "84.4%", 0.8437),
        (torch.tensor(0.5), ".2f", "0.50", 0.5),
        (np.float64(0.5), ".2f", "0.50", 0.5),
        (torch.tensor([[0.5]]), ".2f", "0.50", 0.5),
        (60000, ",", "60,000", 60000),
        (7, "", "7", 7),
        (torch.tensor(7), "", "7", 7),
        ("Shirt", "", "Shirt", "Shirt"),
        ("0.1 and 0.2", "", "0.1 and 0.2", "0.1 and 0.2"),
        (float("nan"), ".2f", "nan", "nan"),
        (float("-inf"), ".2f", "-inf", "-inf"),
    ],
)
def test_number_keeps_its_raw_value_beside_what_is_printed(value, spec, text, raw):
    shown, metadata = Number("accuracy", value, spec)._repr_mimebundle_()
    assert shown == {"text/plain": repr(text)}
    assert metadata == {"labs": {"number": {"name": "accuracy", "value": raw}}}
    json.dumps(metadata, allow_nan=False)


@pytest.mark.parametrize(
    ("name", "text"), [("loop-ms", "20.5"), ("loop-element-us", "20500.0"), ("loop-s", "0.0")]
)
def test_quantity_is_written_in_the_unit_of_its_name(name, text):
    number = Number(name, Quantity(0.0205, ".1f"))
    assert (number.text, number.value) == (text, 0.0205)


@pytest.mark.parametrize(
    ("name", "value"),
    [("loop-ms", 20.5), ("loop-s", 20), ("loop", Quantity(0.02, ".1f")), ("ms", 20.5)],
)
def test_unit_and_quantity_belong_together(name, value):
    with pytest.raises(ValueError, match="a Quantity, and nothing else, ends in s, ms, us, ns"):
        Number(name, value, ".1f")


@pytest.mark.parametrize(
    ("value", "spec", "fault"),
    [
        ("0.84", "", "'0.84' is a str: give the number itself and its format"),
        ("84%", "", "is a str"),
        ("1e-5", "", "is a str"),
        ("-1,000", "", "is a str"),
        ("Shirt", ".2f", "is a str"),
        (0.84, "", 'needs a format, such as ".3f"'),
        (0.84, "d", "Unknown format code"),
        (torch.ones(2), ".2f", r"its shape is \(2,\): give a single number"),
        (np.ones((2, 1)), ".2f", r"its shape is \(2, 1\)"),
        (True, "", "True is no number"),
        (None, ".2f", "None is no number"),
        (1j, ".2f", "1j is no number"),
    ],
)
def test_number_refuses_what_its_format_cannot_print(value, spec, fault):
    with pytest.raises(ValueError, match=fault):
        Number("accuracy", value, spec)


def test_recorded_refuses_what_is_no_number():
    with pytest.raises(ValueError, match="'much' is no number"):
        recorded("much")
