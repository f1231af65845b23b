"""Is the root cause found, and does it stay the same whatever its parts are called, in whatever unit and order?"""

from __future__ import annotations

from dataclasses import replace
from math import inf, isfinite, nan
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.diagnose.case import Alert, Case, Change, LogLine, PatternCount, Series, Span
from selfheal.diagnose.channels.budget import Budget
from selfheal.diagnose.rank import Ranking, rank
from selfheal.diagnose.view import View

AT, STEP = 100_000.0, 10.0
GRAPH = {"web": ("orders", "users"), "orders": ("stock",)}


def series(service: str, metric: str, level: float, moved: float, seed: int) -> Series:
    chance = Random(f"{seed} {service} {metric}")
    at = [AT + STEP * place for place in range(-60, 12)]
    values = [(moved if time >= AT else level) * chance.uniform(0.97, 1.03) for time in at]
    return Series(service, metric, at, values)


def case(culprit: str = "stock", seed: int = 1) -> Case:
    """`culprit` burns its processor and is slow, and who calls it is slow for that."""
    slow = {"web": 0.9, "orders": 0.85, "stock": 0.8}
    parts = []
    for service in ("web", "orders", "users", "stock"):
        parts.append(series(service, "cpu_usage", 0.2, 0.95 if service == culprit else 0.2, seed))
        parts.append(series(service, "latency_avg", 0.1, slow.get(service, 0.1) if culprit else 0.1, seed))
        parts.append(series(service, "requests", 50.0, 50.0, seed))
    return Case(AT, Alert("web", "latency"), GRAPH, tuple(parts))


def order(ranking: Ranking) -> list[str]:
    return [one.service for one in ranking.services]


def spans(broken: str | None, count: int = 60) -> tuple[tuple[Span, ...], tuple[LogLine, ...]]:
    """Requests of web -> orders -> stock with their lines; of `broken` the last line stays away from AT on."""
    told, lines = [], []
    for number in range(count):
        begin, trace = AT - 600 + number * (900 / count), f"{number:032x}"
        parent = ""
        for depth, service in enumerate(("web", "orders", "stock")):
            identity = f"{number:08x}{depth:08x}"
            at = begin + depth * 0.01
            told.append(Span(at, trace, identity, parent, service, f"handle {service}", 30.0 - 10 * depth))
            lines.append(LogLine(at + 0.001, service, f"INFO begins {service} trace {trace}"))
            if not (service == broken and begin >= AT):
                lines.append(LogLine(at + 0.002, service, f"INFO finished {service} trace {trace}"))
            parent = identity
    return tuple(told), tuple(lines)


def test_who_burns_its_processor_is_the_cause_and_not_those_who_wait_for_it() -> None:
    found = rank(case())
    assert order(found)[0] == "stock"
    assert found.verdict == "act"
    assert found.services[0].evidence.keys() >= {"shift", "budget"}
    assert found.metrics[0].service == "stock"


def test_nothing_that_moved_is_no_cause() -> None:
    assert rank(case(culprit="")).verdict == "none"


def test_what_nobody_feels_is_hardly_why_somebody_was_noticed() -> None:
    known = case()
    calm = tuple(
        series("web", "latency_avg", 0.1, 0.1, 1) if (one.service, one.metric) == ("web", "latency_avg") else one
        for one in known.series
    )
    felt, unfelt = rank(known), rank(replace(known, series=calm))
    assert unfelt.services[0].probability < felt.services[0].probability
    assert not any("budget" in one.evidence for one in unfelt.services)


@pytest.mark.parametrize("whole", [1.0, 100.0, 1e-3])
def test_one_failure_in_fifty_is_far_from_one_in_a_thousand_in_whatever_unit(whole: float) -> None:
    fell = series("stock", "availability", 0.999 * whole, 0.98 * whole, 1)
    steady = replace(fell, values=[min(value, whole) for value in fell.values])
    level = [0.999 * whole if at < AT else 0.98 * whole for at in steady.at]
    measures = View(Case(AT, None, {}, (replace(fell, values=level),))).measures
    assert measures[0].distance == pytest.approx(-3.8, abs=0.5)


@pytest.mark.parametrize("broken", ["orders", "stock"])
def test_a_line_that_no_longer_comes_tells_where_an_exception_is_thrown(broken: str) -> None:
    told, lines = spans(broken)
    found = rank(Case(AT, None, {}, (), lines, (), told))
    assert order(found)[0] == broken
    assert "finished" in found.services[0].evidence["missing"]


def test_the_line_of_a_caller_that_stays_away_with_its_callees_is_the_callees() -> None:
    told, lines = spans("stock")
    cut = tuple(one for one in lines if not (one.at >= AT and "finished orders" in one.message))
    assert order(rank(Case(AT, None, {}, (), cut, (), told)))[0] == "stock"


def test_what_was_not_looked_at_is_named_with_what_it_needs() -> None:
    found = rank(case())
    assert set(found.missing) >= {"edge_gap", "missing", "novelty"}
    assert all(found.missing.values())
    assert set(found.used).isdisjoint(found.missing)


