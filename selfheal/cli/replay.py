"""How was it then, and why was it decided so?

Both verbs read the journal in the state directory, and need no daemon: they work while it runs and when it is dead.
"""

from __future__ import annotations

import json
import sys
import textwrap
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from selfheal.cli.client import Answer, Document
from selfheal.cli.incidents import offset, show_incidents
from selfheal.cli.inspect import show_agents, show_summary
from selfheal.cli.output import (
    Cell,
    Tone,
    at,
    clock_time,
    coloured,
    counted,
    duration,
    paint,
    plain,
    say,
    share,
    show,
    show_json,
)
from selfheal.cli.place import StateDir, place_of
from selfheal.cli.verb import Group, Verb, a_path, an_incident, as_json, count
from selfheal.cli.when import moment

if TYPE_CHECKING:
    from selfheal.compose.lookback import Moment, Past

EVENTS = 20
_INDENT = " " * 6
_WIDTH = 100  # of what is told beside a label: a terminal of 120 columns shows it whole


def _replay(arguments: Namespace) -> int:
    from selfheal.compose.lookback import recall

    past = recall(_state_dir(arguments), arguments.until, arguments.events or 0)
    _say_what_is_missing(past.first)
    now = _reckoned(past, arguments.until)
    document = _documents(past, now)
    if arguments.json:
        show_json(document)
    elif arguments.events:
        _show_events(past, now)
    else:
        _show_past(past, document, now)
    return 0


def _say_what_is_missing(first: int) -> None:
    if first > 1:
        say(f"The journal begins with event #{first}: what was only told before it is missing here.")


def _state_dir(arguments: Namespace) -> Path:
    place = place_of(Namespace(url=None, state_dir=arguments.state_dir))
    assert isinstance(place, StateDir)
    return place.path


def _reckoned(past: Past, until: Moment) -> float:
    """The time from which ages are reckoned: the one that was asked for, else that of the last event."""
    from selfheal.clock import RealClock
    from selfheal.compose.lookback import At

    return min(until.at, RealClock().now()) if isinstance(until, At) else past.world.at


def _documents(past: Past, now: float) -> Mapping[str, object]:
    """The same as the API would have said, as far as the events alone tell."""
    from selfheal.learn.scorecard import figures
    from selfheal.serve.times import rfc3339
    from selfheal.serve.views import fleet
    from selfheal.serve.views.incidents import incident_view, incidents
    from selfheal.serve.views.stream import event_view
    from selfheal.vitals import Vitals

    world = past.world
    glance = fleet.summary(world, now, loops={}, scorecard=figures(world, now), ready=True, trouble=None)
    return {
        "at": rfc3339(now),
        "last_event": past.seq,
        "last_event_at": rfc3339(world.at),
        "summary": glance.model_dump(mode="json", exclude={"loops", "ready", "trouble"}),
        "agents": _items([one.model_dump(mode="json") for one in fleet.agents(world, Vitals())]),
        "incidents": _items([incident_view(one).model_dump(mode="json") for one in incidents(world)]),
        "events": [event_view(seq, event) for seq, event in past.events],
    }


def _items(items: list[dict[str, object]]) -> Mapping[str, object]:
    return {"items": items, "total": len(items)}


def _show_past(past: Past, document: Mapping[str, object], now: float) -> None:
    body, reckoned = Document(document), at(now)
    last = clock_time(at(past.world.at), reckoned)
    show(f"as of {reckoned.astimezone():%Y-%m-%d %H:%M:%S}, after event #{past.seq} at {last}")
    show_summary(Answer(200, reckoned, body.part("summary")))
    show("")
    show_agents(Answer(200, reckoned, body.part("agents")), _failing)
    still_open = [one for one in body.part("incidents").parts("items") if not one.moment("resolved_at")]
    if still_open:
        show("")
        show_incidents(still_open, reckoned, "")


def _failing(checks: list[Document]) -> Cell:
    """Events tell of a check when it fails and when it is well again, and never how it was between."""
    failing = sum(check.raw.get("ok") is False for check in checks)
    return (
        Cell(f"{failing}/{len(checks)} failing", "bad") if failing else Cell("none failing" if checks else "-", "quiet")
    )


