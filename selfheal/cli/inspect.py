"""How is the fleet, and how is the daemon itself?"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Mapping
from datetime import datetime

from selfheal import __version__
from selfheal.cli.client import Answer, Document, daemon_of, path
from selfheal.cli.output import (
    Cell,
    age,
    coloured,
    counted,
    duration,
    paint,
    plain,
    say,
    share,
    show,
    show_json,
    show_table,
    size,
    state,
)
from selfheal.cli.verb import FAILED, NOT_WELL, Group, Verb, as_json, named, the_daemon

_BYTES = frozenset({"rss", "memory", "rss_bytes", "memory_bytes", "pss"})
_WINDOWS = ("24h", "7d", "30d", "90d")
_HEADER = ("AGENT", "STATE", "SINCE", "PID", "RESTARTS", "CHECKS", "RISK", "WHY")


def _status(arguments: Namespace) -> int:
    client = daemon_of(arguments)
    summary = client.get("/observability/summary")
    if arguments.json:
        show_json(summary.body.raw)
    else:
        show_summary(summary)
        agents = client.get("/observability/agents", limit=1000)
        show("")
        show_agents(agents)
    if trouble := summary.body.text("trouble"):
        say(f"The daemon cannot save what happens: {plain(trouble)}; free space on its disk, or see what its log says.")
    return 0 if summary.body.text("status") == "ok" else NOT_WELL


def show_summary(answer: Answer) -> None:
    """Print the fleet at a glance, on one line."""
    colour, body = coloured(sys.stdout), answer.body
    head = [paint(state(body.text("status", "unknown")), colour), counted(body.part("agents").count("total"), "agent")]
    head.append(f"up {duration(body.number('uptime_seconds') or 0)}")
    show(" · ".join([*head, *(paint(cell, colour) for cell in _concerns(body))]))


def _concerns(body: Document) -> list[Cell]:
    """What a person would want to know next, most pressing first."""
    cells = []
    if body.flag("paused"):
        cells.append(Cell("healing is paused", "uneasy"))
    if body.text("trouble"):
        cells.append(Cell("not saved", "bad"))
    if body.flag("dry_run"):
        cells.append(Cell("dry run: nothing is done", "uneasy"))
    incidents, predictions = body.part("incidents"), body.part("predictions")
    if open_ := incidents.count("open"):
        cells.append(Cell(counted(open_, "open incident"), "bad"))
    cells.append(Cell(f"{counted(incidents.count('last_24h'), 'incident')} in 24 h"))
    if high := predictions.count("high_risk"):
        cells.append(Cell(f"{counted(high, 'failure')} foreseen", "uneasy"))
    recovery = body.part("recovery")
    p95 = recovery.number("p95_seconds")
    if p95 is not None and recovery.count("count"):
        cells.append(Cell(f"recovery p95 {duration(p95)}"))
    return cells


def _agents(arguments: Namespace) -> int:
    client, name = daemon_of(arguments), arguments.agent
    if name is not None:
        return _agent(client.get(path("observability", "agents", name)), arguments)
    answer = client.get("/observability/agents", limit=1000)
    if arguments.json:
        show_json(answer.body.raw)
    else:
        show_agents(answer)
    return 0


def show_agents(answer: Answer, checks: Callable[[list[Document]], Cell] | None = None) -> None:
    """Print a table of agents; `checks` says otherwise than by default how many of an agent's are well."""
    rows = [_row(agent, answer.now, checks or _checks) for agent in answer.body.parts("items")]
    show_table(_HEADER, rows, "There are no agents; write [agents.NAME] into selfheal.toml and restart the daemon.")


def _row(agent: Document, now: datetime, checks: Callable[[list[Document]], Cell]) -> tuple[Cell | str, ...]:
    return (
        Cell(agent.text("name"), "strong"),
        _state(agent),
        age(agent.moment("since"), now),
        agent.text("pid", "-"),
        agent.text("restarts", "0"),
        checks(agent.parts("checks")),
        _risk(agent.number("risk")),
        "; ".join(filter(None, (agent.text("reason"), _next_run(agent, now)))),
    )


def _next_run(agent: Document, now: datetime) -> str:
    """When the next run of a schedule is due; nothing where there is none, or it is not wanted."""
    due = agent.moment("next_run") if agent.flag("wanted") else None
    return f"runs next in {duration(max(0.0, (due - now).total_seconds()))}" if due is not None else ""


def _state(agent: Document) -> Cell:
    cell = state(agent.text("state"))
    return Cell(f"{cell.text}, paused", "uneasy") if agent.flag("paused") else cell


def _checks(checks: list[Document]) -> Cell:
    """How many of its checks have settled on good."""
    good = sum(check.flag("ok") for check in checks)
    text = f"{good}/{len(checks)} ok" if checks else "-"
    return Cell(text, "bad" if any(map(_fails, checks)) else "quiet")


def _fails(check: Document) -> bool:
    return check.raw.get("ok") is False


