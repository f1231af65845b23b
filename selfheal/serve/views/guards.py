"""What was asked before acting, and what did each guard see?

The questions and their order are those of `decide.guard` and `decide.reflex`. Newer events name the guards that let an
act pass, or the one that held it, by its code; where they do that is what is told. Of older ones it is worked out from
what was known then: a guard whose inputs no event records (a setting, an answer of a check between two events) is named
all the same, and what it saw is told to be unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from selfheal.serve.models.explanation import Answer, GuardView
from selfheal.serve.times import time_of_day
from selfheal.vocabulary import GUARDS, GuardCode
from selfheal.world import Breaker
from selfheal.world.agents import HOUR_S

if TYPE_CHECKING:
    from selfheal.events import Held, Planned
    from selfheal.world import Agent, Incident, World

TEN_MINUTES_S = 600.0


# The guards of `decide.guard`, in their order.
STEPS: tuple[GuardCode, ...] = (
    "target", "duplicate", "maintenance", "paused", "data_held", "interrupted", "recovering", "dependency", "storm",
    "dry_run", "concurrency", "agent_budget", "fleet_budget", "cooldown",
)  # fmt: skip


class _Question(NamedTuple):
    """`no` is whether what it saw says no; None where that cannot be known from events."""

    guard: str
    saw: str
    no: bool | None


def starts_last_hour(agent: Agent, at: float) -> int:
    """Starts after a failure within the hour before `at`: what is written down after the act does not count itself."""
    return sum(at - HOUR_S < start < at for start in agent.recent_starts)


def before_reason(
    world: World, agent: Agent, incident: Incident | None, fix: str, at: float, *, held: bool
) -> list[GuardView]:
    """The guards of a reasoned act: all have let it pass, or one of them has `held` it."""
    questions = list(_of_reason(world, agent, incident, fix, at))
    return _held(questions) if held else [_answered(one, "passed") for one in questions]


def let_pass(world: World, agent: Agent, incident: Incident | None, plan: Planned) -> list[GuardView]:
    """The guards that a plan says to have passed, and a person's word where there was one."""
    saw = _seen_by(world, agent, incident, plan.fix, plan.at)
    passed = [GuardView(guard=code, saw=saw.get(code, ""), answer="passed") for code in plan.passed]
    return [*passed, *(_answered(one, "passed") for one in _approval(agent, incident, plan.fix))]


def held_by(world: World, agent: Agent, incident: Incident | None, held: Held, code: GuardCode) -> list[GuardView]:
    """The guard that holds an act, those before it, which had let it pass, and those that were not asked any more.

    What bars a fix is no step of the guard: it stands alone.
    """
    saw, holding = _seen_by(world, agent, incident, held.fix, held.at), STEPS.index(code) if code in STEPS else 0
    before, behind = (STEPS[:holding], STEPS[holding + 1 :]) if code in STEPS else ((), ())
    return [
        *(GuardView(guard=one, saw=saw.get(one, ""), answer="passed") for one in before),
        GuardView(guard=code, saw=held.reason or GUARDS[code], answer="held"),
        *(GuardView(guard=one, saw="", answer="not asked") for one in behind),
    ]


def before_reflex(world: World, agent: Agent, at: float) -> list[GuardView]:
    """The guards of a reflex, which have let it pass."""
    return [_answered(one, "passed") for one in _of_reflex(world, agent, at)]


def _held(questions: list[_Question]) -> list[GuardView]:
    """The first that is seen to say no has held it; where none is, it was one of which that cannot be known."""
    last = next((place for place, one in enumerate(questions) if one.no), len(questions))
    sure = next((place for place, one in enumerate(questions) if one.no is None), len(questions))
    before = [_answered(one, "passed" if place < sure else "not known") for place, one in enumerate(questions[:last])]
    holding = [_answered(one, "held") for one in questions[last : last + 1]]
    return [*before, *holding, *(_answered(one, "not asked") for one in questions[last + 1 :])]


def _answered(question: _Question, answer: Answer) -> GuardView:
    return GuardView(guard=question.guard, saw=question.saw, answer=answer)


