"""Is what is measured of the daemon's detector what is said of it, and is it as good as that?"""

from __future__ import annotations

import pytest

from benchmarks.anomaly.demo_live import judge, rates
from benchmarks.anomaly.live import NOISE, TROUBLES, alarms, delay, held_bytes
from selfheal.events import AnomalySeen


def _seen(at: float) -> AnomalySeen:
    return AnomalySeen(at, "ano-1", "slow", "latency", 0.2, 0.02, 0.6)


def test_a_trouble_is_visible_when_it_is_out_of_the_range_by_half_of_that_and_minded() -> None:
    quiet = [(float(second), 0.02 + 0.02 * (second % 2)) for second in range(100)]
    values = (0.03, 0.045, 0.08, 0.09, 0.1, 0.11)
    points = [*quiet, *((100.0 + place, value) for place, value in enumerate(values))]
    found = judge("slow", points, 100.0, [_seen(104.2)])
    assert (found.hidden, found.visible, found.out) == (2, 3, 3)  # nobody minds what is not 40 ms more
    assert judge("slow", points, 100.0, []).visible is None
    assert judge("slow", [*quiet, (100.0, 0.03)], 100.0, [_seen(100.0)]).visible is None


def test_a_counter_is_seen_by_its_rate() -> None:
    assert rates([(0.0, 5.0), (2.0, 9.0), (3.0, 1.0), (4.0, 2.0)]) == [(2.0, 2.0), (4.0, 1.0)]


@pytest.mark.parametrize("family", [name for name in NOISE if name != "bursts"])
def test_noise_is_no_trouble(family: str) -> None:
    found = [alarms([family], 8, 5.0, 0.25, seed) for seed in (1, 2)]
    assert sum(one.first for one in found) == 0


def test_bursts_are_told_a_few_times_and_then_no_more() -> None:
    assert alarms(["bursts"], 1, 60.0, 4.0, 1).later <= 2


@pytest.mark.parametrize(
    ("name", "most"), [("slow-down, three times", 6), ("errors, a ramp", 7), ("leak, a hundredth each", 27)]
)
def test_trouble_is_told_in_an_agent_with_one_signal_and_with_eight(name: str, most: int) -> None:
    signal, trouble = TROUBLES[name]
    for others in (0, 7):
        for seed in (1, 2, 3):
            told = delay(signal, trouble, others, 5.0, seed)
            assert told is not None
            assert told <= most


def test_a_series_takes_less_than_it_may() -> None:
    held, kept = held_bytes(series=5, days=4)
    assert held < 32 * 1024
    assert kept < 32 * 1024