def _show_events(past: Past, now: float) -> None:
    from selfheal.serve.views.stream import event_view

    colour = coloured(sys.stdout)
    for seq, event in past.events:
        head = Cell(f"#{seq}  {_when(event.at, now)}  ", "quiet"), Cell(f"{type(event).__name__}  ", "strong")
        show("".join(paint(cell, colour) for cell in (*head, Cell(_fields(event_view(seq, event))))))


def _fields(shown: Mapping[str, object]) -> str:
    told = {name: value for name, value in shown.items() if name not in ("id", "type", "at")}
    return " ".join(f"{name}={_value(value)}" for name, value in told.items() if value not in (None, "", [], False))


def _value(value: object) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.4g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)


def _when(moment_at: float, now: float) -> str:
    local = at(moment_at).astimezone()
    day = "" if local.date() == at(now).astimezone().date() else f"{local:%Y-%m-%d} "
    return f"{day}{local:%H:%M:%S}.{local.microsecond // 1000:03}"


# --- why it was decided so ---


def _explain(arguments: Namespace) -> int:
    from selfheal.compose.lookback import account
    from selfheal.serve.views.explanation import explanation

    found = account(_state_dir(arguments), arguments.incident)
    _say_what_is_missing(found.first)
    document = explanation(found.incident, found.decisions).model_dump(mode="json")
    if arguments.json:
        show_json(document)
    else:
        show(*_told(Document(document)))
    return 0


def _told(body: Document) -> Iterator[str]:
    colour, shown = coloured(sys.stdout), dict[str, str]()
    yield paint(Cell(f"{body.part('incident').text('id')}: {body.text('summary')}", "strong"), colour)
    for decision in body.parts("decisions"):
        yield ""
        yield _headline(decision, colour)
        for label, value, tone in _details(decision):
            if label in ("guards", "guard", "instead") or shown.get(label) != value:
                shown[label] = value
                yield from _wrapped(label, Cell(value, tone), colour)


def _wrapped(label: str, value: Cell, colour: bool) -> Iterator[str]:
    for place, line in enumerate(textwrap.wrap(plain(value.text), _WIDTH)):
        head = paint(Cell(f"{label if not place else '':<11}", "quiet"), colour)
        yield f"{_INDENT}{head} {paint(Cell(line, value.tone), colour)}"


def _headline(decision: Document, colour: bool) -> str:
    when = decision.moment("at")
    local = f"{when.astimezone():%H:%M:%S}.{when.microsecond // 1000:03}" if when else ""
    cells = Cell(f"{local} ", "quiet"), Cell(f"{offset(decision.number('offset_seconds') or 0.0)}  ", "busy")
    return "".join(paint(cell, colour) for cell in (*cells, Cell(decision.text("text"), "strong")))


def _details(decision: Document) -> Iterator[tuple[str, str, Tone]]:
    """What stood behind a decision, each under its label; what is as it was told before is told once."""
    situation = decision.part("situation")
    if situation.raw:
        yield "agent", _standing(situation), "plain"
        yield "depends on", _dependencies(situation), "plain"
        yield "restarts", _restarts(situation), "plain"
        yield "tried", _tried(situation), "plain"
        yield from (("learned", _learned(one), "plain") for one in situation.parts("odds"))
    if decision.text("policy"):
        yield "chosen", _rule(decision), "plain"
    yield from (("instead", _alternative(one), "plain") for one in decision.parts("alternatives"))
    yield from _guards(decision.parts("guards"))


def _standing(situation: Document) -> str:
    standing = f"{situation.text('agent')} was {situation.text('state')}"
    why = "; ".join(situation.texts("failing")) or situation.text("reason")
    return f"{standing}: {why}" if why else standing


def _dependencies(situation: Document) -> str:
    known = situation.parts("dependencies")
    return ", ".join(f"{one.text('name')}, which was {one.text('state')}" for one in known) or "nothing"


