import time
from dataclasses import FrozenInstanceError
from functools import partial

import numpy as np
import pytest

from labsupport import timing
from labsupport.timing import Timer, measure, measure_each, take_turns


@pytest.fixture
def clock(monkeypatch):
    """Replace the clock by one that a test moves."""

    class Clock:
        now = 0.0

        def perf_counter(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(timing, "time", clock)
    return clock


def test_timer_sums_laps(clock):
    timer = Timer()
    for lap_s in (1.0, 2.0, 4.0):
        timer.start()
        clock.now += lap_s
        assert timer.stop() == lap_s
    assert timer.avg() == pytest.approx(7 / 3)
    assert timer.sum() == 7
    assert timer.cumsum() == list(np.cumsum([1.0, 2.0, 4.0]))


def test_timer_waits_for_the_device_at_both_ends(monkeypatch):
    waited = []
    monkeypatch.setattr(timing, "synchronize", waited.append)
    with Timer("cpu") as timer:
        assert len(waited) == 1
    assert len(waited) == 2
    assert len(timer.laps_s) == 1


def test_timer_refuses_to_stop_before_it_starts():
    with pytest.raises(RuntimeError, match=r"call start\(\) first"):
        Timer().stop()


def test_timer_stops_once_for_each_start():
    timer = Timer()
    timer.start()
    timer.stop()
    with pytest.raises(RuntimeError, match=r"call start\(\) first"):
        timer.stop()


def test_measure_divides_by_the_calls_of_a_lap(clock):
    def function():
        clock.now += 0.0001

    measured = measure(function, num_repeats=5)
    assert measured.median_s == pytest.approx(0.0001)
    assert measured.iqr_s == pytest.approx(0, abs=1e-12)
    assert measured.num_repeats == 5


def test_measure_gives_quartiles_of_laps(clock):
    lap_lengths = iter([0.5, 0.5, 0.5, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0])  # four calls warm up

    def function():
        clock.now += next(lap_lengths)

    measured = measure(function, num_repeats=5)
    assert (measured.q1_s, measured.median_s, measured.q3_s) == (2.0, 3.0, 4.0)


def test_measure_gives_the_shortest_lap_that_counts(clock):
    lap_lengths = iter([0.5, 0.5, 0.5, 0.5, 3.0, 1.0, 2.0])  # four calls warm up

    def function():
        clock.now += next(lap_lengths)

    assert measure(function, num_repeats=3).shortest_s == 1.0


def test_measure_takes_a_stall_for_no_long_lap(clock):
    calls = []

    def function():
        calls.append(None)
        clock.now += 0.5 if len(calls) == 2 else 1e-6  # the machine stalls in the first lap

    measure(function, num_repeats=3)
    assert len(calls) > 3 * 1000


def test_measure_repeats_seven_times_unless_told_otherwise(clock):
    def function():
        clock.now += 1.0

    measured = measure(function)
    assert measured.num_repeats == 7
    with pytest.raises(FrozenInstanceError):
        measured.median_s = 0.0


def test_measure_each_takes_a_lap_of_each_in_turn(clock):
    order = []

    def function(name, lap_s):
        order.append(name)
        clock.now += lap_s

    lengths_s = {"a": 1.0, "b": 10.0}
    measured = measure_each(
        {name: partial(function, name, lap_s) for name, lap_s in lengths_s.items()}, num_repeats=3
    )
    assert order[-6:] == ["a", "b"] * 3
    assert {name: m.median_s for name, m in measured.items()} == lengths_s


def test_measure_sees_real_time():
    assert measure(lambda: time.sleep(0.002), num_repeats=3).median_s >= 0.002


def test_measure_refuses_too_few_repeats():
    with pytest.raises(ValueError, match="at least 3"):
        measure(lambda: None, num_repeats=2)


def test_take_turns_lets_each_program_run_once_a_turn(clock):
    order, lengths = [], iter([1.0, 10.0, 2.0, 20.0, 4.0, 30.0])

    def program(name):
        order.append(name)
        clock.now += next(lengths)
        return len(order)

    programs = {name: lambda name=name: program(name) for name in ("a", "b")}
    measured, results = take_turns(programs, num_turns=3)
    assert order == ["a", "b"] * 3
    assert results == {"a": 5, "b": 6}
    assert (measured["a"].q1_s, measured["a"].median_s, measured["a"].q3_s) == (1.5, 2.0, 3.0)
    assert (measured["b"].median_s, measured["b"].num_repeats) == (20.0, 3)
    assert (measured["a"].shortest_s, measured["b"].shortest_s) == (1.0, 10.0)


def test_take_turns_waits_for_the_device(monkeypatch):
    waits = []
    monkeypatch.setattr(timing, "synchronize", waits.append)
    take_turns({"a": lambda: None}, device="cuda:0")
    assert waits == [timing.torch.device("cuda:0")] * 6


def test_take_turns_refuses_too_few_turns():
    with pytest.raises(ValueError, match="at least 3"):
        take_turns({"a": lambda: None}, num_turns=2)
