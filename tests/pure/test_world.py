"""Does the world follow from what happened, whatever happened?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import FrozenInstanceError, fields, is_dataclass, replace
from functools import reduce
from itertools import accumulate, pairwise, product

import pytest
from hypothesis import assume, given, settings

from selfheal.events import (
    AgentDeclared,
    AgentExited,
    AgentReady,
    AgentRemoved,
    AgentStarted,
    AnomalySeen,
    BreakerClosed,
    BreakerOpened,
    BreakerTried,
    DaemonStarted,
    Event,
    FixEnded,
    FixStarted,
    HealthChanged,
    Held,
    IncidentOpened,
    IncidentResolved,
    IncidentSuppressed,
    RestartDelayed,
    Run,
    StartAsked,
    StateDamaged,
    StopAsked,
    Verified,
    WorkPlanned,
)
from selfheal.vocabulary import AGENT_STATES, INCIDENT_OVER, INCIDENT_STATES, BreakerState, Outcome
from selfheal.world import (
    ALERTS_KEPT,
    DAMAGES_KEPT,
    EMPTY,
    INCIDENTS_KEPT,
    Agent,
    Breaker,
    Failing,
    LastExit,
    Odds,
    World,
    fold,
)
from selfheal.world.agents import QUARANTINE_FIRST_S, QUARANTINE_LAST_S, RECENT_STARTS, settled
from selfheal.world.foresight import ANOMALIES_KEPT, WORK_KEPT
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
    assert len(world.damages) == DAMAGES_KEPT
    assert world.damages[-1].file == "file-249"
    assert list(world.foresight.anomalies) == [f"an-{number}" for number in range(250 - ANOMALIES_KEPT, 250)]
    assert list(world.foresight.work) == [f"work-{number}" for number in range(250 - WORK_KEPT, 250)]
    assert world.foresight.anomalies_seen == world.foresight.work_planned == 250
    assert len(world.alerts) <= ALERTS_KEPT


# --- the state of an agent ---

# One row for each way to be; a blank fits both. Of the process: `none` is a service, `new` was never started,
# `refused` did not start, `died` and `ended` (by us) are gone, `runs` and `late` (not ready in time) are there.
TABLE = """
wanted  finished  window  breaker    busy  process            failing  ready  | state
no                                                                            | stopped
yes     yes                                                                   | stopped
yes     no        yes                                                         | maintenance
yes     no        no      open                                                | quarantined
yes     no        no      not_open   yes                                      | recovering
yes     no        no      not_open   no    new                                | starting
yes     no        no      not_open   no    refused,died,late                  | unhealthy
yes     no        no      not_open   no    ended                              | stopped
yes     no        no      not_open   no    none,runs          all             | unhealthy
yes     no        no      not_open   no    none,runs          some            | degraded
yes     no        no      not_open   no    none,runs          nothing  yes    | healthy
yes     no        no      not_open   no    none,runs          nothing  no     | starting
"""
CHOICES = {
    "wanted": ("yes", "no"),
    "finished": ("yes", "no"),
    "window": ("yes", "no"),
    "breaker": ("closed", "open", "half_open"),
    "busy": ("no", "fixing", "delayed"),
    "process": ("none", "new", "refused", "died", "ended", "runs", "late"),
    "failing": ("nothing", "some", "all"),
    "ready": ("yes", "no"),
}
MEANING = {"not_open": {"closed", "half_open"}, ("busy", "yes"): {"fixing", "delayed"}}


def _rows() -> list[tuple[dict[str, set[str]], str]]:
    head, *lines = TABLE.strip().splitlines()
    cuts = [*(head.index(name) for name in CHOICES), len(head)]
    rows = []
    for line in lines:
        cells, state = line.split("|")
        texts = {name: cells[a:b].strip() for name, (a, b) in zip(CHOICES, pairwise(cuts), strict=True)}
        rows.append(({name: _allowed(name, text) for name, text in texts.items()}, state.strip()))
    return rows


def _allowed(name: str, text: str) -> set[str]:
    if not text:
        return set(CHOICES[name])
    return set().union(*(MEANING.get((name, word), MEANING.get(word, {word})) for word in text.split(",")))


def _agent(case: dict[str, str]) -> Agent:
    breakers: dict[str, BreakerState] = {"open": "open", "half_open": "half_open"}
    failing = {"nothing": (), "some": ("http",), "all": ("http", "process")}[case["failing"]]
    process = case["process"]
    return Agent(
        "api",
        checks=("http", "process"),
        wanted=case["wanted"] == "yes",
        finished=case["finished"] == "yes",
        maintenance_until=BEGIN if case["window"] == "yes" else None,
        breakers={"restart": Breaker(breakers[case["breaker"]])} if case["breaker"] in breakers else {},
        fixing=case["busy"] == "fixing",
        delayed_until=BEGIN if case["busy"] == "delayed" else None,
        has_process=process != "none",
        run=RUN if process in ("runs", "late") else None,
        start_error="no such file" if process in ("refused", "late") else "",
        last_exit=LastExit(BEGIN, 1, None, 1.0, process == "ended", 0) if process in ("died", "ended") else None,
        failing={name: Failing(name, "failed", "status 500", BEGIN) for name in failing},
        ready=case["ready"] == "yes",
    )


def test_the_state_of_an_agent_is_as_the_table_says_in_every_case() -> None:
    rows = _rows()
    for values in product(*CHOICES.values()):
        case = dict(zip(CHOICES, values, strict=True))
        fitting = [state for allowed, state in rows if all(case[name] in words for name, words in allowed.items())]
        assert len(fitting) == 1, f"the table has {len(fitting)} rows for {case}"
        assert settled(_agent(case), BEGIN).state == fitting[0], case


def test_a_service_that_was_declared_is_healthy_until_a_check_says_otherwise() -> None:
    site = AgentDeclared(BEGIN, "site", "service", "application", (), ("http",), False)
    assert world_of(site).agents["site"].state == "healthy"
    failed = HealthChanged(BEGIN + 1, "site", "http", False, "failed", "status 503", BEGIN)
    assert world_of(site, failed).agents["site"].state == "unhealthy"
    assert world_of(site, failed, replace(failed, ok=True, result="ok")).agents["site"].state == "healthy"


# --- runs, restarts, breakers ---


def test_what_an_earlier_run_did_late_says_nothing_of_this_one() -> None:
    agent = api_after(started(BEGIN), started(BEGIN + 1, 2), AgentReady(BEGIN + 2, "api", 1, 0.1), exited(BEGIN + 3, 1))
    assert agent.run is not None
    assert agent.run.generation == 2
    assert not agent.ready


def test_a_new_run_owes_nothing_to_the_one_before() -> None:
    failed = HealthChanged(BEGIN, "api", "http", False, "failed", "status 500", BEGIN)
    agent = api_after(
        started(BEGIN), failed, RestartDelayed(BEGIN, "api", BEGIN + 9, "crash loop"), started(BEGIN + 9, 2, "backoff")
    )
    assert (agent.failing, agent.delayed_until, agent.ready) == ({}, None, False)


def test_only_starts_after_a_crash_count_towards_the_budget_and_only_for_an_hour() -> None:
    reasons = ("first", "reflex", "backoff", "trial", "fix", "person", "dependency", "adopted", "maintenance")
    starts = [started(BEGIN + number, number, reason) for number, reason in enumerate(reasons)]
    agent = api_after(*starts)
    assert agent.recent_starts == tuple(BEGIN + number for number in (1, 2, 3, 4))
    assert agent.restarts == len(reasons) - 3  # the first, the adopted and the person's are no repairs
    later = api_after(*starts, started(BEGIN + 3602.5, 99, "reflex"))
    assert later.recent_starts == (BEGIN + 3, BEGIN + 4, BEGIN + 3602.5)


def test_short_runs_are_counted_in_a_row_and_forgotten_after_a_long_one() -> None:
    history: list[Event] = []
    for generation, ran_s in enumerate((1.0, 9.9, 10.0, 2.0), start=1):
        history += [started(BEGIN + generation, generation), exited(BEGIN + generation, generation, ran_s)]
    assert [api_after(*history[: 2 * count]).short_runs for count in (1, 2, 3, 4)] == [1, 2, 0, 1]
    assert api_after(started(BEGIN), exited(BEGIN + 1, expected=True)).short_runs == 0


def test_a_breaker_that_opens_again_and_again_stays_open_for_longer_up_to_a_limit() -> None:
    waits = []
    agent = api_after()
    for _ in range(20):
        waits.append(agent.breaker.next_wait_s)
        world = replace(EMPTY, agents={"api": agent})
        world = fold(world, BreakerOpened(BEGIN, "api", "restart", BEGIN + waits[-1], "it did not help"))
        agent = fold(world, BreakerTried(BEGIN, "api", "restart")).agents["api"]
    assert waits[:6] == [30.0, 60.0, 120.0, 240.0, 480.0, 900.0]
    assert waits[0] == QUARANTINE_FIRST_S
    assert set(waits[5:]) == {QUARANTINE_LAST_S}


def test_what_helped_or_a_person_who_starts_it_closes_the_breaker_and_forgets_the_past() -> None:
    opened = (started(BEGIN, 1, "reflex"), exited(BEGIN), BreakerOpened(BEGIN, "api", "restart", BEGIN + 30, "why"))
    for closing in (BreakerClosed(BEGIN + 31, "api", "restart", "well"), StartAsked(BEGIN + 31, "api", "cli")):
        agent = api_after(*opened, closing)
        assert agent.breaker == Breaker()
        assert (agent.recent_starts, agent.short_runs) == ((), 0)


def test_the_breaker_of_another_fix_does_not_quarantine() -> None:
    assert api_after(started(BEGIN), BreakerOpened(BEGIN, "api", "purge", BEGIN + 30, "why")).state == "starting"


def test_what_a_person_stopped_stays_stopped_over_a_restart_of_the_daemon() -> None:
    agent = api_after(started(BEGIN), StopAsked(BEGIN, "api", "cli"), DaemonStarted(BEGIN + 60, "1", 1, False))
    assert (agent.state, agent.wanted) == ("stopped", False)


# --- uptime ---


def test_uptime_is_counted_by_the_state_that_held_and_not_while_no_daemon_watched() -> None:
    history: list[Event] = [
        started(BEGIN),
        AgentReady(BEGIN + 10, "api", 1, 10.0),
        HealthChanged(BEGIN + 40, "api", "http", False, "failed", "", BEGIN),  # degraded serves still
        exited(BEGIN + 60),
        started(BEGIN + 65, 2, "reflex"),
        AgentReady(BEGIN + 70, "api", 2, 5.0),
        DaemonStarted(BEGIN + 170, "1", 1, False),
        StopAsked(BEGIN + 180, "api", "cli"),
        StartAsked(BEGIN + 500, "api", "cli"),
    ]
    uptime = api_after(*history).uptime
    assert uptime.healthy_s == pytest.approx(50.0 + 10.0)
    assert uptime.wanted_s == pytest.approx(70.0 + 10.0)


# --- incidents ---

OPENED = IncidentOpened(BEGIN, "inc-1", "api", "exit", "exit code 1", BEGIN)
TRIED = FixStarted(BEGIN + 1, "inc-1", 1, "restart", "application", "api", "crashed")


@pytest.mark.parametrize(
    ("outcome", "odds"),
    [
        ("succeeded", Odds(1, 0)),
        ("failed", Odds(0, 1)),
        ("relapsed", Odds(0, 1)),
        ("timed_out", Odds(0, 1)),
        ("interrupted", None),
        ("rejected", None),
        ("undone", None),
    ],
)
def test_a_verified_attempt_is_learned_from_once(outcome: Outcome, odds: Odds | None) -> None:
    verdict = Verified(BEGIN + 9, "inc-1", 1, outcome, "")
    world = world_of(API, OPENED, TRIED, FixEnded(BEGIN + 2, "inc-1", 1, "succeeded", ""), verdict, verdict)
    assert world.odds.get(("api", "crashed", "restart")) == odds


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


def test_nothing_can_happen_to_an_agent_that_was_never_declared_or_is_gone() -> None:
    assert world_of(started(BEGIN)).agents == {}
    assert world_of(API, AgentRemoved(BEGIN, "api"), started(BEGIN)).agents == {}


@settings(max_examples=60)
@given(histories())
def test_an_agent_is_never_both_well_and_down(history: list[Event]) -> None:
    agents = world_of(*history).agents.values()
    assume(agents)
    assert not any(agent.well and agent.down for agent in agents)