def _seen_by(world: World, agent: Agent, incident: Incident | None, fix: str, at: float) -> Mapping[GuardCode, str]:
    """What is known of that which each guard looked at."""
    asked: Mapping[GuardCode, _Question] = {
        "duplicate": _Question("", _fixing(agent), None),
        "maintenance": _maintenance(agent),
        "paused": _pause(world, agent),
        "dependency": _dependencies(world, agent),
        "dry_run": _dry_run(world),
        "concurrency": _at_once(world, incident),
        "agent_budget": _Question("", _acts(world, at - TEN_MINUTES_S, at, agent.name) + " within ten minutes", None),
        "fix_budget": _Question("", _acts(world, at - HOUR_S, at, fix=fix) + f" of {fix} within the hour", None),
        "fleet_budget": _Question("", _acts(world, at - HOUR_S, at) + " in the fleet within the hour", None),
        "breaker": _breaker(agent, fix, at),
    }
    return {code: question.saw for code, question in asked.items()}


def _acts(world: World, since: float, until: float, agent: str = "", fix: str = "") -> str:
    found = [one for one in world.done if since < one.at < until and agent in ("", one.agent) and fix in ("", one.fix)]
    return _counted(len(found), "act")


def _of_reason(world: World, agent: Agent, incident: Incident | None, fix: str, at: float) -> Iterator[_Question]:
    yield _pause(world, agent)
    yield _maintenance(agent)
    yield _Question("one act at a time", _fixing(agent), agent.fixing)
    yield _Question("whether it answers again", "no event tells what its checks said since", None)
    yield _dependencies(world, agent)
    yield _dry_run(world)
    yield _at_once(world, incident)
    yield _Question("budget of an hour", _starts(agent, at), None)
    yield _breaker(agent, fix, at)
    yield from _approval(agent, incident, fix)


def _of_reflex(world: World, agent: Agent, at: float) -> Iterator[_Question]:
    yield _dry_run(world)
    yield _pause(world, agent)
    yield _maintenance(agent)
    yield _breaker(agent, "restart", at)
    yield _Question("budget of an hour", _starts(agent, at), None)
    yield _Question("back-off", _counted(agent.short_runs, "short run") + " in a row before this one", None)


def _pause(world: World, agent: Agent) -> _Question:
    who = "all of healing is paused" if world.paused else f"healing of {agent.name} is paused" if agent.paused else ""
    return _Question("pause", who or "healing is on", bool(who))


def _maintenance(agent: Agent) -> _Question:
    until = agent.maintenance_until
    saw = f"{agent.name} is in maintenance until {time_of_day(until)}" if until is not None else "no window is open"
    return _Question("maintenance", saw, until is not None)


def _fixing(agent: Agent) -> str:
    return f"something is being done to {agent.name}" if agent.fixing else f"nothing is being done to {agent.name}"


def _dependencies(world: World, agent: Agent) -> _Question:
    """A process that is gone or stopped is local evidence: what its dependencies do does not matter then."""
    if (agent.has_process and agent.run is None) or any(one.local for one in agent.failing.values()):
        return _Question("dependencies", "its own process is what is wrong, whatever they do", False)
    known = [world.agents[name] for name in world.dependencies(agent.name) if name in world.agents]
    if not known:
        return _Question("dependencies", "it depends on nothing", False)
    down = any(not one.well and not one.at_rest for one in known)
    return _Question("dependencies", ", ".join(f"{one.name} is {one.state}" for one in known), down or None)


def _approval(agent: Agent, incident: Incident | None, fix: str) -> Iterator[_Question]:
    """What a person said of it; nothing where nobody was asked."""
    asked = incident.approval if incident is not None else None
    if asked is not None and (asked.fix, asked.agent) == (fix, agent.name):
        word = {None: "asked, with no answer yet", True: f"approved by {asked.by}", False: f"rejected by {asked.by}"}
        yield _Question("approval", word[asked.approved], asked.approved is False)


def _dry_run(world: World) -> _Question:
    return _Question("dry run", "it is on" if world.dry_run else "it is off", world.dry_run)


def _at_once(world: World, incident: Incident | None) -> _Question:
    """The limit is a setting, and never more than a third of the fleet."""
    others = [one for one in world.open_incidents() if one.acting and (incident is None or one.id != incident.id)]
    most = max(1, len(world.agents) // 3)
    saw = f"{len(others)} under way elsewhere, and at most {most} at once in a fleet of {len(world.agents)}"
    return _Question("recoveries at once", saw, True if len(others) >= most else None if others else False)


def _starts(agent: Agent, at: float) -> str:
    return _counted(starts_last_hour(agent, at), "restart") + " after a failure in the last hour"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _breaker(agent: Agent, fix: str, at: float) -> _Question:
    known = agent.breakers.get(fix, Breaker())
    trial = f", next trial at {time_of_day(known.retry_at)}" if known.state == "open" else ""
    return _Question(
        "breaker", f"{known.state.replace('_', ' ')}{trial}", known.state == "open" and at < known.retry_at
    )
