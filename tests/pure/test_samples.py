"""Which numbers are read from Prometheus' text format?"""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from selfheal.observe.samples import Selector, counters, scanner, sums

TEXT = """\
# HELP jobs_total Jobs done.
# TYPE jobs_total counter
jobs_total{kind="mail",path="/a b{c}"} 3
jobs_total{kind="bill"} 4 1395066363000
queue_depth 12.5
temperature NaN
heap_bytes +Inf
room{name="a"} NaN
room{name="b"} 20
broken
late_seconds{le="+Inf"} 1e-3
  \t indented { kind = "x" ,} \t -5
up{job="web, \\"main\\"}",path="C:\\\\new\\n"} 1
# EOF
"""


def read(text: str, *names: str) -> dict[str, float]:
    return sums(scanner(names)(text))


def total(selector: str, text: str = TEXT) -> float | None:
    return Selector.parse(selector).total(scanner()(text))


def test_a_series_is_the_sum_over_its_label_sets_and_what_is_not_finite_is_left_out() -> None:
    assert read(TEXT) == {
        "jobs_total": 7.0, "queue_depth": 12.5, "room": 20.0, "late_seconds": 0.001, "indented": -5.0, "up": 1.0,
    }  # fmt: skip


def test_only_what_is_wanted_is_taken() -> None:
    assert read(TEXT, "queue_depth", "queue", "nobody_has_this") == {"queue_depth": 12.5}
    assert read("a_b 1\na 2\na{} 3\n", "a") == {"a": 5.0}


@pytest.mark.parametrize(
    ("selector", "value"),
    [
        ("jobs_total", 7.0),
        ('jobs_total{kind="mail"}', 3.0),
        ('jobs_total{ kind="mail" , path="/a b{c}" }', 3.0),
        ('jobs_total{kind="none"}', None),
        ('jobs_total{path=""}', 4.0),
        ("jobs_total{}", 7.0),
        ('up{job="web, \\"main\\"}"}', 1.0),
        ('up{path="C:\\\\new\\n"}', 1.0),
        ('indented{kind="x"}', -5.0),
        ("heap_bytes", math.inf),
        ("room", 20.0),
        ("nothing", None),
        ("broken", None),
    ],
)
def test_a_selector_sums_the_label_sets_that_have_its_labels(selector: str, value: float | None) -> None:
    assert total(selector) == value


def test_a_number_that_is_none_is_told_as_such() -> None:
    assert math.isnan(total("temperature") or 0.0)


@pytest.mark.parametrize("text", ["", "{}", "1up", "up{job=x}", 'up{job="x"', 'up{job="x"}}', 'up{job!="x"}', "a b"])
def test_what_is_no_selector_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no series; write a name such as"):
        Selector.parse(text)


def test_what_the_client_library_writes_is_read_in_both_formats() -> None:
    registry = CollectorRegistry()
    jobs = Counter("jobs", "Jobs.", ["kind"], registry=registry)
    jobs.labels('a "b"}\n\\').inc(3)
    jobs.labels("é").inc(4)
    Gauge("depth", "Of the queue.", registry=registry).set(5)
    Histogram("took", "Seconds.", registry=registry).observe(0.3, {"trace": "1 2"})
    for generate in (generate_latest, openmetrics.generate_latest):
        text = generate(registry).decode()
        found = read(text)
        assert (found["jobs_total"], found["depth"], found["took_count"]) == (7.0, 5.0, 1.0)
        assert total('jobs_total{kind="a \\"b\\"}\\n\\\\"}', text) == 3.0
        assert total('took_bucket{le="0.5"}', text) == 1.0


@given(st.text() | st.text(alphabet='a{}",=\\ 1\n'))
def test_no_text_whatever_breaks_it(text: str) -> None:
    samples = scanner()(text)
    sums(samples)
    for name, _, _ in samples:
        Selector.parse(name).total(samples)


@given(st.lists(st.text(max_size=20), max_size=4))
def test_every_label_value_is_found_again(values: list[str]) -> None:
    escaped = [value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for value in values]
    text = "".join(f'm{{v="{value}",n="{number}"}} {number + 1}\n' for number, value in enumerate(escaped))
    for number, value in enumerate(escaped):
        assert total(f'm{{n="{number}",v="{value}"}}', text) == number + 1


def test_what_counts_is_what_the_text_says_by_either_format() -> None:
    registry = CollectorRegistry()
    Counter("jobs", "Jobs done.", registry=registry)
    Gauge("depth", "Jobs to do.", registry=registry)
    Histogram("took", "How long.", registry=registry)
    names = ("jobs_total", "depth", "took_count", "nobody")
    assert counters(generate_latest(registry).decode(), names) == {"jobs_total": True, "depth": False}
    assert counters("# TYPE jobs counter\njobs_total 3\n# TYPE depth gauge\n", names) == {
        "jobs_total": True,
        "depth": False,
    }
