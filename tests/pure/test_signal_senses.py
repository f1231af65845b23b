"""How is a signal read by its name?"""

from __future__ import annotations

import pytest

from selfheal.detect.senses import sense_of
from selfheal.measures import Sense


def _read(signal: str, counter: bool | None = None) -> Sense:
    sense = sense_of(signal, counter)
    assert sense is not None
    return sense


@pytest.mark.parametrize("signal", ["status", "login.status", "ttl", "tls_expires_in"])
def test_what_measures_nothing_is_not_judged(signal: str) -> None:
    assert sense_of(signal) is None


@pytest.mark.parametrize(
    ("signal", "rises", "falls"),
    [
        ("latency", True, False),
        ("login.latency", True, False),
        ("disk_free", False, True),
        ("cpu", True, True),
        ("http_errors_total", True, False),
        ("queue_depth", True, False),
        ("pool_available", False, True),
        ("orders_total", True, True),
        ("temperature", True, True),
    ],
)
def test_a_falling_latency_is_no_alarm_and_free_space_is_none_that_grows(signal: str, rises: bool, falls: bool) -> None:
    sense = _read(signal)
    assert (sense.rises, sense.falls) == (rises, falls)


@pytest.mark.parametrize(
    ("signal", "said", "counts"),
    [
        ("requests_total", None, True),
        ("wait_seconds_sum", None, True),
        ("requests_total", False, False),
        ("served", True, True),
        ("served", False, False),
        ("served", None, None),
        ("requests", True, True),
        ("rss", None, False),
    ],
)
def test_whether_it_counts_is_said_by_the_exporter_else_by_its_name_else_it_has_to_show(
    signal: str, said: bool | None, counts: bool | None
) -> None:
    assert _read(signal, said).counts is counts


def test_the_least_change_is_absolute_or_a_share() -> None:
    rss = _read("rss")
    assert (rss.least_of(1e6), rss.least_of(1e9)) == (4e6, 2e8)
