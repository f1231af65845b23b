"""What is the likeliest cause of an incident, and what speaks for it?

Pure. Each piece of evidence votes for a cause with a weight; weights add up, "unknown" always has one vote, and the
shares are the probabilities. The evidence is kept in words, so that a person can disagree with it.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from selfheal.diagnose.patterns import hits, raised, telling
from selfheal.events import Cause
from selfheal.vitals import Vitals
from selfheal.vocabulary import CheckResult
from selfheal.world import Agent, Failing, Incident, LastExit, World

UNKNOWN_WEIGHT = 1.0
CAUSES_KEPT = 5
# A log line that is much older than the end, in lines, says less about it.
RECENT_LINES = 15
NEAR_LIMIT = 0.9
# An uncaught error doubles what an exit code alone says, and stays below every sign of a narrower cause.
RAISED_WEIGHT = 4.0


@dataclass(frozen=True, slots=True)
class Vote:
    """One piece of evidence for one cause at one agent."""

    cause: str
    agent: str
    weight: float
    evidence: str


def diagnose(world: World, vitals: Vitals, incident: Incident, log: Sequence[str]) -> tuple[Cause, ...]:
    """Rank the causes of `incident`, likeliest first. `log` are the last lines of its agent's output, oldest first."""
    agent = world.agents.get(incident.agent, Agent(incident.agent))
    votes = [
        *_dependencies(world, agent),
        *_start(agent, incident),
        *_log(agent, telling(log)),
        *_exit(agent, vitals, incident, telling(log)),
        *_checks(agent, incident),
    ]
    return _ranked(votes, agent.name)


def _ranked(votes: Sequence[Vote], agent: str) -> tuple[Cause, ...]:
    weights: dict[tuple[str, str], float] = {}
    evidence: dict[tuple[str, str], list[str]] = {}
    for vote in votes:
        key = (vote.cause, vote.agent)
        weights[key] = weights.get(key, 0.0) + vote.weight
        evidence.setdefault(key, []).append(vote.evidence)
    weights[("unknown", agent)] = UNKNOWN_WEIGHT
    total = sum(weights.values())
    ranked = sorted(weights, key=lambda key: (-weights[key], key))[:CAUSES_KEPT]
    return tuple(
        Cause(cause, round(weights[cause, where] / total, 4), where, tuple(evidence.get((cause, where), ())))
        for cause, where in ranked
    )


def _dependencies(world: World, agent: Agent) -> Iterator[Vote]:
    if any(failing.local for failing in agent.failing.values()):
        return  # what is wrong with its own process has not come from elsewhere
    for name in world.dependencies(agent.name):
        dependency = world.agents.get(name)
        if dependency is not None and dependency.down and dependency.state not in ("starting", "maintenance"):
            yield Vote("dependency_down", name, 40.0, f"{name}, on which it depends, is {dependency.state}")


def _start(agent: Agent, incident: Incident) -> Iterator[Vote]:
    if incident.trigger != "start" or not agent.start_error:
        return
    cause = agent.start_cause or "unknown"
    weight = 40.0 if cause != "unknown" else 2.0
    yield Vote(cause, agent.name, weight, agent.start_error)


def _log(agent: Agent, log: Sequence[str]) -> Iterator[Vote]:
    for hit in hits(log[-RECENT_LINES:]):
        yield Vote(hit.pattern.cause, agent.name, hit.pattern.weight, f"its log says {hit.line[:200]!r}")


def _exit(agent: Agent, vitals: Vitals, incident: Incident, log: Sequence[str]) -> Iterator[Vote]:
    ended = agent.last_exit
    if incident.trigger != "exit" or ended is None:
        return
    if ended.signal == signal.SIGKILL:
        yield from _killed(agent, vitals)
    elif ended.signal in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        yield Vote("killed", agent.name, 10.0, f"it was ended by {signal.Signals(ended.signal).name}, not by us")
    elif ended.signal is not None:
        yield Vote("crashed", agent.name, 10.0, f"it was ended by signal {_signal_name(ended.signal)}")
        yield from _raised(agent, log)
    elif ended.code == 0:
        yield Vote("exited", agent.name, 8.0, f"it ended with exit code 0 after {ended.ran_s:.1f} s")
    elif ended.code in (126, 127):
        slug = "permission" if ended.code == 126 else "missing_program"
        yield Vote(slug, agent.name, 12.0, f"exit code {ended.code} of a shell or launcher")
    elif ended.code is not None:
        yield Vote("crashed", agent.name, 4.0, _exit_words(ended))
        yield from _raised(agent, log)


def _raised(agent: Agent, log: Sequence[str]) -> Iterator[Vote]:
    """The error that a program printed last; one that is a sign of a narrower cause has had its vote as that."""
    line = raised(log[-RECENT_LINES:])
    if line is not None and not hits([line]):
        yield Vote("crashed", agent.name, RAISED_WEIGHT, f"its log ends with {line[:200]!r}")


def _killed(agent: Agent, vitals: Vitals) -> Iterator[Vote]:
    rss = vitals.signals(agent.name).get("rss", 0.0)
    if agent.memory_limit and rss >= NEAR_LIMIT * agent.memory_limit:
        why = f"killed by SIGKILL at {rss / 1e6:.0f} MB of its {agent.memory_limit / 1e6:.0f} MB"
        yield Vote("out_of_memory", agent.name, 15.0, why)
    yield Vote("killed", agent.name, 8.0, "killed by SIGKILL, which no program sends to itself by accident")


def _checks(agent: Agent, incident: Incident) -> Iterator[Vote]:
    for failing in agent.failing.values():
        cause, weight = _check_cause(agent, failing)
        yield Vote(cause, agent.name, weight, f"check {failing.check} {failing.result}: {failing.reason}")
    if incident.trigger == "external":
        yield Vote("unreachable", agent.name, 2.0, incident.sign)


# What a failing check says, by words of its reason; the first that fits decides.
_REASONS: tuple[tuple[str, str, float], ...] = (
    ("stopped (SIGSTOP)", "hung", 20.0),
    ("is over", "out_of_memory", 20.0),
    ("sign of life", "hung", 12.0),
    ("refused", "unreachable", 8.0),
    ("no such host", "unreachable", 8.0),
    ("expected at most", "slow", 10.0),
    ("older than", "stale", 10.0),
)
_RESULTS: dict[CheckResult, tuple[str, float]] = {"timeout": ("hung", 10.0), "failed": ("wrong_answer", 5.0)}


def _check_cause(agent: Agent, failing: Failing) -> tuple[str, float]:
    for words, cause, weight in _REASONS:
        if words in failing.reason:
            return cause, weight
    cause, weight = _RESULTS.get(failing.result, ("unknown", 0.5))
    alive = not agent.has_process or agent.run is not None
    return (cause, weight) if alive or cause != "hung" else ("unreachable", weight)


def _exit_words(ended: LastExit) -> str:
    return f"it ended with exit code {ended.code} after {ended.ran_s:.1f} s"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
