"""What is the likeliest cause of an incident, and what speaks for it?

Pure. Each piece of evidence votes for a cause with a weight; weights add up, "unknown" always has one vote, and the
shares are the probabilities. The evidence is kept in words, so that a person can disagree with it.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from selfheal.causes import LEAKS, MODE_OF, OUTSIDE
from selfheal.diagnose.signatures import Hit, Signatures
from selfheal.diagnose.telling import raised, telling
from selfheal.events import Cause
from selfheal.plans import Clues, Sign
from selfheal.vitals import Vitals
from selfheal.vocabulary import DIRECT, Channel, CheckResult
from selfheal.world import Agent, Failing, Incident, LastExit, World

UNKNOWN_WEIGHT = 1.0
CAUSES_KEPT = 5
# A log line that is much older than the end, in lines, says less about it; its last words are so many at most.
RECENT_LINES, LAST_WORDS = 15, 3
# A dependency that came back so shortly before the onset may still have been the reason.
RECENT_S = 30.0
# That something refused to talk to it is said by many a program that is none the worse for it.
FAINT_WEIGHT = 3.0
# A key or a certificate that is not accepted does not pass by itself: it may be why an answer is wrong, and is no hang.
LASTING_WEIGHT = 8.0
_LASTING = frozenset({"credential_expired", "tls_expired", "tls_untrusted", "quota_exhausted"})
NEAR_LIMIT = 0.9
# A file that was edited, and a process that ends at once: more often than not the one is why the other.
CHANGED_WEIGHT = 20.0
# What a platform tells of what was done to it there; with what two checks see it is still sure enough for a rollback.
SIGN_WEIGHT = 40.0
# An uncaught error doubles what an exit code alone says, and stays below every sign of a narrower cause.
RAISED_WEIGHT = 4.0
# What incidents of the past say is never worth more than this.
UNBOUND_WEIGHT = 6.0
# A sign that is right as often as not says more of an error than that it was one.
NARROW = 0.5
# The source of signatures for the words of the system itself, and how sure a sign is that outdoes one of them.
ANY, SURE = "system", 0.9
# Of what lies outside, where something that it depends on may be what is meant.
_OF_DEPENDENCIES = frozenset({"dependency_down", "slow_dependency", "network_loss", "dns_failed"})
# What the kernel says of the process itself is beyond doubt; what others see may be the mark of something else.
LOCAL_WEIGHT, NAMED_WEIGHT = 20.0, 10.0
_NAMED: dict[str, float] = {"hung": 12.0, "unreachable": 8.0, "wrong_answer": 5.0}
# What the process of an agent that does not answer is seen to do. By itself none of it means anything.
DEVICE_WEIGHT, PROGRESS_WEIGHT = 10.0, 4.0
BUSY_CORES, IDLE_CORES = 0.9, 0.002
# Where the check names no cause, its result is all there is.
_RESULTS: dict[CheckResult, tuple[str, float]] = {"timeout": ("hung", 10.0), "failed": ("wrong_answer", 5.0)}
# Signals that others send: no program sends them to itself by accident, and none says in its log that they will come.
_SENT = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP})


@dataclass(frozen=True, slots=True)
class Vote:
    """One piece of evidence for one cause at one agent, and where it is from; `sign` is the signature that it is."""

    cause: str
    agent: str
    weight: float
    evidence: str
    channel: Channel
    signs: tuple[str, ...] = ()


def diagnose(
    world: World,
    vitals: Vitals,
    incident: Incident,
    clues: Clues,
    signatures: Signatures,
    past: Sequence[Vote] = (),
) -> tuple[Cause, ...]:
    """Rank the causes of `incident`, likeliest first. `signatures` are what is known of logs, `past` the votes of
    incidents that looked like it, and of what was not as usual before.
    """
    agent = world.agents.get(incident.agent, Agent(incident.agent))
    log = telling(clues.log)
    votes = [
        *_dependencies(world, agent, incident),
        *_start(agent, incident),
        *_log(world, agent, incident, log, signatures),
        *_exit(world, agent, vitals, incident, log, signatures),
        *_checks(world, agent, incident),
        *_stuck(agent, vitals, clues),
        *_changed(agent, incident),
        *(_sign(agent, sign) for sign in clues.signs),
    ]
    return _ranked([*votes, *_bounded(past, votes)], agent.name)


def _bounded(past: Sequence[Vote], votes: Sequence[Vote]) -> Iterator[Vote]:
    """What was once is never worth more than half of what is seen of the process or the data themselves."""
    direct = [vote.weight for vote in votes if vote.channel in DIRECT and vote.weight]
    most = 0.5 * max(direct) if direct else UNBOUND_WEIGHT
    return (replace(vote, weight=min(vote.weight, most)) for vote in past)


def _ranked(votes: Sequence[Vote], agent: str) -> tuple[Cause, ...]:
    weights: dict[tuple[str, str], float] = {}
    evidence: dict[tuple[str, str], list[Vote]] = {}
    for vote in votes:
        key = (vote.cause, vote.agent)
        weights[key] = weights.get(key, 0.0) + vote.weight
        evidence.setdefault(key, []).append(vote)
    weights[("unknown", agent)] = UNKNOWN_WEIGHT
    total = sum(weights.values())
    ranked = sorted(weights, key=lambda key: (-weights[key], key))[:CAUSES_KEPT]
    return tuple(
        _cause(cause, where, weights[cause, where] / total, evidence.get((cause, where), ())) for cause, where in ranked
    )


def _cause(cause: str, agent: str, share: float, votes: Sequence[Vote]) -> Cause:
    channels = tuple(dict.fromkeys(vote.channel for vote in votes if vote.weight))
    signs = tuple(dict.fromkeys(sign for vote in votes for sign in vote.signs))
    return Cause(cause, round(share, 4), agent, tuple(vote.evidence for vote in votes), channels, signs)


def _dependencies(world: World, agent: Agent, incident: Incident) -> Iterator[Vote]:
    if _is_local(agent, incident):
        return
    for name in world.dependencies(agent.name):
        dependency = world.agents.get(name)
        if dependency is not None and dependency.down and dependency.state not in ("starting", "maintenance"):
            yield Vote(
                "dependency_down", name, 40.0, f"{name}, on which it depends, is {dependency.state}", "dependency"
            )


def _start(agent: Agent, incident: Incident) -> Iterator[Vote]:
    if incident.trigger != "start" or not agent.start_error:
        return
    cause = agent.start_cause or "unknown"
    weight = 40.0 if cause != "unknown" else 2.0
    yield Vote(cause, agent.name, weight, agent.start_error, "start")


def _is_local(agent: Agent, incident: Incident) -> bool:
    """Whether its own process is what is wrong, as the kernel says: that has not come from elsewhere."""
    ended = _end(agent, incident)
    return (ended is not None and ended.signal is not None) or any(one.local for one in agent.failing.values())


def _end(agent: Agent, incident: Incident) -> LastExit | None:
    """The end that the incident is about, where it is about one."""
    return agent.last_exit if incident.trigger == "exit" else None


def _log(world: World, agent: Agent, incident: Incident, log: Sequence[str], signatures: Signatures) -> Iterator[Vote]:
    """One vote for each cause that its log shows: signs in one log are no independent witnesses, so the best counts."""
    by_cause: dict[str, list[Hit]] = {}
    for hit in _narrowest(signatures.hits(heard(agent, incident, log))):
        by_cause.setdefault(hit.signature.cause, []).append(hit)
    for cause, hits in by_cause.items():
        best = max(hits, key=lambda hit: hit.precision)
        signs = tuple(hit.signature.id for hit in hits)
        vote = Vote(cause, agent.name, best.weight, _says(best.line), "log", signs)
        if cause in OUTSIDE:
            ended_on_it = _end(agent, incident) is not None and _shows(signatures, _last_words(log), cause)
            yield from _elsewhere(world, agent, incident, vote, ended_on_it=ended_on_it)
        else:
            yield vote


def _narrowest(hits: Sequence[Hit]) -> Iterator[Hit]:
    """Without what any program may say, where the same line shows who said it, and that it means something else."""
    narrow = {hit.line: hit.signature.cause for hit in hits if hit.signature.source != ANY and hit.precision >= SURE}
    for hit in hits:
        if hit.signature.source != ANY or narrow.get(hit.line, hit.signature.cause) == hit.signature.cause:
            yield hit


def _shows(signatures: Signatures, lines: Sequence[str], cause: str) -> bool:
    return any(hit.signature.cause == cause for hit in signatures.hits(lines))


def heard(agent: Agent, incident: Incident, log: Sequence[str]) -> Sequence[str]:
    """The lines that can have to do with it. They bear no time: what is known for certain needs none of them."""
    ended = _end(agent, incident)
    if ended is None:
        certain = any(failing.local and failing.cause for failing in agent.failing.values())
        return () if certain else log[-RECENT_LINES:]
    if ended.signal is None:
        return log[-RECENT_LINES:]
    return () if ended.signal in _SENT else _last_words(log)


def _last_words(log: Sequence[str]) -> Sequence[str]:
    """What it said at its very end: the error itself, where it is among these lines."""
    last = log[-LAST_WORDS:]
    error = raised(last)
    return last if error is None else (error,)


def _elsewhere(world: World, agent: Agent, incident: Incident, vote: Vote, *, ended_on_it: bool) -> Iterator[Vote]:
    """Others have failed it. How much that means depends on who that can have been, and on when it was said."""
    if _is_local(agent, incident):
        return
    for name in world.dependencies(agent.name) if vote.cause in _OF_DEPENDENCIES else ():
        dependency = world.agents.get(name)
        if dependency is not None and _was_away(dependency, incident.onset):
            why = f"{vote.evidence}, and {name}, on which it depends, was away then or shortly before"
            yield replace(vote, cause="dependency_down", agent=name, evidence=why)
            return
    most = vote.weight if ended_on_it else LASTING_WEIGHT if vote.cause in _LASTING else FAINT_WEIGHT
    yield replace(vote, weight=min(vote.weight, most))


def _was_away(dependency: Agent, onset: float) -> bool:
    if dependency.at_rest:
        return False
    ended = dependency.last_exit
    return not dependency.well or max(dependency.since, ended.at if ended else 0.0) >= onset - RECENT_S


def _says(line: str) -> str:
    return f"its log says {line[:200]!r}"


def _exit(
    world: World, agent: Agent, vitals: Vitals, incident: Incident, log: Sequence[str], signatures: Signatures
) -> Iterator[Vote]:
    ended = _end(agent, incident)
    if ended is None:
        return
    if ended.signal == signal.SIGKILL:
        yield from _killed(world, agent, vitals)
    elif ended.signal in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        yield Vote(
            "killed", agent.name, 10.0, f"it was ended by {signal.Signals(ended.signal).name}, not by us", "exit"
        )
    elif ended.signal is not None:
        yield Vote("crashed", agent.name, 10.0, f"it was ended by signal {_signal_name(ended.signal)}", "exit")
        yield from _raised(agent, log, signatures)
    elif ended.code == 0:
        yield Vote("exited", agent.name, 8.0, f"it ended with exit code 0 after {ended.ran_s:.1f} s", "exit")
    elif ended.code in (126, 127):
        slug = "permission" if ended.code == 126 else "missing_program"
        yield Vote(slug, agent.name, 12.0, f"exit code {ended.code} of a shell or launcher", "exit")
    elif ended.code is not None:
        yield Vote("crashed", agent.name, 4.0, _exit_words(ended), "exit")
        yield from _raised(agent, log, signatures)


def _raised(agent: Agent, log: Sequence[str], signatures: Signatures) -> Iterator[Vote]:
    """The error that a program printed last; one that is a sign of a narrower cause has had its vote as that."""
    line = raised(log[-RECENT_LINES:])
    if line is not None and not any(hit.precision >= NARROW for hit in signatures.hits([line])):
        is_last = line == log[-1].strip()
        yield Vote(
            "crashed", agent.name, RAISED_WEIGHT, f"its log ends with {line[:200]!r}" if is_last else _says(line), "log"
        )


def _killed(world: World, agent: Agent, vitals: Vitals) -> Iterator[Vote]:
    rss = vitals.signals(agent.name).get("rss", 0.0)
    if agent.memory_limit and rss >= NEAR_LIMIT * agent.memory_limit:
        why = f"killed by SIGKILL at {rss / 1e6:.0f} MB of its {agent.memory_limit / 1e6:.0f} MB"
        yield Vote(_leak(world, agent, "out_of_memory"), agent.name, 15.0, why, "exit")
    yield Vote("killed", agent.name, 8.0, "killed by SIGKILL, which no program sends to itself by accident", "exit")


def _checks(world: World, agent: Agent, incident: Incident) -> Iterator[Vote]:
    for failing in agent.failing.values():
        cause, weight = _check_cause(agent, failing)
        said = f"check {failing.check} {failing.result}: {failing.reason}"
        yield Vote(_leak(world, agent, cause), agent.name, weight, said, _channel(agent, failing))
    if incident.trigger == "external":
        yield Vote("unreachable", agent.name, 2.0, incident.sign, "external")


def _leak(world: World, agent: Agent, cause: str) -> str:
    """What runs out after it was seen to grow steadily, and for long, leaks."""
    mode = MODE_OF.get(cause)
    return LEAKS[cause] if cause in LEAKS and (agent.name, mode) in world.foresight.predictions else cause


def _channel(agent: Agent, failing: Failing) -> Channel:
    """What a check looks at: the data themselves, the process as the kernel has it, or what comes out of it."""
    if agent.layer == "data":
        return "data"
    return "kernel" if failing.local else "check"


def _stuck(agent: Agent, vitals: Vitals, clues: Clues) -> Iterator[Vote]:
    """What its process does, or does not do, speaks for a hang only where something waits for it in vain."""
    if not any(_check_cause(agent, failing)[0] == "hung" for failing in agent.failing.values()):
        return
    if clues.state == "D":
        where = f" in {clues.waits_in}" if clues.waits_in else ""
        yield Vote("hung", agent.name, DEVICE_WEIGHT, f"its process waits for a device (state D{where})", "kernel")
    cores = vitals.signals(agent.name).get("cpu")
    if cores is not None and cores >= BUSY_CORES:
        yield Vote(
            "hung", agent.name, PROGRESS_WEIGHT, f"it uses {cores:.1f} cores, as a loop without an end does", "kernel"
        )
    elif cores is not None and cores < IDLE_CORES and clues.state == "S":
        where = f", and sleeps in {clues.waits_in}" if clues.waits_in else ""
        yield Vote("hung", agent.name, PROGRESS_WEIGHT, f"it uses no processor time{where}", "kernel")


def _changed(agent: Agent, incident: Incident) -> Iterator[Vote]:
    """What was changed since it was last well is why it does not start, as a rule; why it answers wrong, perhaps."""
    if not agent.changed or ((ended := _end(agent, incident)) is not None and ended.signal is not None):
        return
    files = ", ".join(name.rpartition("/")[2] for name in agent.changed)
    weight = CHANGED_WEIGHT if incident.trigger in ("exit", "start") else FAINT_WEIGHT
    yield Vote("bad_configuration", agent.name, weight, f"{files} changed since it was last well", "change")


def _sign(agent: Agent, sign: Sign) -> Vote:
    """What was deployed, or stopped by somebody, right before it failed is why, as a rule."""
    return Vote(sign.cause, agent.name, SIGN_WEIGHT if sign.decisive else FAINT_WEIGHT, sign.evidence, "change")


def _check_cause(agent: Agent, failing: Failing) -> tuple[str, float]:
    if failing.cause:
        return failing.cause, LOCAL_WEIGHT if failing.local else _NAMED.get(failing.cause, NAMED_WEIGHT)
    if failing.local and failing.result == "failed":
        return "unknown", 0.0  # it does not run as it should, which says nothing of its answers
    cause, weight = _RESULTS.get(failing.result, ("unknown", 0.0))
    return ("unreachable", weight) if cause == "hung" and agent.run is None else (cause, weight)


def _exit_words(ended: LastExit) -> str:
    return f"it ended with exit code {ended.code} after {ended.ran_s:.1f} s"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