def test_a_change_of_the_cause_before_the_trouble_is_likelier_than_none_and_one_after_it_is_not() -> None:
    changes = tuple(
        Change(at, service, "deploy", f"{service} at {at:g}", id=f"{service}{at:g}")
        for service, at in (("stock", AT - 300), ("users", AT - 60), ("stock", AT + 60))
    )
    found = rank(replace(case(), changes=changes)).changes
    assert found[0].id == changes[0].id
    assert found[-1].id == changes[2].id
    assert sum(one.probability for one in found) == pytest.approx(1.0)


@given(st.integers(-9, 9), st.integers(1, 5))
@settings(deadline=None, max_examples=15)
def test_a_metric_in_another_unit_changes_no_ranking(power: int, seed: int) -> None:
    known = case(seed=seed)
    scaled = tuple(
        replace(one, values=[value * 10.0**power for value in one.values]) if one.metric == "cpu_usage" else one
        for one in known.series
    )
    assert order(rank(replace(known, series=scaled))) == order(rank(known))


@given(st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=15)
def test_the_order_of_what_is_known_changes_no_ranking(chance: Random) -> None:
    told, lines = spans("orders")
    known = replace(case(), logs=lines, spans=told)
    mixed = replace(
        known,
        series=chance.sample(known.series, len(known.series)),
        logs=chance.sample(known.logs, len(known.logs)),
        spans=chance.sample(known.spans, len(known.spans)),
    )
    assert order(rank(mixed)) == order(rank(known))


def test_services_by_other_names_are_ranked_the_same() -> None:
    told, lines = spans("orders")
    known = replace(case(), logs=lines, spans=told)
    names = {"web": "zulu", "orders": "kilo", "users": "alpha", "stock": "mike"}

    def named(one: Series) -> Series:
        return replace(one, service=names[one.service])

    other = Case(
        AT,
        Alert("zulu", "latency"),
        {names[caller]: tuple(names[name] for name in whom) for caller, whom in GRAPH.items()},
        tuple(named(one) for one in known.series),
        tuple(replace(one, service=names[one.service]) for one in lines),
        (),
        tuple(replace(one, service=names[one.service]) for one in told),
    )
    assert order(rank(other)) == [names[name] for name in order(rank(known))]


@pytest.mark.parametrize("spelled", ["container_cpu", "CpuUsageRate(%)", "cpu-usage", "process.cpu.utilization", "CPU"])
def test_a_metric_by_another_spelling_is_ranked_the_same(spelled: str) -> None:
    known = case()
    other = tuple(replace(one, metric=spelled) if one.metric == "cpu_usage" else one for one in known.series)
    assert order(rank(replace(known, series=other))) == order(rank(known))


def test_rows_that_are_there_twice_change_nothing() -> None:
    told, lines = spans("stock")
    known = Case(AT, None, {}, (), lines, (), told)
    assert order(rank(replace(known, spans=told + told)))[0] == order(rank(known))[0]


def test_a_service_whose_clock_is_off_hides_no_cause() -> None:
    told, lines = spans("stock")
    late = tuple(replace(one, at=one.at + 0.5) if one.service == "orders" else one for one in told)
    assert order(rank(Case(AT, None, {}, (), lines, (), late)))[0] == "stock"


NUMBERS = st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from([0.0, nan, inf, 1e308, -1e308])
NAMES = st.sampled_from(["", "a", "b", "c"])
TIMES = st.floats(-1e6, 1e6) | st.sampled_from([0.0, AT])


@st.composite
def cases(draw: st.DrawFn) -> Case:
    def some_series() -> Series:
        at = sorted(draw(st.lists(TIMES, max_size=12)))
        return Series(draw(NAMES), draw(st.text(max_size=8)), at, [draw(NUMBERS) for _ in at])

    return Case(
        draw(TIMES),
        draw(st.none() | st.builds(Alert, NAMES, st.sampled_from(["", "latency", "availability"]))),
        draw(st.dictionaries(NAMES, st.lists(NAMES, max_size=3), max_size=3)),
        tuple(some_series() for _ in range(draw(st.integers(0, 4)))),
        tuple(draw(st.lists(st.builds(LogLine, TIMES, NAMES, st.text(max_size=40)), max_size=8))),
        tuple(draw(st.lists(st.builds(PatternCount, NAMES, st.text(max_size=9), NUMBERS, NUMBERS), max_size=3))),
        tuple(draw(st.lists(st.builds(Span, TIMES, NAMES, NAMES, NAMES, NAMES, NAMES, NUMBERS, NAMES), max_size=8))),
        tuple(draw(st.lists(st.builds(Change, TIMES, NAMES, NAMES, NAMES), max_size=3))),
    )


def test_who_call_each_other_in_a_ring_do_not_hide_the_cause() -> None:
    known = case()
    ring = replace(known, graph={**known.graph, "stock": ["web"]})
    assert Budget().look(View(ring)).scores["stock"] > 0.5, "what web has more is not taken off it"
    assert order(rank(ring))[0] == "stock"


@given(cases())
@settings(deadline=None, max_examples=150)
def test_whatever_the_data_are_like_the_ranking_is_whole_and_finite(known: Case) -> None:
    found = rank(known)
    assert sorted(order(found)) == sorted(known.services())
    assert all(isfinite(one.probability) and isfinite(one.score) for one in found.services)
    assert all(isfinite(one.score) for one in found.metrics)
    assert 0.0 <= found.confidence <= 1.0 + 1e-9
    assert sum(one.probability for one in found.services) <= 1.0 + 1e-9
    assert len(found.changes) <= len(known.changes) + 1
