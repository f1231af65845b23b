"""How does the state of an agent follow from what happened to it?"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from itertools import pairwise, product

import pytest

from selfheal.events import (
    AgentDeclared,
    AgentExited,
    AgentReady,
    AgentStarted,
    BreakerClosed,
    BreakerOpened,
    BreakerTried,
    CheckBroke,
    CheckMended,
    DaemonStarted,
    DaemonStopped,
    Event,
    HealthChanged,
    RestartDelayed,
    Run,
    StartAsked,
    StopAsked,
)
from selfheal.vocabulary import BreakerState
from selfheal.world import (
    EMPTY,
    Agent,
    Breaker,
    Failing,
    LastExit,
    World,
    fold,
)
from selfheal.world.agents import settled
from selfheal.world.breakers import QUARANTINE_FIRST_S, QUARANTINE_LAST_S
from tests.pure.histories import BEGIN

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


SITE = AgentDeclared(BEGIN, "site", "service", "application", (), ("http",), False)


def test_a_service_is_starting_until_its_checks_have_told_and_again_with_each_new_daemon() -> None:
    def state(*history: Event) -> str:
        return world_of(SITE, *history).agents["site"].state

    failed = HealthChanged(BEGIN + 1, "site", "http", False, "failed", "status 503", BEGIN)
    good, woken = AgentReady(BEGIN + 1, "site", 0, 1.0), DaemonStarted(BEGIN + 9, "1", 1, False)
    assert state() == "starting"
    assert state(good) == "healthy"
    assert state(failed) == "unhealthy"
    assert state(failed, replace(failed, ok=True, result="ok"), good) == "healthy"
    assert state(good, woken) == "starting"
    assert state(failed, woken) == "unhealthy"
    assert world_of(replace(SITE, checks=())).agents["site"].state == "healthy"  # nothing will ever tell


def test_an_agent_whose_only_configured_check_has_fallen_is_unhealthy_whatever_its_process_does() -> None:
    failed = HealthChanged(BEGIN + 1, "api", "http", False, "failed", "status 503", BEGIN)
    running = (started(BEGIN), AgentReady(BEGIN, "api", 1, 0.1))
    declared = replace(API, implicit=("process",))
    assert world_of(declared, *running, failed).agents["api"].state == "unhealthy"
    two = replace(declared, checks=("http", "tcp", "process"))
    assert world_of(two, *running, failed).agents["api"].state == "degraded"
    stopped = replace(failed, check="process", local=True)
    assert world_of(two, *running, stopped).agents["api"].state == "unhealthy"


def test_an_agent_with_a_broken_check_is_degraded_and_well_until_it_is_mended() -> None:
    running = (started(BEGIN), AgentReady(BEGIN, "api", 1, 0.1))
    broke = CheckBroke(BEGIN + 1, "api", "http", "cannot start './nothere'")
    agent = api_after(*running, broke)
    assert (agent.state, agent.well, agent.down, agent.telling) == ("degraded", True, False, ("process",))
    assert api_after(*running, broke, CheckMended(BEGIN + 2, "api", "http")).state == "healthy"
    assert api_after(*running, broke, replace(API, checks=("process",))).state == "healthy"
    both = api_after(*running, broke, replace(broke, check="process"))
    assert both.telling == both.checks
    assert api_after(started(BEGIN), broke).state == "starting"


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


def test_the_log_of_a_run_begins_where_that_of_the_run_before_ended_and_what_is_adopted_goes_on() -> None:
    agent = api_after(
        started(BEGIN),
        replace(exited(BEGIN + 1), log_end=500),
        started(BEGIN + 1, 2, "reflex"),
        started(BEGIN + 9, 2, "adopted"),
        replace(exited(BEGIN + 10, 2), log_end=900),
        started(BEGIN + 10, 3, "reflex"),
    )
    assert agent.last_exit is not None
    assert (agent.last_exit.log_begin, agent.last_exit.log_end) == (500, 900)
    assert agent.log_begin == 900


def test_only_starts_after_a_crash_count_towards_the_budget_and_only_for_an_hour() -> None:
    reasons = ("first", "reflex", "backoff", "trial", "fix", "person", "dependency", "adopted", "maintenance", "reload")
    starts = [started(BEGIN + number, number, reason) for number, reason in enumerate(reasons)]
    agent = api_after(*starts)
    assert agent.recent_starts == tuple(BEGIN + number for number in (1, 2, 3, 4))
    assert agent.restarts == len(reasons) - 4  # the first, the adopted, the person's and the reload's are no repairs
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


def test_what_the_last_daemon_stopped_with_itself_is_about_to_start_and_not_stopped() -> None:
    ended = exited(BEGIN + 5, expected=True)
    over = DaemonStopped(BEGIN + 6, "")
    assert api_after(started(BEGIN), ended, over).state == "stopped"
    again = DaemonStarted(BEGIN + 9, "", 2, False)
    assert api_after(started(BEGIN), ended, over, again).state == "starting"
    by_a_person = StopAsked(BEGIN + 4, "api", "cli")
    assert api_after(started(BEGIN), by_a_person, ended, over, again).state == "stopped"
    died = replace(ended, expected=False)
    assert api_after(started(BEGIN), died, over, again).state == "unhealthy"


# --- uptime ---


def test_uptime_is_counted_by_the_state_that_held_and_not_while_no_daemon_watched() -> None:
    history: list[Event] = [
        started(BEGIN),
        AgentReady(BEGIN + 10, "api", 1, 10.0),
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


def failing(at: float, since: float, check: str = "http") -> HealthChanged:
    return HealthChanged(at, "api", check, False, "failed", "", since)


def test_what_was_counted_since_a_failure_was_first_seen_is_taken_back_once() -> None:
    up = (started(BEGIN), AgentReady(BEGIN + 10, "api", 1, 10.0))
    agent = api_after(*up, failing(BEGIN + 40, BEGIN + 32), failing(BEGIN + 41, BEGIN + 30, "process"))
    assert (agent.uptime.healthy_s, agent.uptime.wanted_s) == pytest.approx((20.0, 41.0))


def test_no_more_is_taken_back_than_was_counted_in_the_latest_stretch() -> None:
    up = (started(BEGIN), AgentReady(BEGIN + 10, "api", 1, 10.0), exited(BEGIN + 20))
    again = (*up, started(BEGIN + 21, 2, "reflex"), AgentReady(BEGIN + 25, "api", 2, 4.0))
    assert api_after(*again, failing(BEGIN + 40, BEGIN)).uptime.healthy_s == pytest.approx(10.0)
    woken = DaemonStarted(BEGIN + 500, "1", 1, False)
    assert api_after(*again, woken, failing(BEGIN + 510, BEGIN)).uptime.healthy_s == pytest.approx(10.0 + 0.0)


def test_an_agent_that_is_degraded_is_not_counted_as_healthy() -> None:
    up = (started(BEGIN), AgentReady(BEGIN, "api", 1, 0.0))
    later = api_after(*up, failing(BEGIN + 40, BEGIN + 40), replace(failing(BEGIN + 60, BEGIN + 40), ok=True))
    assert (later.uptime.healthy_s, later.uptime.wanted_s) == pytest.approx((40.0, 60.0))
