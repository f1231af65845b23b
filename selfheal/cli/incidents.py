"""What happened, why, and what was done about it?"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from selfheal.causes import CAUSES
from selfheal.cli.anomalies import strange_lines
from selfheal.cli.client import Answer, Client, Document, daemon_of, path
from selfheal.cli.output import (
    Cell,
    Tone,
    age,
    clock_time,
    coloured,
    duration,
    paint,
    plain,
    share,
    show,
    show_json,
    show_table,
    state,
)
from selfheal.cli.ranking import looked_at
from selfheal.cli.verb import Group, Verb, an_incident, as_json, incident_id, limit, named, the_daemon
from selfheal.errors import UnknownName

_HEADER = ("ID", "AGENT", "STATE", "SEVERITY", "CAUSE", "OPENED", "RECOVERY", "TRIED")
_SEVERITIES: Mapping[str, Tone] = {"info": "quiet", "warning": "uneasy", "critical": "bad"}
# Causes below this are listed by --json alone: nobody acts on them.
_WORTH_SHOWING = 0.05


def _incidents(arguments: Namespace) -> int:
    answer = daemon_of(arguments).get("/observability/incidents", limit=arguments.limit)
    if arguments.json:
        show_json(answer.body.raw)
        return 0
    show_incidents(answer.body.parts("items"), answer.now, "Nothing has happened yet.")
    return 0


def show_incidents(incidents: list[Document], now: datetime, nothing: str) -> None:
    """Print a table of incidents; where there are none, say `nothing`."""
    show_table(_HEADER, [_row(incident, now) for incident in incidents], nothing)


def _row(incident: Document, now: datetime) -> tuple[Cell | str, ...]:
    opened, recovery = incident.moment("opened_at"), incident.number("recovery_seconds")
    return (
        incident.text("id"),
        Cell(incident.text("agent"), "strong"),
        state(incident.text("state")),
        Cell(incident.text("severity", "-"), _SEVERITIES.get(incident.text("severity"), "plain")),
        incident.text("cause", "unknown").replace("_", " "),
        clock_time(opened, now) if opened else "-",
        duration(recovery) if recovery is not None else "-",
        ", ".join(attempt.text("fix") for attempt in incident.parts("attempts")) or "-",
    )


def _show(arguments: Namespace) -> int:
    client = daemon_of(arguments)
    if arguments.markdown:
        report = client.text(path("observability", "incidents", arguments.incident, "report"), format="markdown")
        show(plain(report).rstrip("\n"))
        return 0
    return _tell(client.get(path("observability", "incidents", arguments.incident)), arguments.json)


def _why(arguments: Namespace) -> int:
    client, subject = daemon_of(arguments), arguments.subject
    try:
        return _tell(client.get(path("observability", "incidents", incident_id(subject))), arguments.json)
    except UnknownName:
        return _why_agent(client, subject, arguments.json)


def _why_agent(client: Client, name: str, json: bool) -> int:
    """The open incident from which the agent suffers, or the latest one, or that it is well.

    What a person stopped since is no trouble: then that is told, and where to read of the last one.
    """
    try:
        agent = client.get(path("observability", "agents", name))
    except UnknownName as why:
        raise UnknownName(
            f"cannot explain {name!r}: there is no agent and no incident of that name; "
            f"'selfheal agents' and 'selfheal incidents' list them"
        ) from why
    work = [] if json else [*_work_lines(client, agent)]
    latest = agent.body.text("incident") or next((one.text("id") for one in agent.body.parts("incidents")), "")
    if not latest:
        known = "no incident is known of it" if work else "nothing has happened to it"
        return _tell_standing(agent, json, known, work)
    incident = client.get(path("observability", "incidents", latest))
    if _stopped_since(agent.body, incident.body):
        return _tell_standing(agent, json, f"its last incident was before that: 'selfheal why {latest}'", work)
    return _tell(incident, json, agent, work)


def _stopped_since(agent: Document, incident: Document) -> bool:
    """Whether a person stopped the agent after the incident was over."""
    stopped, over = agent.moment("ordered_at"), incident.moment("resolved_at")
    return not agent.flag("wanted") and stopped is not None and over is not None and over < stopped


def _work_lines(client: Client, agent: Answer) -> Iterator[str]:
    """The latest work ahead of time on an agent: it was started anew by that, and no incident tells of it."""
    for one in client.get("/observability/maintenance", agent=agent.body.text("name"), limit=1).body.parts("items"):
        when = one.moment("done_at") or one.moment("due_at")
        at = f" at {clock_time(when, agent.now)}" if when else ""
        standing = paint(state(one.text("state")), coloured(sys.stdout))
        yield f"ahead of time ({one.text('id')}): {one.text('action')}, {standing}{at}: {one.text('why')}"


def _tell_standing(agent: Answer, json: bool, rest: str, work: Sequence[str]) -> int:
    if json:
        show_json({"agent": agent.body.raw, "incident": None})
    else:
        show(f"{_standing(agent, coloured(sys.stdout))}; {rest}", *work, *strange_lines(agent.body, agent.now))
    return 0


def _standing(agent: Answer, colour: bool) -> str:
    """How the agent is, since when and why, in one line."""
    name = paint(Cell(agent.body.text("name"), "strong"), colour)
    lasting = age(agent.body.moment("since"), agent.now)
    standing = f"{name} is {paint(state(agent.body.text('state')), colour)} for {lasting}"
    why = paint(Cell(", ".join(_reasons(agent))), colour)
    return f"{standing}: {why}" if why else standing


def _reasons(agent: Answer) -> Iterator[str]:
    body = agent.body
    stopped = body.moment("ordered_at") if not body.flag("wanted") else None
    trial = body.part("breaker").moment("retry_at") if body.text("state") == "quarantined" else None
    start = body.moment("next_start_at")
    if stopped is not None:
        yield f"stopped by {body.text('ordered_by')} at {clock_time(stopped, agent.now)}"
    if body.text("reason"):
        yield body.text("reason")
    if trial is not None:
        yield f"next trial at {clock_time(trial, agent.now)}"
    if start is not None:
        yield f"next start at {clock_time(start, agent.now)}"


def _tell(answer: Answer, json: bool, agent: Answer | None = None, work: Sequence[str] = ()) -> int:
    if json:
        show_json({"agent": agent.body.raw, "incident": answer.body.raw} if agent else answer.body.raw)
        return 0
    colour = coloured(sys.stdout)
    if agent is not None:
        show(_standing(agent, colour), *work, *strange_lines(agent.body, agent.now), "")
    show(*_header(answer.body, colour), "", *_story(answer, colour))
    return 0


def _header(incident: Document, colour: bool) -> Iterator[str]:
    title = f"incident {incident.text('id')}: {incident.text('agent')}"
    yield f"{paint(Cell(title, 'strong'), colour)}  {paint(state(incident.text('state')), colour)}"
    for label, value in _facts(incident):
        yield f"  {paint(Cell(f'{label:<9}', 'quiet'), colour)} {paint(Cell(value), colour)}"


def _facts(incident: Document) -> Iterator[tuple[str, str]]:
    others = [name for name in incident.texts("agents") if name != incident.text("agent")]
    if incident.text("severity"):
        yield "severity", incident.text("severity")
    if others:
        yield "suffered", ", ".join(others)
    yield from _causes(incident)
    yield from looked_at(incident.part("ranking"))
    yield from _suggested(incident)
    if incident.part("label").text("by"):
        yield "label", _label(incident.part("label"))
    for number, one in enumerate(incident.parts("similar")):
        yield "seen" if number == 0 else "", seen_before(one)
    for number, attempt in enumerate(incident.parts("attempts"), start=1):
        yield "attempt" if number == 1 else "", _attempt(number, attempt)
    recovery = incident.number("recovery_seconds")
    if recovery is not None:
        yield "recovery", f"{duration(recovery)} from the onset to the first good sign"


def _causes(incident: Document) -> Iterator[tuple[str, str]]:
    causes = incident.parts("causes")
    if not causes:
        yield "cause", _cause(incident.text("cause", "unknown"))
    for rank, cause in enumerate(causes):
        probability = cause.number("probability") or 0.0
        if rank and probability < _WORTH_SHOWING:
            break
        where = f" at {cause.text('agent')}" if cause.text("agent") not in ("", incident.text("agent")) else ""
        yield "cause" if rank == 0 else "or", f"{_cause(cause.text('cause'))}{where} ({share(probability)})"
        for number, evidence in enumerate(cause.texts("evidence")):
            yield "evidence" if number == 0 else "", evidence


def seen_before(one: Document) -> str:
    """An incident of the past that looked like it: when, what it was, and what helped then."""
    at, took = one.moment("at"), one.number("recovery_seconds")
    told = f"{one.text('incident')}, {at.astimezone():%Y-%m-%d %H:%M}: " if at else f"{one.text('incident')}: "
    told += one.text("cause") or "not what was thought"
    told += f", {one.text('fix')} helped" if one.text("fix") else ", no fix helped"
    told += f" after {duration(took)}" if took is not None else ""
    return f"{told} ({share(one.number('similarity') or 0.0)} alike)"


def _suggested(incident: Document) -> Iterator[tuple[str, str]]:
    """What would help; once something was tried the attempts say more."""
    if incident.parts("attempts"):
        return
    for number, one in enumerate(incident.parts("suggested")):
        odds = one.number("success")
        told = f"{one.text('fix')} of {one.text('agent')}{f' ({share(odds)})' if odds is not None else ''}"
        barred = one.text("barred")
        yield "help" if number == 0 else "", f"{told}: not now, {barred}" if barred else told


def _label(label: Document) -> str:
    if label.flag("right"):
        return f"right, says {label.text('by')}"
    cause = label.text("cause")
    return (
        f"it was {cause} at {label.text('agent')}, says {label.text('by')}"
        if cause
        else f"wrong, says {label.text('by')}"
    )


def _cause(slug: str) -> str:
    sentence = CAUSES.get(slug)
    return f"{slug}: {sentence}" if sentence else slug


def _attempt(number: int, attempt: Document) -> str:
    """The time is that to the verdict: how long the act itself took says nothing about whether it helped."""
    began, judged = attempt.moment("started_at"), attempt.moment("verified_at")
    if attempt.text("outcome") == "succeeded" and judged is None:
        return f"{number}. {attempt.text('fix')}: done, not verified yet"
    took = f" after {duration((judged - began).total_seconds())}" if began and judged else ""
    return f"{number}. {attempt.text('fix')}: {attempt.text('outcome').replace('_', ' ') or 'running'}{took}"


def _story(answer: Answer, colour: bool) -> Iterator[str]:
    """One line a step: local wall time, time since the onset, and what happened."""
    for step in answer.body.parts("story"):
        moment, since_onset = step.moment("at"), step.number("offset_s") or 0.0
        when = moment.astimezone().strftime("%H:%M:%S.%f")[:-3] if moment else ""
        cells = Cell(f"  {when} ", "quiet"), Cell(f"{offset(since_onset)}  ", "busy"), Cell(step.text("text"))
        yield "".join(paint(cell, colour) for cell in cells)


def offset(seconds: float) -> str:
    """Time since the onset. Milliseconds matter in the first minute, and nowhere after."""
    text = f"+{seconds:.3f} s" if seconds < 60 else f"+{duration(seconds)}"
    return f"{text:>11}"


def _form(parser: ArgumentParser) -> None:
    """In which form an incident is printed."""
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--json", action="store_true", help="print the facts as one JSON document")
    forms.add_argument(
        "--markdown",
        action="store_true",
        help="print a report: what it was, what it cost, what would prevent it",
    )


GROUP = Group(
    "What happened",
    (
        Verb("incidents", "The latest incidents.", "incidents --limit 5", _incidents, (limit, the_daemon, as_json)),
        Verb(
            "incidents show",
            "One incident: causes with their evidence, what was tried, and its story.",
            "incidents show inc-7",
            _show,
            (an_incident, the_daemon, _form),
        ),
        Verb(
            "why",
            "The story of an incident, or of the latest one of an agent.",
            "why billing",
            _why,
            (named("SUBJECT", "an agent's name, or an incident's id or number"), the_daemon, as_json),
        ),
    ),
)
