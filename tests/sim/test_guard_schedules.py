"""Do the guard rules hold in whatever order things happen, and would it be noticed if one did not?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from selfheal.clock import Clock
from selfheal.compose.control import FleetControl
from selfheal.decide import bars, guard, incident
from selfheal.detect import triage
from selfheal.events import ApprovalAnswered, BreakerOpened, FixStarted
from selfheal.kinds import Act
from selfheal.plans import Plan
from selfheal.recover.applying import Applying
from selfheal.recover.engine import Healer
from selfheal.world import Agent, Incident, World
from tests.sim.guard_rules import broken_rules
from tests.sim.schedules import Schedule, asked, perform

SCHEDULES = 600
# A violation that was planted shows within so many schedules; most do within ten.
SEARCHED = 2000


def broken(seed: int) -> list[str]:
    one = perform(seed)
    return broken_rules(one.trace, one.begun, one.limits())


@pytest.mark.parametrize("part", range(8))
def test_no_rule_is_broken_in_any_schedule(part: int) -> None:
    for seed in range(part, SCHEDULES, 8):
        assert broken(seed) == [], f"seed {seed}"


def test_the_same_seed_is_the_same_schedule() -> None:
    assert perform(7).trace == perform(7).trace
    assert perform(7).trace != perform(8).trace


def test_the_schedules_come_to_what_they_are_to_try() -> None:
    """A search that never acts, asks, halts, undoes or crashes would find nothing."""
    names = {type(event).__name__ for seed in range(100) for event in perform(seed).trace}
    wanted = {
        "FixStarted", "ActStarted", "Verified", "UndoStarted", "UndoEnded", "ApprovalAsked", "ApprovalAnswered",
        "HealingPaused", "HealingResumed", "MaintenanceBegan", "AgentRemoved", "BreakerOpened", "BreakerTried", "Held",
        "IncidentEscalated", "IncidentResolved", "FixRelapsed", "DaemonStarted",
    }  # fmt: skip
    assert wanted <= names


# --- planted violations ---

Plant = Callable[[pytest.MonkeyPatch], None]


def without(code: str) -> Plant:
    """The guards without this one."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        left = tuple((name, one) for name, one in guard.GUARDS if name != code)
        assert len(left) < len(guard.GUARDS)
        monkeypatch.setattr(guard, "GUARDS", left)

    return plant


def unbarred(name: str) -> Plant:
    """The bars without this one."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        left = tuple(one for one in bars._BARS if one.__name__ != name)
        assert len(left) < len(bars._BARS)
        monkeypatch.setattr(bars, "_BARS", left)

    return plant


def an_engine_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the question whether it may be done and the record that it is: whatever happens then is not seen."""
    begin = Healer._start

    async def late(self: Healer, one: Incident, plan: Plan) -> None:
        await clock_of(self).sleep(30.0)
        await begin(self, one, plan)

    monkeypatch.setattr(Healer, "_start", late)


def clock_of(healer: Healer) -> Clock:
    return healer._clock


def a_switch_that_cuts_nothing_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Applying, "halt", lambda self, why: None)


def acts_that_do_not_wait_for_their_intent(monkeypatch: pytest.MonkeyPatch) -> None:
    do = Applying._do

    async def hasty(self: Applying, act: Act) -> None:
        await do(self, replace(act, repeatable=True))

    monkeypatch.setattr(Applying, "_do", hasty)


def an_answer_that_counts_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(self: FleetControl, name: str, approved: bool, by: str) -> None:
        known: Any = self
        await known._order(ApprovalAnswered(known._clock.now(), name, approved, by))

    monkeypatch.setattr(FleetControl, "_answer", answer)


def nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incident, "must_ask", lambda one, fix, mode: False)


def breakers_of_no_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was tried in vain is tried again, whatever its breaker says."""
    monkeypatch.setattr(triage, "TRIES", 1)
    unbarred("_breaker")(monkeypatch)
    unbarred("_repeated")(monkeypatch)


def a_maintenance_of_no_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    def suffering(world: World, one: Incident) -> list[Agent]:
        return [world.agents[name] for name in one.agents if name in world.agents and world.agents[name].down]

    monkeypatch.setattr(incident, "_suffering", suffering)
    without("maintenance")(monkeypatch)


def whoever_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan for an agent that nobody knows."""
    begin = Healer._start

    async def anyone(self: Healer, one: Incident, plan: Plan) -> None:
        await begin(self, one, replace(plan, agent=""))

    monkeypatch.setattr(Healer, "_start", anyone)


PLANTED: dict[str, tuple[str, Plant]] = {
    "no limit of concurrent recoveries": ("concurrency", without("concurrency")),
    "no limit for one agent": ("agent budget", without("agent_budget")),
    "no limit for the fleet": ("fleet budget", without("fleet_budget")),
    "no limit for a fix": ("fix budget", unbarred("_fix_budget")),
    "no cool-down": ("cooldown", without("cooldown")),
    "no kill switch": ("kill switch", without("paused")),
    "a kill switch between acts alone": ("kill switch", a_switch_that_cuts_nothing_short),
    "a check that is not made where it counts": ("kill switch", an_engine_that_waits),
    "no maintenance": ("maintenance", a_maintenance_of_no_effect),
    "no look at dependencies": ("dependency", without("dependency")),
    "no storm": ("storm", without("storm")),
    "what failed is repeated": ("repeated", unbarred("_repeated")),
    "any fix on any guess": ("confidence", unbarred("_confidence")),
    "modes of no effect": ("mode", unbarred("_mode")),
    "an open breaker": ("breaker", breakers_of_no_effect),
    "nobody is asked": ("single approval", nobody_is_asked),
    "two answers": ("single approval", an_answer_that_counts_twice),
    "an act before its intent is durable": ("durable intent", acts_that_do_not_wait_for_their_intent),
    "nobody as the target": ("target", whoever_is_not_there),
}


@pytest.mark.parametrize("name", sorted(PLANTED))
def test_a_violation_that_was_planted_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rule, plant = PLANTED[name]
    plant(monkeypatch)
    for seed in range(SEARCHED):
        if any(why.startswith(f"{rule}:") for why in found(seed)):
            return
    pytest.fail(f"{rule}: not noticed in {SEARCHED} schedules")


def found(seed: int) -> list[str]:
    """The rules that were broken, also where that ended the schedule before its time."""
    try:
        return broken(seed)
    except (KeyError, StopIteration, asyncio.InvalidStateError):
        return []


def test_of_a_thousand_calls_at_once_a_half_open_breaker_lets_one_through_and_stays_open_over_a_crash() -> None:
    async def story(one: Schedule) -> tuple[int, int]:
        one.fits["jobs"] = (replace(one.fixes["mend"], undo=None),)
        now = one.clock.now()
        one.ledger.record(BreakerOpened(now, "jobs", "mend", now + 60.0, "it did not help"))
        one.fail("jobs")
        await asyncio.gather(*(one.healer.heal() for _ in range(1000)))
        assert one.ledger.world.agents["jobs"].breakers["mend"].state == "open"
        await one.crash()
        await one.clock.sleep(30.0)
        await asyncio.gather(*(one.healer.heal() for _ in range(1000)))
        before = sum(isinstance(event, FixStarted) for event in one.trace)
        await one.clock.sleep(30.0)
        await asyncio.gather(*(one.healer.heal() for _ in range(1000)))
        return before, sum(isinstance(event, FixStarted) for event in one.trace)

    for seed in range(20):
        assert asked(seed, story) == (0, 1), f"seed {seed}"
