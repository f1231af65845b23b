"""What befalls a shop, of which it is known what it was and where: to count how often that is found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random

from selfheal.events import Cause, Diagnosed, Event
from selfheal.rehearse.machine import Program, SimulatedMachine
from selfheal.world import World
from tests.sim.rehearsal import Rehearsal

# Who asks whom for each answer; `depends_on` says the same.
NEEDS: Mapping[str, tuple[str, ...]] = {
    "db": (),
    "cache": (),
    "queue": (),
    "users": ("db", "cache"),
    "stock": ("db",),
    "orders": ("stock", "queue"),
    "web": ("users", "orders"),
    "mailer": ("queue",),
}
# Those that people wait for are watched for being quick; of the others only that they answer.
WATCHED = {"web": 0.5, "orders": 0.4, "users": 0.4, "mailer": 0.4}
BLAMES = frozenset({"dependency_down", "slow_dependency"})
CALM_S = 700.0
ASKED, ASKING = ("db", "cache", "queue", "stock"), ("web", "users", "mailer")
# By kind, whom it may befall, and which causes are right there. In the decoys somebody else is busy at the same time,
# with what has nothing to do with it.
KINDS: Mapping[str, tuple[Sequence[str], frozenset[str]]] = {
    "slow dependency": (ASKED, BLAMES),
    "busy dependency": (ASKED, BLAMES),
    "very slow dependency": (ASKED, BLAMES),
    "slow itself": (ASKING, frozenset({"slow"})),
    "wrong itself": ((*ASKING, "orders"), frozenset({"wrong_answer"})),
    "decoy": (ASKING, frozenset({"wrong_answer"})),
    "slow decoy": (ASKING, frozenset({"slow"})),
    "wrong dependency": (("db", "cache", "queue"), frozenset({"wrong_answer"})),
    "killed": (tuple(NEEDS), frozenset({"killed"})),
    "hung": (tuple(NEEDS), frozenset({"hung"})),
}


def shop() -> str:
    """The configuration of the fleet."""
    return "".join(_agent(name, needs) for name, needs in NEEDS.items())


def programs() -> dict[str, Program]:
    return {name: Program(needs=needs) for name, needs in NEEDS.items()}


def _agent(name: str, needs: tuple[str, ...]) -> str:
    most = f", slower_than = {WATCHED[name]}" if name in WATCHED else ""
    timeout = 2 if name in WATCHED else 5
    check = f'checks = [{{ sim = "it answers", interval = 5, timeout = {timeout}, fall = 3, rise = 2{most} }}]'
    return f'[agents.{name}]\ncommand = "{name}"\ndepends_on = {list(needs)}\n{check}\n'


@dataclass(frozen=True)
class Mishap:
    """What befalls whom, and which causes there are right."""

    kind: str
    agent: str
    right: frozenset[str]


def mishaps(chance: Random, count: int) -> Iterator[Mishap]:
    """So many, of every kind in turn."""
    for number in range(count):
        kind, (where, right) = list(KINDS.items())[number % len(KINDS)]
        yield Mishap(kind, chance.choice(where), right)


@dataclass
class Tally:
    """By kind of mishap: how many there were, and in how many the first and the last diagnosis were right."""

    seen: Counter[str] = field(default_factory=Counter)
    first: Counter[str] = field(default_factory=Counter)
    last: Counter[str] = field(default_factory=Counter)
    wrong: list[tuple[Mishap, tuple[Cause, ...]]] = field(default_factory=list)

    @property
    def share(self) -> float:
        return sum(self.last.values()) / max(sum(self.seen.values()), 1)


async def befall(r: Rehearsal, chance: Random, count: int) -> Tally:
    """Let so many mishaps happen, one after the other, and count what is said of each."""
    tally = Tally()
    r.machine.jitter = lambda agent: chance.uniform(0.85, 1.2)
    for mishap in mishaps(chance, count):
        await r.wait(CALM_S)
        told: list[Event] = []

        def listen(world: World, event: Event, told: list[Event] = told) -> None:
            told.append(event)

        r.watchers[:] = [listen]
        _begin(r.machine, chance, mishap)
        await r.until(partial(_is_diagnosed, told))
        await r.wait(chance.uniform(4.0, 20.0))
        _count(tally, mishap, told)
        _end(r.machine)
        await r.all_healthy(1200.0)
    r.watchers.clear()
    return tally


def _is_diagnosed(told: list[Event]) -> bool:
    return any(isinstance(one, Diagnosed) for one in told)


def _begin(machine: SimulatedMachine, chance: Random, mishap: Mishap) -> None:
    match mishap.kind:
        case "slow dependency" | "slow itself" | "slow decoy":
            machine.own_s[mishap.agent] = chance.uniform(0.6, 1.5)
        case "very slow dependency":
            machine.own_s[mishap.agent] = chance.uniform(2.5, 4.0)
        case "busy dependency":
            machine.own_s[mishap.agent] = chance.uniform(0.6, 1.5)
            machine.cores[mishap.agent] = 0.95
        case "wrong itself" | "wrong dependency" | "decoy":
            machine.outages[mishap.agent] = "status 500"
        case "killed":
            machine.kill(mishap.agent)
        case "hung":
            machine.hang(mishap.agent)
        case _:
            raise ValueError(f"nothing of the kind {mishap.kind!r} is known to happen")
    if "decoy" in mishap.kind:
        machine.cores["queue" if mishap.agent == "mailer" else "db"] = chance.uniform(0.3, 0.9)


def _end(machine: SimulatedMachine) -> None:
    machine.own_s.clear()
    machine.cores.clear()
    machine.outages.clear()


def _count(tally: Tally, mishap: Mishap, events: list[Event]) -> None:
    """What was said of the incident that lasted: of those that became part of it nothing more is said."""
    told = [one for one in events if isinstance(one, Diagnosed) and one.causes]
    found = [one.causes[0] for one in told if one.incident == told[-1].incident]
    tally.seen[mishap.kind] += 1
    tally.first[mishap.kind] += _is_right(mishap, found[0])
    tally.last[mishap.kind] += _is_right(mishap, found[-1])
    if not _is_right(mishap, found[-1]):
        tally.wrong.append((mishap, told[-1].causes))


def _is_right(mishap: Mishap, cause: Cause) -> bool:
    return cause.agent == mishap.agent and cause.slug in mishap.right
