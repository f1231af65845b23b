from __future__ import annotations

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from selfheal.history.rings import DOCUMENT_POINTS, POINTS, RINGS, SIGNALS_PER_AGENT, History


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


def test_a_document_brings_the_signals_back() -> None:
    document = json.loads(json.dumps(_history(50).as_document()))
    history, lost = History.from_document({"schema_version": 1, **document})
    assert lost is None
    assert history.recent("api", "rss") == _history(50).recent("api", "rss")


def test_a_document_of_a_long_history_is_thinned_and_keeps_its_latest_point() -> None:
    history, _ = History.from_document(_history(POINTS).as_document())
    points = history.recent("api", "rss")
    assert len(points) == DOCUMENT_POINTS
    assert points[-1] == (POINTS - 1.0, (POINTS - 1) * 2.0)


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["signals", "at", "x"]), inner),
    max_leaves=10,
)


@given(_JSON)
def test_a_malformed_document_gives_an_empty_history_and_says_so(document: object) -> None:
    history, lost = History.from_document(document)
    assert lost is None or (lost.startswith("cannot read") and history.as_document() == {"signals": {}})


def test_a_document_without_signals_is_malformed() -> None:
    documents: tuple[object, ...] = (
        {},
        [],
        None,
        {"signals": {"api": {"rss": {"at": [1.0]}}}},
        {"signals": {"api": 3}},
    )
    for document in documents:
        assert History.from_document(document)[1] is not None
