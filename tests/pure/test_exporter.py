"""Which numbers are read from Prometheus' text format?"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from selfheal.observe.exporter import series

TEXT = """\
# HELP jobs_total Jobs done.
# TYPE jobs_total counter
jobs_total{kind="mail",path="/a b{c}"} 3
jobs_total{kind="bill"} 4 1395066363000
queue_depth 12.5
temperature NaN
heap_bytes +Inf
broken
late_seconds{le="+Inf"} 1e-3
"""


def test_a_series_is_the_sum_over_its_label_sets() -> None:
    assert series(TEXT, frozenset()) == {"jobs_total": 7.0, "queue_depth": 12.5, "late_seconds": 0.001}


def test_only_what_is_wanted_is_taken() -> None:
    assert series(TEXT, frozenset({"queue_depth", "nobody_has_this"})) == {"queue_depth": 12.5}


@given(st.text())
def test_no_text_whatever_breaks_it(text: str) -> None:
    series(text, frozenset())
