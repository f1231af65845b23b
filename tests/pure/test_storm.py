"""Of many that fail at once: who is healed first, and what follows for the others?"""

from __future__ import annotations

import pytest

from selfheal.decide.guard import Rules
from selfheal.decide.matter import Matter
from selfheal.decide.storm import storm as storm_gate
from selfheal.events import AgentDeclared, Event, FixEnded, FixStarted, HealthChanged, Verified
from selfheal.kinds import Observation
from selfheal.plans import Hold
from selfheal.vitals import CheckRecord, Vitals
from selfheal.vocabulary import Outcome
from selfheal.world import EMPTY, World
from tests.pure.situations import NOW, after, failed, incident, opened, ready, vitals
from tests.pure.test_guard import ONSET, RULES, plan


def many_fail(size: int, failing: int, *more: Event, at: float = ONSET) -> tuple[World, Vitals]:
    """A fleet of this size in which so many agents fail at once, by checks that ask what they answer; x0 has inc-1."""
    world = EMPTY
    for number in range(size):
        name = f"x{number}"
        world = after(
            world, AgentDeclared(0.0, name, "service", "application", (), ("http",), False), ready(name, 0.0, 0)
        )
    for number in range(failing):
        world = after(world, failed(f"x{number}", at), opened(f"x{number}", at, number + 1))
    world = after(world, *more)
    return world, vitals(world, NOW - 1, **{f"x{number}": "http" for number in range(failing)})


def storming(world: World, seen: Vitals, number: int = 1, rules: Rules = RULES) -> Hold | None:
    one = incident(world, number)
    return storm_gate(Matter(world, seen, one, plan(one.agent), rules, NOW))


def tried_on(number: int, outcome: Outcome | None) -> list[Event]:
    """A restart in the incident of this number, judged where an outcome is given."""
    name, agent = f"inc-{number}", f"x{number - 1}"
    acts: list[Event] = [
        FixStarted(NOW - 9, name, 1, "restart", "application", agent, "hung"),
        FixEnded(NOW - 8, name, 1, "succeeded", ""),
    ]
    return acts if outcome is None else [*acts, Verified(NOW - 1, name, 1, outcome, "")]


def test_of_many_that_fail_at_once_one_is_healed_first_and_the_others_if_that_helped() -> None:
    assert storming(*many_fail(50, 30), number=7) is None, "somebody has to be the first"
    waiting = storming(*many_fail(50, 30, *tried_on(1, None)), number=7)
    assert waiting is not None
    assert waiting.reason == "much of the fleet fails at once, and x0 is healed first"
    assert storming(*many_fail(50, 30, *tried_on(1, "succeeded")), number=7) is None
    in_vain = storming(*many_fail(50, 30, *tried_on(1, "failed")), number=7)
    assert in_vain is not None
    assert in_vain.reason == "much of the fleet fails at once, and restart of x0 has not helped: what do they share?"


@pytest.mark.parametrize(
    ("size", "failing", "storms"), [(3, 3, False), (6, 3, False), (6, 4, True), (50, 10, False), (50, 11, True)]
)
def test_a_few_that_fail_at_once_are_no_storm_in_a_small_fleet_either(size: int, failing: int, storms: bool) -> None:
    assert (storming(*many_fail(size, failing, *tried_on(1, "failed")), number=2) is not None) is storms


def test_what_has_failed_for_long_already_does_not_make_a_storm() -> None:
    world, _ = many_fail(50, 30, at=NOW - 7200)
    world = after(world, failed("x40", ONSET), opened("x40", ONSET, 41), *tried_on(1, "failed"))
    seen = Vitals()
    for agent in world.agents.values():
        since = NOW - 7200 if agent.failing else 0.0
        last = Observation(agent.name, "http", NOW - 1, 0.01, "failed" if agent.failing else "ok")
        seen.put(agent.name, CheckRecord("http", not agent.failing, not agent.failing, 9, since, last))
    assert storming(world, seen, number=41) is None


def test_a_process_that_is_gone_or_stopped_is_healed_in_a_storm_too() -> None:
    world, seen = many_fail(50, 30, *tried_on(1, "failed"))
    stopped = after(world, failed("x6", NOW, "process", "stopped (SIGSTOP)", local=True))
    assert storming(stopped, seen, number=7) is None


def test_once_most_are_well_again_the_last_have_a_moment_to_follow_and_are_healed_then() -> None:
    back = [HealthChanged(NOW - 5, f"x{n}", "http", True, "ok", "", NOW - 6) for n in range(1, 30) if n != 6]
    world, _ = many_fail(50, 30, *tried_on(1, "failed"), *back)
    seen = vitals(world, NOW - 1, x0="http", x6="http")
    early = storming(world, seen, number=7)
    assert early is not None
    assert (early.reason, early.until) == ("much of the fleet failed at once, and has only just come back", NOW + 40)
    later = storm_gate(Matter(world, seen, incident(world, 7), plan("x6"), RULES, NOW + 40))
    assert later is None