def _risk(risk: float | None) -> Cell:
    if not risk:
        return Cell("-", "quiet")
    return Cell(share(risk), "bad" if risk >= 0.7 else "uneasy")


def _agent(answer: Answer, arguments: Namespace) -> int:
    agent, colour = answer.body, coloured(sys.stdout)
    if arguments.json:
        show_json(agent.raw)
        return 0
    show(f"{paint(Cell(agent.text('name'), 'strong'), colour)}  {paint(_state(agent), colour)}")
    for label, value in _facts(agent, answer.now).items():
        if value:
            show(f"  {paint(Cell(f'{label:<11}', 'quiet'), colour)} {paint(Cell(value), colour)}")
    for check in agent.parts("checks"):
        show(f"  {paint(_check(check), colour)}")
    return 0


def _facts(agent: Document, now: datetime) -> Mapping[str, str]:
    breaker = agent.part("breaker")
    signals = agent.part("signals")
    return {
        "why": agent.text("reason"),
        "kind": f"{agent.text('kind')}, {agent.text('layer')} layer",
        "since": age(agent.moment("since"), now),
        "pid": agent.text("pid"),
        "restarts": agent.text("restarts"),
        "schedule": _next_run(agent, now),
        "depends on": ", ".join(agent.texts("depends_on")),
        "risk": share(agent.number("risk") or 0.0),
        "strange": _strange(agent.part("strangeness")),
        "breaker": breaker.text("state") if breaker.text("state") != "closed" else "",
        "standby": _standby(agent.part("standby")),
        "uptime": _uptime(agent.part("uptime")),
        "latency": _latency(agent.part("latency")),
        "signals": ", ".join(_signal(name, signals.number(name)) for name in sorted(signals.raw)),
    }


def _strange(seen: Document) -> str:
    """How strange it is now, and who says so: its forest, or, and then why, the statistics alone."""
    score = seen.number("score")
    if score is None:
        return ""
    by_forest = seen.text("by") == "forest"
    more = ", ".join(seen.texts("features")) if by_forest else seen.text("why")
    return f"{share(score)}, by {'its forest' if by_forest else 'statistics'}{f': {more}' if more else ''}"


def _uptime(known: Document) -> str:
    """The share of the last day, week, and so on, rounded down: what was down for a moment was not up all the time."""
    figures = {window: known.number(window) for window in _WINDOWS}
    return ", ".join(f"{int(one * 1e4) / 100:g} % in {window}" for window, one in figures.items() if one is not None)


def _latency(known: Document) -> str:
    """The quantiles of the shortest window in which anything was measured."""
    for window in _WINDOWS:
        figures = {name: known.part(window).number(name) for name in ("p50", "p95", "p99")}
        told = [f"{name} {duration(figure)}" for name, figure in figures.items() if figure is not None]
        if told:
            return f"{', '.join(told)} in {window}"
    return ""


def _standby(standby: Document) -> str:
    if not standby.raw:
        return ""
    kind, why = standby.text("kind"), standby.text("why")
    if standby.flag("ready"):
        return f"{kind} ready, pid {standby.text('pid')}, rss {size(float(standby.count('rss')))}"
    return f"{kind} not ready{f': {why}' if why else ''}"


def _signal(name: str, value: float | None) -> str:
    if value is None:
        return f"{name} -"
    return f"{name} {size(value) if name in _BYTES else f'{value:.4g}'}"


def _check(check: Document) -> Cell:
    words = [check.text("result", "not asked yet"), check.text("reason")]
    took = check.number("took_seconds")
    if took is not None:
        words.append(f"took {duration(took)}")
    return Cell(f"check {check.text('name')}: {', '.join(filter(None, words))}", "bad" if _fails(check) else "plain")


def _health(arguments: Namespace) -> int:
    answer = daemon_of(arguments).ask("GET", "/healthz")
    well = answer.status == 200
    if arguments.json:
        show_json(answer.body.raw)
    elif well:
        show("the daemon works")
    else:
        say(f"the daemon does not work as it should: {answer.body.text('detail') or answer.body.text('status')}")
    return 0 if well else FAILED


def _version(arguments: Namespace) -> int:
    if arguments.json:
        show_json({"version": __version__, "python": sys.version.split()[0]})
    else:
        show(f"selfheal {__version__}")
    return 0


GROUP = Group(
    "How things are",
    (
        Verb(
            "status",
            "The fleet at a glance; exit code 3 where it is not well.",
            "status --state-dir /var/lib/selfheal",
            _status,
            (the_daemon, as_json),
        ),
        Verb(
            "agents",
            "Every agent, or all that is known of one.",
            "agents api",
            _agents,
            (named("AGENT", "show this one in full", optional=True), the_daemon, as_json),
        ),
        Verb(
            "health",
            "Whether the daemon itself works, whatever its fleet.",
            "health && echo up",
            _health,
            (the_daemon, as_json),
        ),
        Verb("version", "The version of this program.", "version --json", _version, (as_json,)),
    ),
)
