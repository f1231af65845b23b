"""Are spans of time and intervals of shares what a person takes them for?"""

from __future__ import annotations

import pytest

from selfheal.world.intervals import wilson
from selfheal.world.spans import span_text


def test_a_span_is_told_in_about_two_digits() -> None:
    spans = (0.4, 119.0, 120.0, 7140.0, 7200.0, 16200.0, 47.6 * 3600.0, 5 * 86400.0, 4000 * 86400.0)
    told = ["0 s", "119 s", "2 min", "119 min", "2 h", "4.5 h", "48 h", "5 days", "4000 days"]
    assert [span_text(span) for span in spans] == told


def test_wilsons_interval_is_that_of_the_textbook() -> None:
    low, high = wilson(81, 263)  # Newcombe, Statistics in Medicine 17 (1998), table I
    assert (low, high) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 10)[0] == 0.0
    assert wilson(10, 10)[1] == 1.0
