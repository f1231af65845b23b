"""What does an incident look like, in tokens that stay the same when the same trouble comes again?

A token is a kind and a value: who it is, how it showed, what the checks and the log said with all masked that varies,
what else was down and what had been changed. How much two incidents are alike is reckoned from the tokens they share.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from selfheal.diagnose.telling import raised
from selfheal.diagnose.templates import masked
from selfheal.vocabulary import ChangeKind
from selfheal.world import Agent, Incident, World

# How much each kind says, before how rare the token is: what was said counts more than who said it, for the same
# agent has other troubles, and its siblings have the same.
KINDS: Mapping[str, float] = {
    "agent": 0.7,
    "kin": 0.7,
    "kind": 0.3,
    "trigger": 0.5,
    "check": 1.0,
    "cause": 2.0,
    "reason": 3.0,
    "code": 1.5,
    "exit": 1.5,
    "signal": 2.0,
    "start": 3.0,
    "said": 3.0,
    "sign": 3.0,
    "log": 3.0,
    "word": 0.4,
    "down": 2.0,
    "changed": 1.5,
}
_WORDS: Mapping[str, str] = {
    "agent": "the agent {}",
    "kin": "an instance of {}",
    "kind": "a {}",
    "trigger": "noticed by its {}",
    "check": "check {}",
    "cause": "a check says {}",
    "reason": "a check says “{}”",
    "code": "code {}",
    "exit": "exit code {}",
    "signal": "ended by signal {}",
    "start": "its start says “{}”",
    "said": "it was said “{}”",
    "sign": "signature {}",
    "log": "its log says “{}”",
    "down": "{} is down",
    "changed": "a {} before it",
}
# Of each kind at most so many tokens, none longer than this: a look is read by machines and kept for long.
MOST, LONGEST = 5, 100
WORDS_KEPT = 8
# What was changed earlier is no reason any more, as a rule; what we did ourselves says nothing.
CHANGES_S = 3_600.0
_TELLING: frozenset[ChangeKind] = frozenset({"deploy", "configuration", "scale"})
_CODE = re.compile(r"(?<![\w.:-])[1-5]\d\d(?![\w.:-])")
_WORD = re.compile(r"[A-Za-z][A-Za-z_]{3,}")


def look(world: World, incident: Incident, log: Sequence[str], signs: Iterable[str]) -> tuple[str, ...]:
    """Return the tokens of an incident, sorted. `log` are the last lines in question, `signs` the signatures in it."""
    agent = world.agents.get(incident.agent, Agent(incident.agent))
    tokens = [
        *_who(agent),
        ("trigger", incident.trigger),
        *_checks(agent),
        *_end(agent, incident),
        *(("sign", one) for one in signs),
        *_last_words(incident, log),
        *(("down", name) for name in _down(world, incident)),
        *(("changed", kind) for kind in _changed(world, incident)),
    ]
    return tuple(sorted(_bounded(tokens)))


def in_words(token: str) -> str:
    """Return what a token says, for people; empty where it is only a part of another."""
    kind, _, value = token.partition(":")
    return _WORDS[kind].format(value) if kind in _WORDS else ""


def kind_weight(token: str) -> float:
    """How much a token says by its kind."""
    return KINDS.get(token.partition(":")[0], 1.0)


def _bounded(tokens: Iterable[tuple[str, str]]) -> Iterator[str]:
    seen: dict[str, dict[str, None]] = {}
    for kind, value in tokens:
        if value:
            seen.setdefault(kind, {})[value[:LONGEST]] = None
    for kind, values in seen.items():
        yield from (f"{kind}:{value}" for value in list(values)[: WORDS_KEPT if kind == "word" else MOST])


def _who(agent: Agent) -> Iterator[tuple[str, str]]:
    yield "agent", agent.name
    yield "kin", agent.name.partition(":")[0]
    yield "kind", agent.kind


def _checks(agent: Agent) -> Iterator[tuple[str, str]]:
    for name in sorted(agent.failing):
        failing = agent.failing[name]
        yield "check", f"{failing.check} {failing.result}"
        yield "cause", failing.cause
        yield "reason", _template(failing.reason)
        yield from (("code", code) for code in _CODE.findall(failing.reason))


def _end(agent: Agent, incident: Incident) -> Iterator[tuple[str, str]]:
    ended = agent.last_exit
    if incident.trigger == "exit" and ended is not None:
        yield "signal", str(ended.signal or "")
        yield "exit", str(ended.code) if ended.code is not None else ""
    if incident.trigger == "start":
        yield "start", _template(agent.start_error)
    if incident.trigger == "external":
        yield "said", _template(incident.sign)


def _last_words(incident: Incident, log: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The error that was printed last; of what ended without one its last line, for else that is its daily talk."""
    line = raised(log)
    if line is None and incident.trigger == "exit" and log:
        line = log[-1]
    if line is not None:
        template = _template(line)
        yield "log", template
        yield from (("word", word.lower()) for word in _WORD.findall(template))


def _template(text: str) -> str:
    return " ".join(masked(text))


def _down(world: World, incident: Incident) -> Iterator[str]:
    near = dict.fromkeys((*world.dependencies(incident.agent), *incident.agents))
    for name in near:
        one = world.agents.get(name)
        if name != incident.agent and one is not None and one.down:
            yield name


def _changed(world: World, incident: Incident) -> Iterator[ChangeKind]:
    near = {incident.agent, *world.dependencies(incident.agent)}
    for one in world.changes:
        if one.agent in near and one.kind in _TELLING and 0.0 <= incident.onset - one.at <= CHANGES_S:
            yield one.kind
