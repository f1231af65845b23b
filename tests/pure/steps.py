"""What the healer would do next: a step, for the stories of the tests in here."""

from __future__ import annotations

from selfheal.decide.choice import Belief
from selfheal.decide.guard import Rules
from selfheal.decide.incident import Healing, next_step
from selfheal.events import (
    Event,
    Verified,
)
from selfheal.kinds import Act, Fix, Hands, Target
from selfheal.plans import (
    Step,
)
from selfheal.recover.restart import RESTART, RESTART_WITH_DEPENDENTS
from selfheal.verify import first_good_at, verify
from selfheal.vitals import Vitals
from selfheal.vocabulary import Mode
from selfheal.world import Incident, World
from tests.pure.situations import (
    NAMES,
    NOW,
    after,
    diagnosed,
    died,
    failed,
    fleet,
    incident,
    opened,
    vitals,
)

BEGAN = NOW - 20.0


async def _nothing(hands: Hands, target: Target) -> str:
    return ""


COMMAND = Act("command", _nothing, repeatable=False)


def own(name: str, *causes: str, approval: bool = False) -> Fix:
    mode: Mode = "ask" if approval else "auto"
    return Fix(name, "application", frozenset(causes), 10.0, 0.0, 60.0, (COMMAND,), mode=mode, for_any_cause=True)


PURGE = own("purge", "disk_full", approval=True)
OTHER = own("other")
RULES = Rules(max_concurrent_recoveries=3, attempts_per_hour=12, dry_run=False, verify_s=10.0, policies={})


def _verdict(world: World, seen: Vitals, one: Incident, window_s: float, now: float) -> Verified | float:
    found = verify(world, seen, one, window_s, now)
    return found if isinstance(found, Verified) else found.until


def healing(*fixes: Fix, rules: Rules = RULES) -> Healing:
    every = dict.fromkeys((*NAMES, "site"), fixes or (RESTART, RESTART_WITH_DEPENDENTS))
    return Healing(every, rules, lambda agent, cause, fix, mean, weight: Belief(mean), _verdict, first_good_at)


def sick(*more: Event, agent: str = "api", cause: str = "hung") -> World:
    """A check fails, the incident is open and diagnosed."""
    return after(fleet(), failed(agent, BEGAN), opened(agent, BEGAN), diagnosed(cause, agent, BEGAN), *more)


def dead(*more: Event) -> World:
    """The process died, the incident is open and diagnosed."""
    return after(fleet(), died("api", BEGAN), opened("api", BEGAN, trigger="exit"), diagnosed("crashed", "api"), *more)


def step(world: World, seen: Vitals | None = None, *fixes: Fix, now: float = NOW, rules: Rules = RULES) -> Step:
    seen = seen or vitals(world, NOW - 1.0, api="http")
    return next_step(world, seen, incident(world), healing(*fixes, rules=rules), now)
