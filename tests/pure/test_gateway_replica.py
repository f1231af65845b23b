"""Is the replica's world the daemon's, whatever happened and whatever of it was lost on the way?"""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.events import Event, HealingPaused, HealingResumed, encode
from selfheal.gateway import replica as replicas
from selfheal.gateway import wire
from selfheal.gateway.replica import SILENT_S, Replica, Superseded
from selfheal.gateway.wire import Push
from selfheal.ledger import replay
from selfheal.vitals import AgentVitals
from selfheal.world import codec
from tests.pure.histories import histories


def whole(history: list[Event], number: int = 1, run: str = "r", started_at: float = 1.0) -> Push:
    """A push that holds everything after a history."""
    parts = list(codec.encode(replay(history)))
    return Push(run=run, started_at=started_at, number=number, basis=0, seq=len(history), world=parts)


def change(history: list[Event], begin: int, end: int, number: int) -> Push:
    """What has happened from one number to another, as the push that follows on `number` less one."""
    events = [(seq, encode(history[seq - 1])) for seq in range(begin + 1, end + 1)]
    return Push(run="r", started_at=1.0, number=number, basis=number - 1, seq=end, events=events)


def put(replica: Replica, push: Push, now: float = 0.0) -> bool:
    return replica.take(wire.unpack(wire.pack(push)), now)


@given(histories(), st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=6))
def test_after_any_history_in_any_pushes_it_is_the_same_world(
    history: list[Event], steps: list[tuple[int, bool]]
) -> None:
    replica, at, number = Replica(), 0, 1
    told: list[tuple[int, Event]] = []
    replica.subscribe(lambda seq, event: told.append((seq, event)))
    assert put(replica, whole([]))
    for size, is_lost in steps:
        end, number = min(len(history), at + size), number + 1
        push = change(history, at, end, number)
        if is_lost:
            later = change(history, end, end, number + 1)
            assert not put(replica, later), "it lacks what was lost"
            assert replica.known == number - 1
        assert put(replica, push)
        at = end
        assert (replica.world, replica.seq) == (replay(history[:at]), at)
    assert put(replica, whole(history, number + 1))
    assert replica.world == replay(history)
    assert told == list(enumerate(history[:at], start=1))


def test_nothing_is_taken_before_everything_was() -> None:
    replica = Replica()
    assert not put(replica, change([HealingPaused(1.0, None, "cli")], 0, 1, 2))
    assert replica.is_empty
    assert replica.age_s(5.0) is None
    assert put(replica, whole([]), 5.0)
    assert replica.age_s(7.5) == 2.5


def test_another_life_of_the_daemon_begins_with_everything() -> None:
    replica = Replica()
    assert put(replica, whole([HealingPaused(1.0, None, "cli")]))
    other = msgspec.structs.replace(change([], 0, 0, 2), run="r2", started_at=2.0)
    assert not put(replica, other)
    assert replica.world.paused
    assert put(replica, whole([], run="r2", started_at=2.0))
    assert not replica.world.paused


def test_a_daemon_that_began_earlier_waits_until_the_later_one_is_silent() -> None:
    replica = Replica()
    assert put(replica, whole([], run="new", started_at=2.0), 10.0)
    with pytest.raises(Superseded):
        put(replica, whole([], run="old", started_at=1.0), 10.0 + SILENT_S - 1.0)
    assert put(replica, whole([], run="old", started_at=1.0), 10.0 + SILENT_S)


def test_an_event_of_a_newer_version_asks_for_everything() -> None:
    replica = Replica()
    put(replica, whole([]))
    push = Push(run="r", started_at=1.0, number=2, basis=1, seq=1, events=[(1, b'{"type":"Invented","data":{}}')])
    assert put(replica, push)
    assert replica.known == 0
    assert not put(replica, change([], 1, 1, 3))
    assert put(replica, whole([HealingPaused(1.0, None, "cli")], 4))
    assert replica.known == 4


def test_vitals_follow_by_what_has_changed() -> None:
    replica = Replica()
    first = msgspec.structs.replace(whole([]), vitals={"a": AgentVitals(signals={"x": 1.0}), "b": AgentVitals()})
    put(replica, first)
    put(replica, msgspec.structs.replace(change([], 0, 0, 2), vitals={"b": AgentVitals(signals={"y": 2.0})}))
    assert (replica.vitals.signals("a"), replica.vitals.signals("b")) == ({"x": 1.0}, {"y": 2.0})
    put(replica, msgspec.structs.replace(change([], 0, 0, 3), gone=("a",)))
    assert replica.vitals.agents() == {"b"}
    put(replica, whole([], 4))
    assert replica.vitals.agents() == set()


def test_the_latest_events_are_kept_and_what_is_forgotten_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicas, "KEPT", 3)
    history: list[Event] = [HealingPaused(1.0, None, "cli"), HealingResumed(2.0, None, "cli")] * 3
    replica = Replica()
    put(replica, whole(history[:1]))
    assert replica.forgotten == 1
    put(replica, change(history, 1, 6, 2))
    assert [seq for seq, _ in replica.events_after(0, 10)] == [4, 5, 6]
    assert [seq for seq, _ in replica.events_after(4, 1)] == [5]
    assert replica.forgotten == 3
