"""What does the daemon put into a case of its own?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from selfheal.compose.casework import AGENTS, case_of, neighbourhood, signs_of, whose_logs
from selfheal.diagnose.case import Case
from selfheal.diagnose.rank import rank
from selfheal.events import (
    AgentDeclared,
    AgentExited,
    AgentReady,
    AgentStartFailed,
    FilesChanged,
    HealthChanged,
    StopAsked,
)
from selfheal.history.rings import History
from selfheal.kinds import Observation
from selfheal.signatures import shipped
from selfheal.vitals import CheckRecord, Vitals
from selfheal.world import EMPTY, World
from tests.pure.situations import NOW, after, failed, fleet, incident, opened, vitals


def case(world: World, seen: Vitals | None = None, history: History | None = None, **logs: str) -> Case:
    known = case_of(world, seen or vitals(world), history or History(), incident(world))
    return replace(known, signs=signs_of({name: log.splitlines() for name, log in logs.items()}, shipped()))


def troubled(*events: object) -> World:
    return after(fleet(), *events, opened("api", NOW))  # type: ignore[arg-type]


def test_it_is_about_the_agent_what_it_depends_on_and_who_depends_on_it() -> None:
    known = case(troubled())
    assert known.services() == ("api", "cache", "web")
    assert known.graph == {"web": ("api",), "api": ("cache",)}
    assert known.alert is not None
    assert known.alert.service == "api"


def test_a_large_fleet_is_cut_to_the_nearest() -> None:
    world = after(EMPTY, AgentDeclared(NOW, "hub", "process", "application", (), ("http",), True))
    for number in range(3 * AGENTS):
        world = after(world, AgentDeclared(NOW, f"w{number}", "process", "application", ("hub",), ("http",), True))
    world = after(world, opened("w7", NOW))
    names = neighbourhood(world, incident(world))
    assert names[:2] == ("w7", "hub")
    assert len(names) <= AGENTS


def test_signals_are_those_of_the_last_while_up_to_now() -> None:
    history = History()
    for second in range(-4000, 20, 5):
        history.append("cache", "latency", NOW + second, 0.02)
        history.append("site", "latency", NOW + second, 0.02)
    (series,) = case(troubled(), history=history).series
    assert (series.service, series.metric) == ("cache", "latency")
    assert min(series.at) >= NOW - 1200.0
    assert max(series.at) == NOW + 15.0
    assert len(series.at) == len(series.values)


def test_what_failed_slowly_is_about_latency() -> None:
    slow = HealthChanged(NOW, "api", "http", False, "failed", "took 3 s", NOW - 5.0, False, "slow")
    known = case(troubled(slow))
    assert known.alert is not None
    assert known.alert.metric == "latency"


def test_states_tell_the_settled_from_the_doubtful_and_from_those_that_answer() -> None:
    world = troubled(failed("api", NOW))
    seen = vitals(world, NOW + 1.0, api="http")
    bad = Observation("cache", "http", NOW + 2.0, 0.01, "failed")
    seen.put("cache", CheckRecord("http", True, False, 1, NOW + 2.0, bad))
    known = {one.service: one for one in case(world, seen).states}
    assert (known["api"].down, known["api"].local, known["api"].says) == (True, False, "http: status 500")
    assert (known["cache"].down, known["cache"].doubtful, known["cache"].answers) == (False, True, False)
    assert (known["web"].down, known["web"].doubtful, known["web"].answers) == (False, False, True)


def test_what_was_not_asked_since_is_not_said_to_answer() -> None:
    world = troubled()
    assert not any(one.answers for one in case(world, vitals(world, NOW - 5.0)).states)


def test_a_process_that_is_gone_is_local_and_its_end_is_told() -> None:
    world = troubled(AgentExited(NOW, "cache", 1, 101, None, 9, 3600.0, expected=False))
    known = case(world)
    assert next(one for one in known.states if one.service == "cache").local
    assert [(one.service, one.signal) for one in known.ends] == [("cache", 9)]


def test_what_was_stopped_on_purpose_is_in_no_trouble() -> None:
    stopped = (
        StopAsked(NOW - 9.0, "cache", "ada"),
        AgentExited(NOW - 8.0, "cache", 1, 101, 0, None, 9.0, expected=True),
    )
    known = case(troubled(*stopped))
    assert not known.ends
    assert not next(one for one in known.states if one.service == "cache").down


def test_what_cannot_be_started_says_why() -> None:
    world = after(
        fleet(),
        AgentExited(NOW - 2.0, "cache", 1, 101, 1, None, 9.0, expected=False),
        AgentStartFailed(NOW - 1.0, "cache", "no such program", "missing_program"),
        opened("api", NOW),
    )
    state = next(one for one in case(world).states if one.service == "cache")
    assert (state.local, state.says, state.cause) == (True, "no such program", "missing_program")


def test_how_much_of_a_limit_is_used_is_known_where_there_is_one() -> None:
    limited = AgentDeclared(
        NOW - 5.0, "cache", "process", "application", (), ("http", "process"), True, memory_limit=1000, fds_limit=10
    )
    world = troubled(limited)
    seen = vitals(world)
    seen.put_signals("cache", {"rss": 950.0, "fds": 2.0})
    assert {(one.what, one.share) for one in case(world, seen).uses} == {("memory", 0.95), ("open files", 0.2)}


def test_changes_are_those_of_its_neighbourhood_before_it_began() -> None:
    world = after(
        fleet(),
        FilesChanged(NOW - 60.0, "cache", ("/etc/cache.toml",)),
        FilesChanged(NOW - 60.0, "site", ("/etc/site.toml",)),
        opened("api", NOW),
        FilesChanged(NOW + 60.0, "api", ("/etc/api.toml",)),
    )
    assert [(one.service, one.title) for one in case(world).changes] == [("cache", "edited: cache.toml")]


def test_logs_give_away_what_is_known_and_only_in_their_last_lines() -> None:
    old = "OSError: [Errno 28] No space left on device\n" + "GET / 200\n" * 30
    world = troubled()
    assert [(one.service, one.cause) for one in case(world, cache="bind: address already in use").signs] == [
        ("cache", "port_taken")
    ]
    assert case(world, cache=old).signs == ()
    assert whose_logs(world, incident(world)) == ("cache",)


@pytest.mark.parametrize("name", ["api", "web", "cache", "site"])
def test_where_nothing_is_known_nobody_is_blamed(name: str) -> None:
    world = after(fleet(), opened(name, NOW))
    assert rank(case(world, Vitals())).verdict == "none"


def test_an_agent_that_is_gone_meanwhile_is_no_error() -> None:
    world = after(EMPTY, AgentReady(NOW, "api", 1, 0.1), opened("api", NOW))
    assert case(world).services() == ("api",)
