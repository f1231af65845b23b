"""Is a signal known by its name to all who ask, and are amounts told as a person reads them?"""

from __future__ import annotations

from pathlib import Path

import pytest

from selfheal.measures import MEASURES, amount, amount_in, unit_of
from selfheal.world.severity import matters


def test_amounts_are_told_in_their_unit() -> None:
    told = [amount(*one) for one in (
        ("latency", 0.0213), ("http.latency", 2.5), ("rss", 412e6), ("io_read", 2300.0), ("error_rate", 0.051),
        ("cpu", 0.9), ("disk", 0.93), ("rss", 12.0), ("io_write", 3e9), ("own_queue", 12345.678), ("requests", 41.23),
    )]  # fmt: skip
    assert told == [
        "21.3 ms", "2.5 s", "412 MB", "2.3 kB/s", "5.1 %", "0.9 cores", "93 %", "12 B", "3 GB/s", "1.235e+04", "41.2/s",
    ]  # fmt: skip


def test_a_signal_of_the_users_own_tells_its_unit_by_its_name() -> None:
    told = {
        "heap_bytes": "1.2 GB",
        "sent_bytes_total": "1.2 GB/s",
        "wait_seconds": "1.2e+09 s",
        "orders_total": "1.2e+09",
    }
    assert {name: amount(name, 1.2e9) for name in told} == told
    assert amount("hit_ratio", 0.5) == "50 %"


def test_what_a_later_version_measures_is_told_as_a_number() -> None:
    assert amount_in("furlongs", 3.14159) == "3.142"


@pytest.mark.parametrize(
    ("one", "other"),
    [("latency", "edge_latency"), ("error_rate", "loss"), ("disk", "disk_inodes"), ("disk", "inodes")],
)
def test_what_is_the_same_is_told_and_weighed_alike(one: str, other: str) -> None:
    assert unit_of(one) == unit_of(f"probe.{other}") != ""
    assert matters(one) == matters(f"probe.{other}") > matters("threads")


def test_the_documents_name_each() -> None:
    page = (Path(__file__).parents[2] / "docs" / "anomalies.md").read_text(encoding="utf-8")
    assert [name for name in MEASURES if f"`{name}`" not in page] == []
