import math

import pytest

from labsupport.parameters import check_number, check_whole_number


@pytest.mark.parametrize("value", [1, 7, 10**30])
def test_whole_number_without_upper_bound_is_accepted(value):
    check_whole_number("num_epochs", value, at_least=1)


@pytest.mark.parametrize("value", [2, 40])
def test_bounds_of_a_whole_number_are_accepted(value):
    check_whole_number("batch_size", value, at_least=2, at_most=40, multiple_of=2)


@pytest.mark.parametrize("value", [0, -1, 1, 3, 42, 4.0, math.nan, "4", None, True, [4]], ids=repr)
def test_other_values_are_refused_with_name_value_and_what_is_accepted(value):
    message = f"batch_size is {value!r}: give a whole number from 2 to 40 that is a multiple of 2"
    with pytest.raises(ValueError, match="batch_size") as caught:
        check_whole_number("batch_size", value, at_least=2, at_most=40, multiple_of=2)
    assert str(caught.value) == message


def test_open_bound_is_named():
    with pytest.raises(ValueError, match="^num_epochs is 0: give a whole number from 1 on$"):
        check_whole_number("num_epochs", 0, at_least=1)


@pytest.mark.parametrize("value", [0.1, 1, 1e300])
def test_finite_number_is_accepted(value):
    check_number("lr", value, above=0)


@pytest.mark.parametrize("value", [0, 0.0, -1, math.nan, math.inf, "0.1", None, True, 1j], ids=repr)
def test_what_is_no_finite_number_above_is_refused(value):
    with pytest.raises(ValueError, match="lr") as caught:
        check_number("lr", value, above=0)
    assert str(caught.value) == f"lr is {value!r}: give a finite number above 0"


@pytest.mark.parametrize("value", [0, 0.99])
def test_bound_of_at_least_is_accepted(value):
    check_number("momentum", value, at_least=0, below=1)


@pytest.mark.parametrize("value", [-0.1, 1])
def test_bound_below_is_not_accepted(value):
    with pytest.raises(ValueError, match="give a finite number of at least 0 and below 1$"):
        check_number("momentum", value, at_least=0, below=1)


def test_bound_of_at_most_is_accepted():
    check_number("share", 1.0, above=0, at_most=1)


@pytest.mark.parametrize("value", [1.1, 0])
def test_beyond_at_most_and_at_a_bound_above_is_refused(value):
    with pytest.raises(ValueError, match="give a finite number above 0 and of at most 1$"):
        check_number("share", value, above=0, at_most=1)


def test_number_without_bounds():
    with pytest.raises(ValueError, match="^bias is nan: give a finite number$"):
        check_number("bias", math.nan)
