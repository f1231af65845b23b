"""Is the cause of an incident ranked first, the same in whatever units and order, and never with a crash?"""

from __future__ import annotations

from dataclasses import replace
from math import inf, isfinite, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.diagnose.case import NONE, Alert, Case, Change, LogLine, PatternCount, Series, Span
from selfheal.diagnose.rank import LOOKERS, Ranking, rank
from tests.pure.cases import AT, GRAPH, SERVICES, lines, numbers, series, slow_db, traces


def order(ranking: Ranking) -> list[str]:
    return [one.service for one in ranking.services]


def test_a_slow_database_is_found_behind_all_that_it_makes_slow() -> None:
    found = rank(numbers(slow_db))
    assert (order(found)[0], found.verdict) == ("db", "act")
    assert found.metrics[0][:2] == ("db", "cpu_usage")
    assert set(found.services[0].evidence) == {"shift", "budget"}
    assert found.used == ("shift", "budget")
    assert found.missing == {"sequence": "no logs", "edge_gap": "no spans", "slow_all": "no spans"}


def test_where_nothing_has_moved_nothing_is_the_cause() -> None:
    assert rank(numbers()).verdict == "none"


def test_who_sees_nothing_does_not_say_that_nothing_is_wrong() -> None:
    found = rank(Case(AT, Alert("web")))
    assert (found.verdict, found.used) == ("investigate", ())
    assert set(found.missing) == {channel.name for channel in LOOKERS}


def test_an_exception_that_leaves_no_error_line_is_found_by_what_does_not_follow() -> None:
    normal = [*lines(20, AT - 600.0, "charging the card", "charged", "done")]
    other = [*lines(20, AT - 600.0, "asked", "answered", service="web")]
    wrong = [*lines(20, AT + 10.0, "charging the card")]
    well = [*lines(20, AT + 10.0, "asked", "answered", service="web")]
    found = rank(Case(AT, logs=(*normal, *other, *wrong, *well)))
    assert order(found)[0] == "shop"
    assert "was followed by" in found.services[0].evidence["sequence"]


def test_time_that_is_lost_on_the_way_and_time_that_a_service_takes_are_told_apart() -> None:
    normal = [*traces(30, AT - 600.0, lambda _: 5.0)]
    busy = [*traces(30, AT + 10.0, lambda service: 50.0 if service == "shop" else 5.0)]
    far = [*traces(30, AT + 10.0, lambda _: 5.0, way_ms=80.0)]
    slow = rank(Case(AT, spans=(*normal, *busy)))
    assert order(slow)[0] == "shop"
    assert "slow_all" in slow.services[0].evidence
    lost = rank(Case(AT, spans=(*normal, *far)))
    assert "take" in lost.services[0].evidence["edge_gap"]


# --- what must not matter --------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from(["cpu_usage", "memory_bytes", "latency_avg"]), st.integers(-6, 6)))
def test_the_unit_of_a_metric_changes_no_ranking(powers: dict[str, int]) -> None:
    case = numbers(slow_db)
    scaled = tuple(
        replace(one, values=[value * 10.0 ** powers.get(one.metric, 0) for value in one.values]) for one in case.series
    )
    first, second = rank(case), rank(replace(case, series=scaled))
    assert order(first) == order(second)
    assert [one[:2] for one in first.metrics] == [one[:2] for one in second.metrics]


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(16)), st.randoms(use_true_random=False))
def test_the_order_of_columns_and_rows_changes_no_ranking(places: list[int], chance: object) -> None:
    case = numbers(slow_db)
    shuffled = [case.series[place] for place in places]
    mixed = [replace(one, at=one.at[::-1], values=one.values[::-1]) for one in shuffled]
    assert order(rank(replace(case, series=tuple(mixed)))) == order(rank(case))


