"""What may a person order?"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable

from selfheal.cli.client import Answer, daemon_of, path
from selfheal.cli.output import say, show_json
from selfheal.cli.verb import FAILED, Group, Verb, an_incident, as_json, how_many, named, seconds, the_daemon

# A restart of many goes on one by one, each until it is ready: how long that takes, nobody here can know.
ONE_BY_ONE_S = 3600.0


def _agent_order(verb: str, done: str) -> Callable[[Namespace], int]:
    def run(arguments: Namespace) -> int:
        names: list[str] = arguments.agent
        several = len(names) > 1
        where = path("control", verb) if several else path("control", "agents", names[0], verb)
        answer = daemon_of(arguments).post(where, {"agents": names} if several else None, patience_s=ONE_BY_ONE_S)
        return _report(answer, arguments, f"{', '.join(names)}: {done}")

    return run


def _reload(arguments: Namespace) -> int:
    answer = daemon_of(arguments).post(path("control", "reload"), patience_s=ONE_BY_ONE_S)
    return _taken(answer, arguments)


def _scale(arguments: Namespace) -> int:
    where = path("control", "agents", arguments.agent, "scale")
    answer = daemon_of(arguments).post(where, {"instances": arguments.instances}, patience_s=ONE_BY_ONE_S)
    return _taken(answer, arguments)


def _taken(answer: Answer, arguments: Namespace) -> int:
    """Say what another configuration, or another number of instances, has changed; 1 where something is not ready."""
    _report(answer, arguments, "done")
    failed = answer.body.parts("failed")
    if not arguments.json:
        for what in ("added", "removed", "restarted", "changed", "settings"):
            if names := answer.body.texts(what):
                say(f"  {what}: {', '.join(names)}")
        for one in failed:
            say(f"  not ready: {one.text('agent')}: {one.text('why')}")
        if left := answer.body.texts("left"):
            say(f"  left as they are: {', '.join(left)}")
        if pending := answer.body.texts("pending"):
            say(f"  needs a restart of the daemon: {', '.join(pending)}")
    return FAILED if failed else 0


def _instances(parser: ArgumentParser) -> None:
    parser.add_argument("instances", metavar="N", type=how_many, help="how many instances it shall have")


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


def _mute(arguments: Namespace) -> int:
    asked = {"seconds": arguments.how_long, "agent": arguments.agent}
    answer = daemon_of(arguments).post(path("control", "mute"), asked)
    return _report(answer, arguments, "done")


def _how_long(parser: ArgumentParser) -> None:
    parser.add_argument(
        "how_long", metavar="TIME", type=_time, help="such as 30m or 2h, at most a week; 'off' for alerts again"
    )
    parser.add_argument("--agent", metavar="AGENT", help="only what begins with this one; by default all")


def _time(text: str) -> float:
    return 0.0 if text in ("off", "0") else seconds(text)


def _report(answer: Answer, arguments: Namespace, words: str) -> int:
    if arguments.json:
        show_json(answer.body.raw)
    else:
        say(answer.body.text("message") or words)
    return 0


_WHICH = "its name, which means all its instances, one instance as in api:0, or a quoted pattern as in 'api:*'"
_AGENTS = (named("AGENT", _WHICH, many=True), the_daemon, as_json)
_INCIDENT = (an_incident, the_daemon, as_json)
_ONE_OR_ALL = (named("AGENT", "only this one; by default all", optional=True), the_daemon, as_json)

GROUP = Group(
    "What you may order",
    (
        Verb(
            "start",
            "Start agents in the order of their dependencies, and close their breakers.",
            "start api",
            _agent_order("start", "started"),
            _AGENTS,
        ),
        Verb(
            "stop",
            "Stop agents until you start them again, also over a restart of the daemon.",
            "stop api worker",
            _agent_order("stop", "stopped"),
            _AGENTS,
        ),
        Verb(
            "restart",
            "Stop and start agents one after the other, each once the one before is ready.",
            "restart api:*",
            _agent_order("restart", "restarted"),
            _AGENTS,
        ),
        Verb(
            "scale",
            "Change how many instances an agent has, until its configuration says another number.",
            "scale api 3",
            _scale,
            (named("AGENT", "its name in the configuration"), _instances, the_daemon, as_json),
        ),
        Verb(
            "reload",
            "Read the configuration again, and change only what is different; a bad one changes nothing.",
            "reload",
            _reload,
            (the_daemon, as_json),
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
        Verb(
            "mute",
            "No alerts of what begins for a while, for one agent or all; healing goes on; 'off' ends it.",
            "mute 2h --agent api",
            _mute,
            (_how_long, the_daemon, as_json),
        ),
    ),
)
