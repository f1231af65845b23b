"""What was not as usual as an incident began, and for which cause does that speak?

Pure. A signal that departed before its agent failed is a hint and no proof: all of them together weigh less than a
check that names a cause, and count as no second sign.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from selfheal.diagnose.verdict import FAINT_WEIGHT, Vote
from selfheal.measures import amount
from selfheal.vocabulary import Channel
from selfheal.world import Incident, World
from selfheal.world.anomalies import Member
from selfheal.world.severity import matters

CHANNEL: Channel = "anomaly"
# What departed longer ago and had time to become normal is not why it fails now.
BEFORE_S = 1800.0
# A check and a signal of the same moment are not written down in the order in which things began.
SLACK_S = 30.0
# What was back so long before the onset has passed.
PASSED_S = 60.0
TOLD = 5
# For which cause a signal speaks that has gone up: at the agent itself, and at one on which it depends.
_OWN: Mapping[str, str] = {
    "latency": "slow", "error_rate": "wrong_answer", "rss": "out_of_memory", "fds": "out_of_fds", "disk": "disk_full",
}  # fmt: skip
_OF_DEPENDENCY: Mapping[str, str] = {"latency": "slow_dependency", "error_rate": "slow_dependency"}


@dataclass(frozen=True, slots=True)
class _Hint:
    """A signal that speaks for a cause, as much as it is far out."""

    cause: str
    member: Member
    weight: float


def strange(world: World, incident: Incident) -> tuple[Vote, ...]:
    """Return what anomalies of the agent and of those on which it depends say of the cause, strongest first."""
    hints = sorted(_hints(world, incident), key=lambda hint: -hint.weight)[:TOLD]
    total = sum(hint.weight for hint in hints)
    scale = min(1.0, FAINT_WEIGHT / total) if total else 1.0
    return tuple(
        Vote(hint.cause, hint.member.agent, hint.weight * scale, _says(hint.member, incident), CHANNEL)
        for hint in hints
    )


def _hints(world: World, incident: Incident) -> Iterator[_Hint]:
    """Of an agent and a cause the strongest: several signals of one trouble are no independent witnesses."""
    below = frozenset(world.dependencies(incident.agent))
    best: dict[tuple[str, str], _Hint] = {}
    for _, anomaly in world.anomalies.things():
        for member in anomaly.members if not anomaly.dismissed else ():
            cause = _cause(member, incident.agent, below)
            if cause and _began_with(member, anomaly.over_at, incident):
                hint = _Hint(cause, member, matters(member.signal) * member.score)
                known = best.get((cause, member.agent))
                best[cause, member.agent] = hint if known is None or hint.weight > known.weight else known
    yield from best.values()


def _cause(member: Member, agent: str, below: frozenset[str]) -> str:
    measured = member.signal.rpartition(".")[2]
    if member.direction == "down":
        return ""
    if member.agent == agent:
        return _OWN.get(measured, "")
    return _OF_DEPENDENCY.get(measured, "") if member.agent in below else ""


def _began_with(member: Member, over_at: float | None, incident: Incident) -> bool:
    """Whether it began before or with the incident, and lasted until then."""
    ends = [at for at in (member.over_at, over_at) if at is not None]
    lasted = not ends or min(ends) >= incident.onset - PASSED_S
    return lasted and incident.onset - BEFORE_S <= member.since <= incident.onset + SLACK_S


def _says(member: Member, incident: Incident) -> str:
    value, expected = (amount(member.signal, each) for each in (member.value, member.expected))
    before_s = incident.onset - member.since
    when = f"{before_s:.0f} s before" if before_s >= 1.0 else "as it began"
    return f"{member.agent}: {member.signal} went to {value} where {expected} is usual, {when}"
