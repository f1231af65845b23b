"""Does the benchmark of anomalies score as Numenta's does, and count events as it says? Worked out by hand."""

from __future__ import annotations

import pytest

from benchmarks.anomaly.corpora import Labelled
from benchmarks.anomaly.events import events, together
from benchmarks.anomaly.nab import PROFILES, Series, counts, probation, score
from benchmarks.anomaly.rivals import alarms

# A thousand rows, of which 150 are free, and one window of ten rows.
WINDOW = (500, 509)


@pytest.mark.parametrize(
    ("told", "standard"),
    [
        ([], 0.0),
        ([500], 100.0),
        ([500, 501, 509], 100.0),  # only the first of a window counts
        ([504], 95.9),  # six tenths of the window are left: (2 / (1 + e^-3) - 1) / 0.98661 = 0.91743, of -1 to 1
        ([509], 62.4),  # one tenth: (2 / (1 + e^-0.5) - 1) / 0.98661 = 0.24824
        ([149], 0.0),  # still free
        ([150], -5.5),  # before any window it costs 0.11 in full
        ([300, 500], 94.5),
        ([500, 511], 97.2),  # two ninths after it: (2 / (1 + e^(10/9)) - 1) x 0.11 = -0.0555
        ([500, 518], 94.6),  # a whole window after it: -0.98661 x 0.11
        ([500, 537], 94.5),  # more than three after it: in full
    ],
)
def test_nab_is_scored_as_by_hand(told: list[int], standard: float) -> None:
    assert score([Series(1000, [WINDOW], told)], PROFILES["standard"]) == pytest.approx(standard, abs=0.1)


def test_the_profiles_weigh_false_alarms_and_misses() -> None:
    series = [Series(1000, [WINDOW], [300]), Series(1000, [WINDOW], [500])]
    # Standard: -1 - 0.11 + 1 of -2 to 2; twice the cost of an alarm; twice that of a miss, of -4 to 2.
    assert score(series, PROFILES["standard"]) == pytest.approx(100 * (2 - 0.11) / 4, abs=0.01)
    assert score(series, PROFILES["low FP"]) == pytest.approx(100 * (2 - 0.22) / 4, abs=0.01)
    assert score(series, PROFILES["low FN"]) == pytest.approx(100 * (4 - 2 - 0.11 + 1) / 6, abs=0.01)
    assert counts(series) == (2, 1, 1)


def test_of_a_long_file_no_more_than_750_rows_are_free() -> None:
    assert (probation(4032), probation(22_695)) == (604, 750)


def a_series(windows: list[tuple[int, int]]) -> Labelled:
    return Labelled("cloud", "x", [3600.0 * row for row in range(49)], [0.0] * 49, windows)


def test_events_are_found_within_the_tolerance_and_counted_once() -> None:
    found = events(a_series([(10, 12), (30, 31)]), [8, 9, 12, 34])
    assert (found.events, found.found, found.false, found.days) == (2, 1, 2, 2.0)
    assert found.recall == 0.5
    assert found.precision == pytest.approx(1 / 3)
    assert found.f1 == pytest.approx(2 * 1 / (2 * 1 + 2 + 1))
    assert found.late_rows == (0,)


def test_where_nothing_is_labelled_each_alarm_is_one_too_many() -> None:
    found = together([events(a_series([]), [5, 6]), events(a_series([(10, 12)]), [11])])
    assert (found.false_a_day, found.quiet_a_day) == (0.5, 1.0)
    assert found.f1 == pytest.approx(0.5)


def test_an_alarm_is_a_rise_over_the_bar_with_silence_after_it() -> None:
    assert alarms([0.0, 2.0, 3.0, 0.0, 1.0, 1.0], 1.0, 2) == [1, 4]
