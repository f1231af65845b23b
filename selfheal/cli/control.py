"""What may a person order?"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable

from selfheal.cli.client import Answer, daemon_of, path
from selfheal.cli.output import say, show_json
from selfheal.cli.verb import Group, Verb, an_incident, as_json, named, the_daemon


def _agent_order(verb: str, done: str) -> Callable[[Namespace], int]:
    def run(arguments: Namespace) -> int:
        answer = daemon_of(arguments).post(path("control", "agents", arguments.agent, verb))
        return _report(answer, arguments, f"{arguments.agent}: {done}")

    return run


def _answer_to_approval(verb: str, done: str) -> Callable[[Namespace], int]:
    def run(arguments: Namespace) -> int:
        answer = daemon_of(arguments).post(path("control", "incidents", arguments.incident, verb))
        return _report(answer, arguments, f"incident {arguments.incident}: {done}")

    return run


def _switch(verb: str, done: str) -> Callable[[Namespace], int]:
    def run(arguments: Namespace) -> int:
        answer = daemon_of(arguments).post(path("control", verb), {"agent": arguments.agent})
        whose = f"of {arguments.agent} " if arguments.agent else ""
        return _report(answer, arguments, f"healing {whose}is {done}")

    return run


def _report(answer: Answer, arguments: Namespace, words: str) -> int:
    if arguments.json:
        show_json(answer.body.raw)
    else:
        say(answer.body.text("message") or words)
    return 0


_AGENT = (named("AGENT", "its name"), the_daemon, as_json)
_INCIDENT = (an_incident, the_daemon, as_json)
_ONE_OR_ALL = (named("AGENT", "only this one; by default all", optional=True), the_daemon, as_json)

GROUP = Group(
    "What you may order",
    (
        Verb(
            "start",
            "Start an agent, and close its breaker.",
            "start api",
            _agent_order("start", "started"),
            _AGENT,
        ),
        Verb(
            "stop",
            "Stop an agent until you start it again, also over a restart of the daemon.",
            "stop api",
            _agent_order("stop", "stopped"),
            _AGENT,
        ),
        Verb(
            "restart", "Stop an agent and start it again.", "restart api", _agent_order("restart", "restarted"), _AGENT
        ),
        Verb(
            "approve",
            "Let the fix happen that an incident waits to be allowed.",
            "approve inc-7",
            _answer_to_approval("approve", "approved"),
            _INCIDENT,
        ),
        Verb(
            "reject",
            "Forbid the fix that an incident waits to be allowed.",
            "reject inc-7",
            _answer_to_approval("reject", "rejected"),
            _INCIDENT,
        ),
        Verb(
            "pause",
            "The kill switch: no act but a person's, for one agent or all, until resumed.",
            "pause api",
            _switch("pause", "paused"),
            _ONE_OR_ALL,
        ),
        Verb("resume", "Let the healer act again.", "resume", _switch("resume", "on again"), _ONE_OR_ALL),
    ),
)
