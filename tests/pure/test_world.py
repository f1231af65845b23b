"""Does the world follow from what happened, whatever happened?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import FrozenInstanceError, fields, is_dataclass, replace
from functools import reduce
from itertools import accumulate, pairwise

import pytest
from hypothesis import assume, given, settings

from selfheal.events import (
    AgentDeclared,
    AgentExited,
    AgentRemoved,
    AgentStarted,
    AnomalySeen,
    Attributed,
    BreakerClosed,
    BreakerOpened,
    BreakerTried,
    Event,
    FixEnded,
    FixRelapsed,
    FixStarted,
    Held,
    IncidentEscalated,
    IncidentOpened,
    IncidentResolved,
    IncidentSuppressed,
    RestartDelayed,
    Run,
    StateDamaged,
    Verified,
    WorkDone,
    WorkPlanned,
    decode,
    encode,
)
from selfheal.vocabulary import AGENT_STATES, INCIDENT_OVER, INCIDENT_STATES, Outcome
from selfheal.world import (
    ALERTS_KEPT,
    DAMAGES_KEPT,
    EMPTY,
    INCIDENTS_KEPT,
    Agent,
    Odds,
    World,
    fold,
)
from selfheal.world.agents import RECENT_STARTS, settled
from selfheal.world.anomalies import ANOMALIES_KEPT
from selfheal.world.foresight import WORK_KEPT
from selfheal.world.incidents import ATTEMPTS_KEPT, STORY_HEAD, STORY_TAIL
from tests.pure.histories import BEGIN, histories

RUN = Run(4711, 1, BEGIN, 17, "boot")
API = AgentDeclared(BEGIN, "api", "process", "application", ("cache",), ("http", "process"), True)


def world_of(*history: Event) -> World:
    return reduce(fold, history, EMPTY)


def api_after(*history: Event) -> Agent:
    return world_of(API, *history).agents["api"]


def started(at: float, generation: int = 1, reason: str = "first") -> AgentStarted:
    run = replace(RUN, generation=generation, started_at=at)
    return AgentStarted(at, "api", run, reason)  # type: ignore[arg-type]


def exited(at: float, generation: int = 1, ran_s: float = 1.0, *, expected: bool = False) -> AgentExited:
    return AgentExited(at, "api", generation, 4711, 1, None, ran_s, expected)


# --- whatever happened ---


@settings(max_examples=100)
@given(histories())
def test_whatever_happens_the_world_keeps_its_promises(history: list[Event]) -> None:
    for world in accumulate(history, fold, initial=EMPTY):
        for agent in world.agents.values():
            assert agent.state in AGENT_STATES
            assert agent.uptime.wanted_s >= agent.uptime.healthy_s >= 0.0
            assert len(agent.recent_starts) <= RECENT_STARTS
            assert settled(agent, agent.uptime.at) == agent, "the state follows from the facts"
        for name, incident in world.incidents.items():
            assert incident.id == name
            assert incident.state in INCIDENT_STATES
            assert incident.agents[0] == incident.agent
            assert len(set(incident.agents)) == len(incident.agents)
            assert len(incident.story) <= STORY_HEAD + STORY_TAIL
        assert {one.id for one in world.open_incidents()} == {
            one.id for one in world.incidents.values() if one.state not in INCIDENT_OVER
        }


@settings(max_examples=60)
@given(histories())
def test_time_in_the_world_never_goes_back_and_every_event_counts(history: list[Event]) -> None:
    worlds = list(accumulate(history, fold, initial=EMPTY))
    assert all(earlier.at <= later.at for earlier, later in pairwise(worlds))
    assert [world.events for world in worlds] == list(range(len(history) + 1))


@settings(max_examples=30)
@given(histories(max_size=25))
def test_a_world_that_someone_still_holds_never_changes(history: list[Event]) -> None:
    worlds = list(accumulate(history, fold, initial=EMPTY))
    looks = [repr(world) for world in accumulate(history, fold, initial=EMPTY)]
    assert [repr(world) for world in worlds] == looks


@settings(max_examples=15)
@given(histories(max_size=25))
def test_nothing_in_the_world_can_be_assigned_to(history: list[Event]) -> None:
    for value in _values_in(world_of(*history)):
        with pytest.raises(FrozenInstanceError):
            setattr(value, fields(value)[0].name, None)  # type: ignore[arg-type]


def _values_in(value: object) -> Iterator[object]:
    """Every dataclass in a value, however deep."""
    if is_dataclass(value):
        yield value
        for field in fields(value):
            yield from _values_in(getattr(value, field.name))
    elif isinstance(value, dict):
        for part in value.values():
            yield from _values_in(part)
    elif isinstance(value, tuple):
        for part in value:
            yield from _values_in(part)


@settings(max_examples=60)
@given(histories())
def test_an_incident_that_is_over_stays_over_and_an_open_one_is_there_until_it_is(history: list[Event]) -> None:
    for (before, event), after in zip(
        zip(accumulate(history, fold, initial=EMPTY), history, strict=False),
        accumulate(history[1:], fold, initial=fold(EMPTY, history[0]) if history else EMPTY),
        strict=False,
    ):
        for name, incident in before.incidents.items():
            assert name in after.incidents
            if incident.over and not isinstance(event, IncidentOpened):
                assert after.incidents[name].state == incident.state


@settings(max_examples=40)
@given(histories())
def test_dependencies_and_dependents_mirror_each_other_even_in_a_circle(history: list[Event]) -> None:
    world = world_of(*history)
    for name in world.agents:
        assert name not in world.dependencies(name)
        for other in world.dependencies(name):
            if other in world.agents:
                assert name in world.dependents(other)
        for other in world.dependents(name):
            assert name in world.dependencies(other)


# --- how much is kept ---


def test_of_incidents_that_are_over_the_newest_are_kept() -> None:
    world = EMPTY
    for number in range(INCIDENTS_KEPT + 50):
        world = fold(world, IncidentOpened(BEGIN, f"inc-{number}", "api", "exit", "", BEGIN))
        world = fold(world, IncidentResolved(BEGIN, f"inc-{number}", "", 1.0))
    assert list(world.incidents) == [f"inc-{number}" for number in range(50, INCIDENTS_KEPT + 50)]
    assert world.incidents_opened == INCIDENTS_KEPT + 50


def test_an_open_incident_is_never_dropped_however_many_follow() -> None:
    world = world_of(*(IncidentOpened(BEGIN, f"old-{n}", "api", "exit", "", BEGIN) for n in range(INCIDENTS_KEPT + 20)))
    assert len(world.open_incidents()) == INCIDENTS_KEPT + 20
    for number in range(50):
        world = fold(world, IncidentOpened(BEGIN, f"new-{number}", "api", "exit", "", BEGIN))
        world = fold(world, IncidentResolved(BEGIN, f"new-{number}", "", 1.0))
    assert sum(name.startswith("old-") for name in world.incidents) == INCIDENTS_KEPT + 20
    assert len(world.incidents) <= INCIDENTS_KEPT + 21


def test_a_long_incident_keeps_its_beginning_and_its_latest() -> None:
    history: list[Event] = [IncidentOpened(BEGIN, "inc-1", "api", "exit", "", BEGIN)]
    for number in range(1, 200):
        history += [
            FixStarted(BEGIN + number, "inc-1", number, "restart", "application", "api", "crashed"),
            FixEnded(BEGIN + number, "inc-1", number, "succeeded", ""),
        ]
    incident = world_of(*history).incidents["inc-1"]
    assert incident.story == (*history[:STORY_HEAD], *history[-STORY_TAIL:])
    assert [attempt.number for attempt in incident.attempts] == list(range(200 - ATTEMPTS_KEPT, 200))


def test_alerts_damages_anomalies_and_work_are_bounded_too() -> None:
    world = EMPTY
    for number in range(250):
        world = fold(world, StateDamaged(BEGIN, f"file-{number}", "torn", None, ""))
        world = fold(world, AnomalySeen(BEGIN, f"an-{number}", "api", "rss", 1.0, 0.0, 1.0))
        world = fold(world, WorkPlanned(BEGIN, f"work-{number}", "api", "restart", BEGIN, ""))
        world = fold(world, WorkDone(BEGIN, f"work-{number}", "succeeded", "", "done"))
    assert len(world.damages) == DAMAGES_KEPT
    assert world.damages[-1].file == "file-249"
    assert list(world.anomalies.known) == [f"an-{number}" for number in range(250 - ANOMALIES_KEPT, 250)]
    assert list(world.foresight.work) == [f"work-{number}" for number in range(250 - WORK_KEPT, 250)]
    assert world.anomalies.seen == world.foresight.work_planned == 250
    assert len(world.alerts) <= ALERTS_KEPT


# --- incidents ---

OPENED = IncidentOpened(BEGIN, "inc-1", "api", "exit", "exit code 1", BEGIN)
TRIED = FixStarted(BEGIN + 1, "inc-1", 1, "restart", "application", "api", "crashed")


@pytest.mark.parametrize(
    ("outcome", "odds"),
    [
        ("succeeded", Odds(1, 0, BEGIN + 9, tried_at=BEGIN + 9)),
        ("failed", Odds(0, 1, BEGIN + 9, tried_at=BEGIN + 9)),
        ("relapsed", Odds(0, 1, BEGIN + 9, tried_at=BEGIN + 9)),
        ("timed_out", Odds(0, 1, BEGIN + 9, tried_at=BEGIN + 9)),
        ("interrupted", None),
        ("rejected", None),
        ("undone", Odds(0, 1, BEGIN + 9, tried_at=BEGIN + 9)),
    ],
)
def test_a_verified_attempt_is_learned_from_once_as_its_incident_ends(outcome: Outcome, odds: Odds | None) -> None:
    verdict = Verified(BEGIN + 8, "inc-1", 1, outcome, "")
    world = world_of(API, OPENED, TRIED, FixEnded(BEGIN + 2, "inc-1", 1, "succeeded", ""), verdict, verdict)
    assert world.odds == {}
    for end in (IncidentEscalated(BEGIN + 9, "inc-1", ""), IncidentResolved(BEGIN + 9, "inc-1", "", 1.0)):
        world = fold(world, end)
        assert world.odds.get(("api", "crashed", "restart")) == odds


def test_an_attempt_is_learned_from_by_the_share_of_each_cause_and_so_is_its_relapse() -> None:
    attributed = Attributed(BEGIN + 9, "inc-1", {"leak": 0.75, "crashed": 0.25})
    ended = FixEnded(BEGIN + 2, "inc-1", 1, "succeeded", "")
    verdict = Verified(BEGIN + 9, "inc-1", 1, "succeeded", "", BEGIN + 5)
    resolved = IncidentResolved(BEGIN + 9, "inc-1", "", 1.0)
    world = world_of(API, OPENED, TRIED, ended, verdict, attributed, resolved)
    known = {cause: (odds.helped, odds.failed, odds.took_s) for (_, cause, _), odds in world.odds.items()}
    assert known == {"leak": (0.75, 0.0, 4.0), "crashed": (0.25, 0.0, 4.0)}
    world = fold(world, FixRelapsed(BEGIN + 9, "inc-1", 1, "inc-2"))
    assert [odds.helped for odds in world.odds.values()] == pytest.approx([0.3 * 0.75, 0.3 * 0.25])
    assert [odds.tried for odds in world.odds.values()] == pytest.approx([0.75, 0.25])


def test_while_a_fix_is_applied_its_agent_is_recovering() -> None:
    assert world_of(API, started(BEGIN), OPENED, TRIED).agents["api"].state == "recovering"
    ended = FixEnded(BEGIN + 2, "inc-1", 1, "succeeded", "")
    assert world_of(API, started(BEGIN), OPENED, TRIED, ended).agents["api"].state == "starting"


@pytest.mark.parametrize("late", [FixEnded(BEGIN + 9, "inc-1", 1, "succeeded", ""), Held(BEGIN + 9, "inc-1", "", None)])
def test_what_comes_late_does_not_open_an_incident_again(late: Event) -> None:
    world = world_of(API, OPENED, TRIED, IncidentSuppressed(BEGIN + 3, "inc-1", "stopped by a person"), late)
    assert world.incidents["inc-1"].state == "suppressed"
    assert world.open_incidents() == ()


def test_an_agent_suffers_from_its_own_incident_before_anothers() -> None:
    world = world_of(
        API, replace(OPENED, incident="inc-1", agent="cache"), replace(OPENED, incident="inc-2", agent="api")
    )
    joined = world.incidents["inc-1"]
    world = replace(world, incidents={**world.incidents, "inc-1": replace(joined, agents=("cache", "api"))})
    found = world.open_incident_of("api")
    assert found is not None
    assert found.id == "inc-2"


DELAYED = RestartDelayed(BEGIN + 2, "api", BEGIN + 9, "5 short runs")
BROKEN = BreakerOpened(BEGIN + 3, "api", "restart", BEGIN + 33, "it did not help")


def test_what_the_reflex_does_about_an_agent_is_part_of_the_story_of_its_open_incident() -> None:
    history: tuple[Event, ...] = (OPENED, DELAYED, BROKEN, BreakerTried(BEGIN + 33, "api", "restart"))
    assert world_of(API, *history).incidents["inc-1"].story == history
    assert world_of(API, DELAYED, OPENED).incidents["inc-1"].story == (OPENED,)
    over = IncidentResolved(BEGIN + 40, "inc-1", "", 1.0)
    assert world_of(API, OPENED, over, DELAYED).incidents["inc-1"].story == (OPENED, over)


def test_a_breaker_that_closes_because_the_incident_has_ended_is_told_with_it() -> None:
    over, closed = IncidentResolved(BEGIN + 40, "inc-1", "", 1.0), BreakerClosed(BEGIN + 40, "api", "restart", "well")
    incident = world_of(API, OPENED, BROKEN, over, closed).incidents["inc-1"]
    assert (incident.story, incident.state) == ((OPENED, BROKEN, over, closed), "resolved")


def test_a_breaker_that_was_open_before_its_incident_is_told_at_its_beginning() -> None:
    incident = world_of(API, BROKEN, OPENED).incidents["inc-1"]
    assert incident.story == (OPENED, replace(BROKEN, at=OPENED.at))


def test_an_attempt_keeps_how_it_started_and_when_the_verdict_came() -> None:
    tried = replace(TRIED, reflex=True, start="backoff")
    verdict = Verified(BEGIN + 9, "inc-1", 1, "relapsed", "exit code 1")
    (attempt,) = world_of(API, OPENED, tried, verdict).incidents["inc-1"].attempts
    assert (attempt.start, attempt.verified_at) == ("backoff", BEGIN + 9)


def test_an_attempt_of_an_older_journal_started_by_reflex() -> None:
    written = encode(TRIED).replace(b',"start":"reflex"', b"")
    assert b'"start"' not in written
    assert decode(written) == TRIED


def test_nothing_can_happen_to_an_agent_that_was_never_declared_or_is_gone() -> None:
    assert world_of(started(BEGIN)).agents == {}
    assert world_of(API, AgentRemoved(BEGIN, "api"), started(BEGIN)).agents == {}


@settings(max_examples=60)
@given(histories())
def test_an_agent_is_never_both_well_and_down(history: list[Event]) -> None:
    agents = world_of(*history).agents.values()
    assume(agents)
    assert not any(agent.well and agent.down for agent in agents)
