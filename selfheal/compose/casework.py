"""What does the daemon itself know around an incident, as a case for whoever looks for its cause?

The agents are the services: the one in trouble, what it depends on, and who depends on it. Their signals come from
memory, who calls whom from `depends_on`, the changes from the world, how each is from its checks. Nothing is asked of
anybody. A line of a log has no time that we know, so it tells what is known to be a cause, and never what is new.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from selfheal.diagnose.case import Alert, Case, Change, End, Series, Sign, State, Use
from selfheal.diagnose.signatures import Signatures
from selfheal.diagnose.telling import telling
from selfheal.history.rings import History
from selfheal.vitals import Vitals
from selfheal.world import Agent, Failing, Incident, World

# What is normal is learned from so long before the onset; what was changed earlier explains little.
LOOK_BACK_S = 1200.0
CHANGES_S = 6 * 3600.0
# The nearest of them: a case of a fleet of thousands is about its neighbourhood.
AGENTS = 40
# A line that is older than the last so many was not said about this, as a rule.
RECENT_LINES = 15
LOGS = 5
_SLOW, _HUNG = "slow", "hung"

Logs = Mapping[str, Sequence[str]]
"""The last lines of some agents, oldest first."""


def case_of(world: World, vitals: Vitals, history: History, incident: Incident) -> Case:
    """Return what is known around an incident, up to now, but for its logs.

    Signals are copied, so that the case may go to a thread.
    """
    names = neighbourhood(world, incident)
    agents = [world.agents[name] for name in names]
    within = set(names)
    graph = {one.name: tuple(other for other in one.depends_on if other in within) for one in agents}
    return Case(
        at=incident.onset,
        alert=Alert(incident.agent, _metric(world.agents.get(incident.agent))),
        graph={name: callees for name, callees in graph.items() if callees},
        series=tuple(_series(history, agents, incident.onset)),
        changes=tuple(_changes(world, within, incident.onset)),
        ends=tuple(_ends(agents)),
        states=tuple(_state(one, vitals, incident.onset) for one in agents if not one.at_rest),
        uses=tuple(_uses(agents, vitals)),
    )


def signs_of(logs: Logs, signatures: Signatures) -> tuple[Sign, ...]:
    """What is known of the last lines of some agents. Best asked in a thread: there are hundreds of signatures."""
    return tuple(
        Sign(name, hit.signature.cause, hit.precision, hit.line)
        for name, lines in logs.items()
        for hit in signatures.hits(telling(lines)[-RECENT_LINES:])
    )


def neighbourhood(world: World, incident: Incident) -> tuple[str, ...]:
    """Who may have to do with it: the agent, what it depends on, who else suffers, who depends on it; nearest first."""
    near = [incident.agent, *world.dependencies(incident.agent)]
    near += incident.agents
    known = dict.fromkeys(name for name in near if name in world.agents)
    frontier = {incident.agent}
    while frontier and len(known) < AGENTS:
        frontier = {one.name for one in world.agents.values() if not frontier.isdisjoint(one.depends_on)} - known.keys()
        known.update(dict.fromkeys(sorted(frontier)))
    return tuple(known)[:AGENTS]


def whose_logs(world: World, incident: Incident) -> tuple[str, ...]:
    """Whose last lines are worth a look beside the agent's own: what it depends on, nearest first."""
    return tuple(name for name in world.dependencies(incident.agent) if name in world.agents)[:LOGS]


def _metric(agent: Agent | None) -> str:
    """What was noticed, as far as that tells which numbers to look at."""
    slow = agent is not None and any(one.cause == _SLOW for one in agent.failing.values())
    return "latency" if slow else ""


def _series(history: History, agents: Sequence[Agent], onset: float) -> Iterator[Series]:
    """The signals. What a check that fails has not measured since then says nothing of the trouble."""
    for agent in agents:
        for signal, at, values in history.columns(agent.name, onset - LOOK_BACK_S):
            if at and not (agent.failing and at[-1] < onset):
                yield Series(agent.name, signal, at, values)


def _changes(world: World, names: set[str], onset: float) -> Iterator[Change]:
    """What was changed before it began. What selfheal does about the incident itself comes after that."""
    for one in world.changes:
        if onset - CHANGES_S <= one.at <= onset and one.agent in names:
            yield Change(one.at, one.agent, one.kind, f"{one.title}{f' by {one.by}' if one.by else ''}")


def _ends(agents: Sequence[Agent]) -> Iterator[End]:
    for agent in agents:
        ended = agent.last_exit
        if ended is not None and not ended.expected:
            yield End(ended.at, agent.name, ended.code, ended.signal, ended.ran_s)


def _state(agent: Agent, vitals: Vitals, onset: float) -> State:
    """How an agent is, by what is settled and by its latest answers."""
    gone = agent.has_process and agent.run is None and (agent.died or bool(agent.start_error))
    failing = sorted(agent.failing.values(), key=lambda one: (not one.local, one.since))
    records = [vitals.check(agent.name, check) for check in agent.telling]
    bad = [one for one in records if one.last is not None and one.last.result in ("failed", "timeout")]
    since = [one.since for one in failing] + [one.since for one in bad]
    asked = all(one.last is not None and one.last.ok and one.last_at >= onset for one in records)
    return State(
        agent.name,
        down=agent.wanted and (gone or bool(failing)),
        doubtful=bool(bad),
        since=min(since, default=agent.since),
        local=agent.wanted and (gone or any(one.local for one in failing)),
        answers=asked and not failing and not gone,
        cause=next(filter(None, map(_cause, failing)), agent.start_cause if gone else ""),
        says=agent.start_error or next((f"{one.check}: {one.reason}" for one in failing), ""),
    )


def _cause(failing: Failing) -> str:
    return failing.cause or (_HUNG if failing.result == "timeout" else "")


def _uses(agents: Sequence[Agent], vitals: Vitals) -> Iterator[Use]:
    for agent in agents:
        signals = vitals.signals(agent.name)
        for what, signal, limit in (("memory", "rss", agent.memory_limit), ("open files", "fds", agent.fds_limit)):
            if limit and signal in signals:
                yield Use(agent.name, what, signals[signal] / limit)