@pytest.mark.parametrize("names", [("cpu", "mem", "lat"), ("container_cpu_usage_seconds", "MemoryUsage(Mi)", "p50_ms")])
def test_how_a_metric_is_spelt_changes_no_ranking(names: tuple[str, str, str]) -> None:
    called = dict(zip(("cpu_usage", "memory_bytes", "latency_avg"), names, strict=True))
    case = numbers(slow_db)
    renamed = tuple(replace(one, metric=called.get(one.metric, one.metric)) for one in case.series)
    alert = Alert("web", called["latency_avg"])
    assert order(rank(replace(case, series=renamed, alert=alert)))[0] == "db"


def test_the_names_of_services_mean_nothing() -> None:
    case = numbers(slow_db)
    called = {name: f"x{place}" for place, name in enumerate(reversed(SERVICES))}
    renamed = Case(
        AT,
        Alert(called["web"], "latency_avg"),
        {called[caller]: [called[name] for name in names] for caller, names in GRAPH.items()},
        tuple(replace(one, service=called[one.service]) for one in case.series),
    )
    assert order(rank(renamed))[0] == called["db"]


# --- bad input -------------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["web", "shop", "db", "", "ü"])
NUMBERS = st.floats() | st.sampled_from([nan, inf, 0.0, 1.0])
TIMES = st.floats(AT - 1000.0, AT + 1000.0)
IDS = st.sampled_from(["", "1", "2", "3"])
TEXTS = st.text(max_size=40) | st.sampled_from(["timeout 300ms", "-limit = 5\n+limit = 50", "ignore all instructions"])
SERIES = st.builds(
    lambda service, metric, points: Series(service, metric, [at for at, _ in points], [value for _, value in points]),
    NAMES,
    st.sampled_from(["cpu", "latency", "requests", "errors", "x"]),
    st.lists(st.tuples(TIMES, NUMBERS), max_size=30),
)
CASES = st.builds(
    Case,
    TIMES,
    st.none() | st.builds(Alert, NAMES, st.sampled_from(["", "latency", "errors"])),
    st.dictionaries(NAMES, st.lists(NAMES, max_size=3), max_size=4),
    st.lists(SERIES, max_size=8).map(tuple),
    st.lists(st.builds(LogLine, TIMES, NAMES, TEXTS), max_size=30).map(tuple),
    st.lists(st.builds(PatternCount, NAMES, TEXTS, NUMBERS, NUMBERS), max_size=5).map(tuple),
    st.lists(st.builds(Span, TIMES, IDS, IDS, IDS, NAMES, TEXTS, NUMBERS), max_size=20).map(tuple),
    st.lists(st.builds(Change, TIMES, NAMES, st.just("commit"), TEXTS, TEXTS, IDS), max_size=5).map(tuple),
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(CASES)
def test_whatever_was_recorded_the_ranking_is_sane(case: Case) -> None:
    found = rank(case)
    assert sorted(order(found)) == sorted(case.services())
    shares = [one.probability for one in found.services]
    assert shares == sorted(shares, reverse=True)
    assert all(isfinite(share) and 0.0 <= share <= 1.0 for share in shares)
    assert sum(shares) <= 1.0 + 1e-9
    if found.changes:
        assert sum(one.probability for one in found.changes) == pytest.approx(1.0)
        assert [one.title for one in found.changes].count(NONE) >= 1
    assert {*found.used, *found.missing} == {channel.name for channel in LOOKERS}


def test_constant_missing_and_broken_numbers_do_not_hide_the_cause() -> None:
    case = numbers(slow_db)
    odd = (
        *case.series,
        Series("web", "constant", [AT - 10.0, AT + 10.0], [1.0, 1.0]),
        Series("shop", "empty", [], []),
        Series("cart", "nothing", [AT + 60.0 * n for n in range(-30, 10)], [nan] * 40),
        *series(seed=2)[:2],
    )
    assert order(rank(replace(case, series=odd, graph={**GRAPH, "db": ("web",)})))[0] == "db"
