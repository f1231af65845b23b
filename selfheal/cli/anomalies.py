"""What is not as usual, and what of it is not worth telling?"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from datetime import datetime

from selfheal.cli.client import Document, daemon_of, path
from selfheal.cli.output import Cell, Tone, clock_time, say, show_json, show_table
from selfheal.cli.verb import Group, Verb, as_json, limit, the_daemon
from selfheal.measures import amount_in

_HEADER = ("ID", "SEVERITY", "AGENTS", "SIGNAL", "SEEN", "USUALLY", "ALSO", "SINCE", "OVER", "NOTE")
_LEVELS: Mapping[str, Tone] = {"low": "quiet", "medium": "uneasy", "high": "bad"}
_AGENTS_SHOWN, _LEVELS_SHOWN = 3, 5


def _anomalies(arguments: Namespace) -> int:
    answer = daemon_of(arguments).get("/observability/anomalies", limit=arguments.limit)
    if arguments.json:
        show_json(answer.body.raw)
        return 0
    rows = [_row(one, answer.now) for one in answer.body.parts("items")]
    show_table(_HEADER, rows, "Nothing strange was seen.")
    for line in (*_kept_back(answer.body), *_levels(answer.body, answer.now)):
        say(line)
    return 0


def _row(one: Document, now: datetime) -> tuple[Cell | str, ...]:
    level, severity = one.text("level"), one.number("severity")
    others = len(one.parts("signals")) - 1 + one.count("more")
    return (
        one.text("id"),
        Cell(f"{level} {severity:.2f}" if severity is not None else level, _LEVELS.get(level, "plain")),
        Cell(_several(one.texts("agents")), "strong"),
        f"{one.text('signal')} {'↓' if one.text('direction') == 'down' else '↑'}",
        _amount(one, "value"),
        _amount(one, "expected"),
        f"{others} signal{'s' if others > 1 else ''}" if others > 0 else "-",
        _moment(one.moment("since"), now),
        _moment(one.moment("over_at"), now),
        _note(one),
    )


def _several(names: list[str]) -> str:
    left = len(names) - _AGENTS_SHOWN
    return ", ".join(names[:_AGENTS_SHOWN]) + (f" and {left} more" if left > 0 else "")


def _note(one: Document) -> str:
    if one.flag("dismissed"):
        return f"dismissed by {one.text('dismissed_by')}"
    after = one.raw.get("after")
    return f"has outlasted {_RULES.get(str(after), str(after))}" if after is not None else ""


_RULES: Mapping[str, str] = {
    "maintenance": "maintenance",
    "own_act": "what selfheal or a person did",
    "dismissed": "what was dismissed",
}


def _kept_back(body: Document) -> Iterator[str]:
    """What was not raised, and what will not be, in a line each: `--json` has all of it."""
    counts = body.part("suppressed_total")
    told = [f"{counts.count(rule)} for {words}" for rule, words in _RULES.items() if counts.count(rule)]
    if told:
        yield f"not raised so far: {', '.join(told)}"
    for one in body.parts("dismissals"):
        arrow = "↓" if one.text("direction") == "down" else "↑"
        signal = f"{one.text('agent')} {one.text('signal')} {arrow}"
        why = f"{one.text('by')} dismissed {one.text('anomaly')}"
        yield f"{signal}: told from a score of {_number(one.number('bar'))} on, since {why}"


def _levels(body: Document, now: datetime) -> Iterator[str]:
    """Where what is normal has changed of late."""
    for one in body.parts("levels")[:_LEVELS_SHOWN]:
        value, before = _amount(one, "value"), _amount(one, "expected")
        why = f"since {_CHANGES.get(one.text('why'), one.text('why'))} {_moment(one.moment('since'), now)}"
        yield f"{one.text('agent')} {one.text('signal')}: {value} is normal {why}; {before} before"


_CHANGES: Mapping[str, str] = {
    "start": "the start at",
    "deploy": "the deploy at",
    "files": "files were edited at",
    "reload": "another configuration at",
    "fix": "the fix at",
    "gap": "a gap that ended at",
    "held": "what began at",
}


def _number(value: float | None) -> str:
    return f"{value:.4g}" if value is not None else "-"


def _amount(one: Document, key: str) -> str:
    value = one.number(key)
    return amount_in(one.text("unit"), value) if value is not None else "-"


def _moment(moment: datetime | None, now: datetime) -> str:
    return clock_time(moment, now) if moment else "-"


def strange_lines(agent: Document, now: datetime) -> Iterator[str]:
    """What is not as usual about an agent now, in a line each, for whoever asks why it is as it is."""
    for one in agent.parts("anomalies"):
        if not one.text("over_at") and not one.flag("dismissed"):
            own = [part for part in one.parts("signals") if part.text("agent") == agent.text("name")]
            told = "; ".join(_moved(part, now) for part in own if not part.text("over_at"))
            others = [name for name in one.texts("agents") if name != agent.text("name")]
            also = f"; also {_several(others)}" if others else ""
            yield f"not as usual ({one.text('id')}, {one.text('level')}): {told}{also}"


def _moved(part: Document, now: datetime) -> str:
    value, expected = _amount(part, "value"), _amount(part, "expected")
    return f"{part.text('signal')} {value}, usually {expected}, since {_moment(part.moment('since'), now)}"


def _dismiss(arguments: Namespace) -> int:
    verb = "restore" if arguments.undo else "dismiss"
    where = path("control", "anomalies", arguments.anomaly, verb)
    answer = daemon_of(arguments).post(where, {"by": arguments.by})
    if arguments.json:
        show_json(answer.body.raw)
    else:
        say(answer.body.text("message") or "done")
    return 0


def _an_anomaly(parser: ArgumentParser) -> None:
    parser.add_argument(
        "anomaly", type=_id, metavar="N", help="its id or number, as 'selfheal anomalies' shows it; 7 means ano-7"
    )


def _id(text: str) -> str:
    return f"ano-{text}" if text.isascii() and text.isdigit() else text


def _how(parser: ArgumentParser) -> None:
    parser.add_argument("--undo", action="store_true", help="take it back: the same is told as before")
    parser.add_argument("--by", default="", metavar="NAME", help="who says so, where several use this account")


GROUP = Group(
    "What is strange",
    (
        Verb(
            "anomalies",
            "What is not as usual, and what of that matters most.",
            "anomalies --limit 5",
            _anomalies,
            (limit, the_daemon, as_json),
        ),
        Verb(
            "anomalies dismiss",
            "Say that one was not worth telling: the same again is told less easily.",
            "anomalies dismiss 7 --by ann",
            _dismiss,
            (_an_anomaly, _how, the_daemon, as_json),
        ),
    ),
)