def _restarts(situation: Document) -> str:
    starts = counted(situation.count("starts_last_hour"), "restart")
    breaker = situation.text("breaker").replace("_", " ")
    return f"{starts} after a failure in the hour before; the breaker of its restart was {breaker}"


def _tried(situation: Document) -> str:
    tried = situation.parts("tried")
    return ", ".join(f"{one.text('fix')} ({_outcome(one)})" for one in tried) or "nothing before"


def _outcome(tried: Document) -> str:
    """What is done is not yet a success: whether it helps is verified after it."""
    outcome = tried.text("outcome", "under way").replace("_", " ")
    return "done, not verified yet" if outcome == "succeeded" and not tried.flag("verified") else outcome


def _learned(odds: Document) -> str:
    against = f"{odds.text('fix')} against {odds.text('cause')}"
    own, others = _helped(odds, ""), _helped(odds, "_elsewhere")
    if not own and not others:
        return f"{against} had never been verified before"
    return (
        f"{against} had helped {' and '.join(filter(None, (own and f'{own} here', others and f'{others} elsewhere')))}"
    )


def _helped(odds: Document, where: str) -> str:
    helped, failed = odds.number(f"helped{where}") or 0.0, odds.number(f"failed{where}") or 0.0
    return f"{helped:.3g} of {helped + failed:.3g} times" if helped + failed else ""


def _alternative(one: Document) -> str:
    weighed = f"{one.text('fix')}: expected {duration(one.number('expected_seconds') or 0.0)} in all, "
    weighed += f"{share(one.number('success') or 0.0)} likely to help"
    cost_s, propensity = one.number("cost_seconds"), one.number("propensity")
    if cost_s:
        weighed += f", takes {duration(cost_s)} by itself"
    if propensity and propensity < 1.0:
        weighed += f", chosen in {share(propensity)} of near-ties"
    if not one.text("barred"):
        return weighed
    code = f" ({one.text('code')})" if one.text("code") else ""
    return f"{weighed}; barred{code}: {one.text('barred')}"


def _rule(decision: Document) -> str:
    """By which rule it was chosen, and what the other one would have said."""
    ladder = decision.text("ladder")
    if decision.text("policy") == "ladder":
        return "by the fixed order, since what looks ahead has proved slower so far"
    return f"by looking ahead at what follows where it fails; the fixed order begins with {ladder}"


def _guards(guards: list[Document]) -> Iterator[tuple[str, str, Tone]]:
    """Those that agree share a line; the one that held it has its own."""
    for answer, tone in _ANSWERS.items():
        told = [_guard(one) for one in guards if one.text("answer") == answer]
        if told:
            yield "guards", f"{answer}: {', '.join(told)}", tone


def _guard(one: Document) -> str:
    """A code is a word of its own; where nothing is known of what it saw, that is all."""
    guard = one.text("guard").replace("_", " ")
    return f"{guard} ({one.text('saw')})" if one.text("saw") else guard


_ANSWERS: Mapping[str, Tone] = {"held": "uneasy", "passed": "quiet", "not known": "quiet", "not asked": "quiet"}


# --- the verbs ---


def _the_state_dir(parser: ArgumentParser) -> None:
    by_default = "its state directory, found as by the other verbs where it is left out"
    parser.add_argument("--state-dir", type=a_path, metavar="DIR", help=by_default)


def _until(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--until",
        type=moment,
        required=True,
        metavar="T",
        help="a time (local without a zone), '10m ago' or -10m, seconds since the epoch, inc-7 for just before that "
        "incident, or '#1234' for just after that event",
    )


def _events(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--events", type=count, nargs="?", const=EVENTS, metavar="N", help=f"show the last N events before T ({EVENTS})"
    )


GROUP = Group(
    "Looking back",
    (
        Verb(
            "replay",
            "The world as it was at any moment that the journal still holds.",
            "replay --until inc-7",
            _replay,
            (_until, _events, _the_state_dir, as_json),
        ),
        Verb(
            "explain",
            "Why it did what it did in an incident: what it knew, what else it weighed, what the guards said.",
            "explain inc-7",
            _explain,
            (an_incident, _the_state_dir, as_json),
        ),
    ),
)
