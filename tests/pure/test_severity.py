"""Does what matters more come first?"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from selfheal.world.severity import LASTING_S, level, matters, severity
from tests.pure.departures import BEGIN, Office

NOW = BEGIN + 30.0


def of(*signals: tuple[str, str, float], at: float = NOW) -> float:
    office = Office()
    for agent, signal, score in signals:
        office.depart(agent, signal, 10.0, score)
    (anomaly,) = office.things().values()
    return severity(anomaly, at)


def test_a_lone_small_departure_matters_little_and_a_broad_one_of_what_users_feel_a_lot() -> None:
    small = of(("api", "children", 0.55))
    felt = of(("api", "http.latency", 0.85))
    broad = of(
        ("db", "latency", 0.85),
        ("api", "latency", 0.8),
        ("web", "latency", 0.8),
        ("api", "cpu", 0.7),
        ("db", "cpu", 0.7),
    )
    assert [level(one) for one in (small, felt, broad)] == ["low", "medium", "high"]


def test_what_users_feel_matters_more_than_what_may_run_out_and_that_more_than_any_other_number() -> None:
    assert matters("http.latency") > matters("rss") > matters("own_queue")
    assert of(("api", "latency", 0.7)) > of(("api", "rss", 0.7)) > of(("api", "own_queue", 0.7))


def test_what_lasts_matters_more_until_it_has_become_normal() -> None:
    one = ("api", "cpu", 0.7)
    assert of(one) < of(one, at=NOW + 600.0) < of(one, at=NOW + LASTING_S)
    assert of(one, at=NOW + 2 * LASTING_S) == of(one, at=NOW + 3 * LASTING_S)


def test_another_agent_counts_more_than_another_signal() -> None:
    assert of(("api", "cpu", 0.6), ("web", "cpu", 0.6)) > of(("api", "cpu", 0.6), ("api", "rss", 0.55))


SCORES = st.lists(st.floats(0.5, 1.0), min_size=1, max_size=12)


@given(SCORES, st.floats(0.5, 1.0), st.floats(0.0, 1e5), st.floats(0.0, 1e5))
def test_it_is_a_share_and_only_grows_with_signals_and_with_time(
    scores: list[float], another: float, passed: float, more: float
) -> None:
    signals = [("api", f"own_{number}", score) for number, score in enumerate(scores)]
    before, later = of(*signals, at=NOW + passed), of(*signals, at=NOW + passed + more)
    assert 0.0 <= before <= later <= 1.0
    assert of(*signals, ("web", "cpu", another), at=NOW + passed) >= before
