"""What is not as usual?"""

from __future__ import annotations

from argparse import Namespace
from datetime import datetime

from selfheal.cli.client import Document, daemon_of
from selfheal.cli.output import Cell, clock_time, show_json, show_table
from selfheal.cli.verb import Group, Verb, as_json, limit, the_daemon

_HEADER = ("ID", "AGENT", "SIGNAL", "VALUE", "EXPECTED", "SCORE", "SEEN", "OVER")


def _anomalies(arguments: Namespace) -> int:
    answer = daemon_of(arguments).get("/observability/anomalies", limit=arguments.limit)
    if arguments.json:
        show_json(answer.body.raw)
        return 0
    rows = [_row(one, answer.now) for one in answer.body.parts("items")]
    show_table(_HEADER, rows, "Nothing strange was seen.")
    return 0


def _row(one: Document, now: datetime) -> tuple[Cell | str, ...]:
    return (
        one.text("id"),
        Cell(one.text("agent"), "strong"),
        one.text("signal"),
        _number(one.number("value")),
        _number(one.number("expected")),
        _number(one.number("score")),
        _moment(one.moment("at"), now),
        _moment(one.moment("over_at"), now),
    )


def _number(value: float | None) -> str:
    return f"{value:.4g}" if value is not None else "-"


def _moment(moment: datetime | None, now: datetime) -> str:
    return clock_time(moment, now) if moment else "-"


GROUP = Group(
    "What is strange",
    (
        Verb(
            "anomalies",
            "What is not as usual.",
            "anomalies --limit 5",
            _anomalies,
            (limit, the_daemon, as_json),
        ),
    ),
)
