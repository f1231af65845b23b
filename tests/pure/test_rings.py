from __future__ import annotations

from array import array
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from selfheal.history.rings import POINTS, POINTS_IN_ALL, RINGS, SIGNALS_PER_AGENT, History, points_of_each


def _history(points: int) -> History:
    history = History()
    for at in range(points):
        history.append("api", "rss", float(at), at * 2.0)
    return history


def test_points_come_back_in_order_from_the_time_that_is_asked() -> None:
    assert _history(5).recent("api", "rss", since=3.0) == [(3.0, 6.0), (4.0, 8.0)]
    assert _history(5).recent("api", "fds") == []
    assert _history(5).signals("api") == ("rss",)


def test_a_full_ring_keeps_the_newest_points() -> None:
    points = _history(POINTS + 100).recent("api", "rss")
    assert [at for at, _ in points] == [float(at) for at in range(100, POINTS + 100)]


def test_a_clock_that_is_set_back_drops_what_would_lie_in_the_future() -> None:
    history = _history(POINTS + 10)
    history.append("api", "rss", 20.5, 1.0)
    points = history.recent("api", "rss")
    assert points[-2:] == [(20.0, 40.0), (20.5, 1.0)]
    history.append("api", "rss", 21.0, 2.0)
    assert history.recent("api", "rss", since=20.5) == [(20.5, 1.0), (21.0, 2.0)]


@given(st.lists(st.tuples(st.floats(0, 1e4), st.floats(allow_nan=True)), max_size=200))
def test_whatever_comes_time_rises_and_the_latest_finite_point_is_there(samples: list[tuple[float, float]]) -> None:
    history = History()
    for at, value in samples:
        history.append("a", "s", at, value)
    points = history.recent("a", "s")
    assert all(earlier < later for (earlier, _), (later, _) in pairwise(points))
    finite = [(at, value) for at, value in samples if abs(value) < float("inf")]
    assert points[-1:] == finite[-1:]


def test_a_signal_beyond_the_bound_is_refused_and_an_agent_that_leaves_makes_room() -> None:
    history = History()
    for number in range(SIGNALS_PER_AGENT + 3):
        history.append("api", f"s{number}", 1.0, 1.0)
    assert len(history.signals("api")) == SIGNALS_PER_AGENT
    assert history.refused == 3
    history.forget("api")
    history.append("api", "rss", 1.0, 1.0)
    assert history.signals("api") == ("rss",)


def test_there_are_never_more_rings_than_memory_allows() -> None:
    history = History()
    for number in range(RINGS + 5):
        history.append(f"agent-{number}", "rss", 1.0, 1.0)
    assert history.refused == 5
    history.forget("agent-0")
    history.append("late", "rss", 1.0, 1.0)
    assert history.recent("late", "rss") == [(1.0, 1.0)]


def test_points_by_a_handle_and_by_name_are_the_same() -> None:
    history = History()
    series = history.series("api", "rss")
    assert series is not None
    series.append(1.0, 2.0)
    history.append("api", "rss", 2.0, 3.0)
    assert history.series("api", "rss") is series
    assert history.recent("api", "rss") == [(1.0, 2.0), (2.0, 3.0)]


def test_a_handle_of_an_agent_that_is_forgotten_is_nobody_s() -> None:
    history = History()
    series = history.series("api", "rss")
    history.forget("api")
    assert series is not None
    series.append(1.0, 2.0)
    assert history.recent("api", "rss") == []
    assert history.series("api", "rss") is not series


def test_the_more_signals_there_are_the_fewer_points_each_has_and_the_newest_stay() -> None:
    history = _history(POINTS)
    many = [f"agent-{number}" for number in range(2 * POINTS_IN_ALL // POINTS)]
    for name in many:
        history.append(name, "rss", 1.0, 1.0)
    points = history.recent("api", "rss")
    assert POINTS / 4 < len(points) <= POINTS / 2
    assert points[-1] == (POINTS - 1.0, (POINTS - 1) * 2.0)
    for name in many:
        history.forget(name)
    for at in range(POINTS, 2 * POINTS):
        history.append("api", "rss", float(at), 0.0)
    assert len(history.recent("api", "rss")) == POINTS


@given(st.integers(1, RINGS))
def test_all_rings_together_stay_within_their_bound(count: int) -> None:
    assert 1 <= points_of_each(count) <= POINTS
    assert count * points_of_each(count) <= POINTS_IN_ALL


def test_what_is_new_is_taken_once_and_again_where_it_could_not_be_written() -> None:
    history = _history(2)
    taken = history.take(("api", "nobody"))
    assert taken == [("api", "rss", array("d", [0.0, 0.0, 1.0, 2.0]))]
    assert history.take(("api",)) == []
    history.append("api", "rss", 2.0, 4.0)
    history.take_back(taken)
    assert history.take(("api",)) == [("api", "rss", array("d", [0.0, 0.0, 1.0, 2.0, 2.0, 4.0]))]


def test_what_the_clock_has_taken_back_is_not_taken_for_new() -> None:
    history = _history(5)
    history.take(("api",))
    history.append("api", "rss", 5.0, 1.0)
    history.append("api", "rss", 2.5, 9.0)
    assert history.take(("api",)) == [("api", "rss", array("d", [2.5, 9.0]))]


def test_what_is_known_from_before_stands_before_and_is_not_new() -> None:
    history = History()
    series = history.series("api", "rss")
    assert series is not None
    series.append(3.0, 30.0)
    series.precede(array("d", [1.0, 10.0, 2.0, 20.0, 3.0, 99.0, 4.0, 99.0]))
    assert history.recent("api", "rss") == [(1.0, 10.0), (2.0, 20.0), (3.0, 30.0)]
    assert history.take(("api",)) == [("api", "rss", array("d", [3.0, 30.0]))]
    series.precede(array("d", [float(place) for pair in range(-1000, 1) for place in (pair, pair)]))
    assert len(history.recent("api", "rss", since=-1e9)) == POINTS
