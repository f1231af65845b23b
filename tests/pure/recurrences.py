"""How well does memory serve, over a year of incidents that come again?

Seeded. Troubles are the last words of real programs (`log_tails`), words that no signature knows, and checks that fail;
each befalls a few agents, now and then, with other numbers, times and lines before. Some troubles look alike and have
another cause: there memory must do no harm. Of some a person or a fix confirms the cause, and now and then wrongly.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import reduce
from random import Random

from selfheal.causes import CAUSES
from selfheal.diagnose.look import look
from selfheal.diagnose.similar import Past, remembered
from selfheal.diagnose.telling import telling
from selfheal.diagnose.verdict import Vote, diagnose, heard
from selfheal.events import AgentDeclared, AgentExited, Event, Fingerprint, HealthChanged, IncidentOpened
from selfheal.plans import Clues
from selfheal.signatures import shipped
from selfheal.vitals import Vitals
from selfheal.world import EMPTY, World, fold
from tests.pure.log_tails import LABELLED

T0 = 1_800_000_000.0
HOUR_S = 3600.0
AGENTS = tuple(f"{name}:{index}" for name in ("api", "bot", "mail", "shop", "feed", "pay") for index in range(2))
# Who confirms the cause of an incident, and how often wrongly.
CONFIRMED, WRONGLY = 0.6, 0.05
_WORDS = (
    "barn", "cow", "gate", "ferry", "lamp", "mill", "oven", "rope", "sail", "tram", "well", "yard", "anvil", "bell",
    "crane", "drum", "elm", "fox", "goat", "hive",
)  # fmt: skip


@dataclass(frozen=True)
class Trouble:
    """What it says, where, how it shows, and what it truly is. `says` is a log, or the reason of a failing check."""

    name: str
    cause: str
    agents: tuple[str, ...]
    says: str
    code: int = 1
    checked: bool = False


@dataclass
class Score:
    """`again` are incidents of a trouble that was seen before at one of its agents; `new` are all others."""

    again: int = 0
    found: int = 0
    same_trouble: int = 0
    same_cause: int = 0
    new: int = 0
    taken_for_another: int = 0
    right_without: int = 0
    right_with: int = 0
    helped: int = 0
    harmed: int = 0
    total: int = 0
    votes: list[tuple[str, str]] = field(default_factory=list)


def troubles(chance: Random) -> list[Trouble]:
    """The troubles of a fleet: some seventy that programs truly have, forty that nobody has read of, and decoys."""
    causes = [cause for cause in CAUSES if cause != "unknown"]
    found = []
    for number, (cause, tail) in enumerate(LABELLED):
        if cause != "unknown":
            found.append(Trouble(f"known-{number}", cause, _some(chance), tail, chance.choice((1, 1, 2, 78))))
    for number in range(40):
        words = " ".join(chance.sample(_WORDS, 5))
        one = Trouble(f"strange-{number}", chance.choice(causes), _some(chance), f"E 17 in 4.2: {words} at 0x7f00")
        found.append(replace(one, checked=number % 4 == 0))
        if number % 5 == 0:  # the same words mean something else elsewhere, and at times at the very same agent
            found.append(replace(one, name=f"decoy-{number}", cause=chance.choice(causes), agents=_some(chance)))
    return found


def _some(chance: Random) -> tuple[str, ...]:
    return tuple(chance.sample(AGENTS, chance.choice((1, 1, 2, 3))))


def run(seed: int, incidents: int = 600) -> Score:
    """Let so many incidents happen, the common troubles often and the rare ones seldom."""
    chance, score = Random(seed), Score()
    known = troubles(chance)
    weights = [1.0 / (rank + 1) ** 0.7 for rank in range(len(known))]
    past: dict[str, Fingerprint] = {}
    memory, seen, truths = Past(), set[tuple[str, str]](), dict[str, Trouble]()
    for number in range(incidents):
        (trouble,) = chance.choices(known, weights)
        agent, at, name = chance.choice(trouble.agents), T0 + HOUR_S * number, f"inc-{number}"
        world, log = _happens(trouble, agent, at, name, chance)
        incident = world.incidents[name]
        lines = heard(world.agents[agent], incident, telling(log))
        looks = look(world, incident, lines, (hit.signature.id for hit in shipped().hits(lines)))
        near = memory.follow(past).nearest(looks, name)
        votes = [*remembered(near, incident)]
        _count(score, trouble, (trouble.name, agent) in seen, [truths[one.key] for one in near[:1]])
        _judge(score, trouble, world, name, log, votes)
        seen.add((trouble.name, agent))
        truths[name] = trouble
        cause, proof = trouble.cause, "person" if chance.random() < 0.5 else "attempts"
        if chance.random() < WRONGLY:
            cause = chance.choice([*CAUSES])
        confirmed = chance.random() < CONFIRMED
        kept = Fingerprint(name, "", agent, at, looks, cause, agent, "", "restart", 4.0)
        past = {**past, name: replace(kept, proof=proof) if confirmed else kept}  # type: ignore[arg-type]
    return score


def _happens(trouble: Trouble, agent: str, at: float, name: str, chance: Random) -> tuple[World, list[str]]:
    says = "".join(chance.choice("123456789") if letter.isdigit() else letter for letter in trouble.says)
    fleet: list[Event] = [AgentDeclared(T0, one, "process", "application", (), ("http",), True) for one in AGENTS]
    if trouble.checked:
        fleet.append(HealthChanged(at, agent, "http", False, "failed", says, at))
    else:
        fleet.append(AgentExited(at, agent, 1, 4711, trouble.code, None, 9.0, False))
    fleet.append(IncidentOpened(at, name, agent, "check" if trouble.checked else "exit", says[:80], at))
    before = [f"{number} GET /{chance.choice(_WORDS)} 200 in {number} ms" for number in range(chance.randrange(4))]
    return reduce(fold, fleet, EMPTY), before if trouble.checked else [*before, *says.splitlines()]


def _count(score: Score, trouble: Trouble, again: bool, near: list[Trouble]) -> None:
    score.total += 1
    score.again += again
    score.new += not again
    for one in near:
        score.found += again
        score.same_trouble += again and one.name == trouble.name
        score.same_cause += again and one.cause == trouble.cause
        score.taken_for_another += not again and one.name != trouble.name and one.cause != trouble.cause


def _judge(score: Score, trouble: Trouble, world: World, name: str, log: list[str], votes: list[Vote]) -> None:
    """Is the cause found without memory, and with it?"""
    incident, clues = world.incidents[name], Clues(tuple(log))
    without, with_it = (
        diagnose(world, Vitals(), incident, clues, shipped(), said)[0].slug == trouble.cause for said in ((), votes)
    )
    score.right_without += without
    score.right_with += with_it
    score.helped += with_it and not without
    score.harmed += without and not with_it
    score.votes += [(trouble.name, vote.cause) for vote in votes]


def told(score: Score) -> Iterator[str]:
    yield f"{score.total} incidents, {score.again} of them of a trouble that was seen before at the agent"
    yield f"  of these found: {score.found / score.again:.1%}"
    yield f"  nearest of the same trouble: {score.same_trouble / score.again:.1%}"
    yield f"  nearest of the same cause (top-1): {score.same_cause / score.again:.1%}"
    yield f"  of the {score.new} others taken for one of another cause: {score.taken_for_another / score.new:.1%}"
    without, with_it = score.right_without / score.total, score.right_with / score.total
    yield f"cause right without memory {without:.1%}, with it {with_it:.1%}"
    yield f"  helped {score.helped} times, harmed {score.harmed} times"


if __name__ == "__main__":
    for seed in map(int, sys.argv[1:] or ("1", "2", "3")):
        sys.stdout.write("\n".join((f"seed {seed}:", *told(run(seed)), "")))
