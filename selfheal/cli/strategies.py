"""What was learned: which fix helps whom against what, how soon, and how far the suggestions were right?"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from datetime import datetime

from selfheal.cli.client import Document, daemon_of
from selfheal.cli.output import Cell, age, duration, share, show, show_json, show_table
from selfheal.cli.verb import Group, Verb, as_json, limit, named, the_daemon

_HEADER = (
    "AGENT", "CAUSE", "FIX", "HELPS", "95 % INTERVAL", "TRIED", "RECOVERY", "SLOWEST", "ONE TRY", "WAITS", "USED",
)  # fmt: skip


def _strategies(arguments: Namespace) -> int:
    client = daemon_of(arguments)
    answer = client.get("/observability/strategies", limit=arguments.limit, agent=arguments.agent)
    shadow = client.get("/observability/fixes", limit=1).body.parts("shadow")
    if arguments.json:
        show_json({**answer.body.raw, "shadow": [one.raw for one in shadow]})
        return 0
    rows = [row for one in answer.body.parts("items") for row in _rows(one, answer.now)]
    show_table(_HEADER, rows, "Nothing was learned yet.")
    if shadow:
        show("", *map(_suggested, shadow))
    return 0


def _rows(strategy: Document, now: datetime) -> Iterator[tuple[Cell | str, ...]]:
    """A line for each fix, best first; whose they are is told once."""
    for place, fix in enumerate(strategy.parts("fixes")):
        first, used_at = place == 0, strategy.moment("last_used_at")
        yield (
            Cell(strategy.text("agent") if first else "", "strong"),
            strategy.text("cause").replace("_", " ") if first else "",
            fix.text("fix"),
            share(fix.number("success") or 0.0),
            _interval(fix.raw.get("interval")),
            f"{fix.number('tried') or 0.0:.3g}",
            _seconds(fix, "recovery_seconds"),
            _seconds(fix, "slowest_seconds"),
            _seconds(fix, "expected_seconds"),
            _seconds(fix, "settle_seconds"),
            Cell(f"{age(used_at, now)} ago" if used_at and first else "", "quiet"),
        )


def _interval(interval: object) -> str:
    match interval:
        case [int() | float() as low, int() | float() as high]:
            return f"{share(low)} – {share(high)}"
        case _:
            return "-"


def _seconds(fix: Document, name: str) -> str:
    value = fix.number(name)
    return duration(value) if value is not None else "-"


def _suggested(one: Document) -> str:
    sooner = f"{one.count('sooner')} would have been sooner"
    if one.number("sooner_seconds"):
        sooner += f" ({duration(one.number('sooner_seconds') or 0.0)} in all)"
    told = f"{one.count('agreed')} done by a person, {one.count('needless')} not needed, {sooner}"
    return f"only suggested: {one.text('fix')}: {told}, {one.count('open')} open"


GROUP = Group(
    "What was learned",
    (
        Verb(
            "strategies",
            "Which fix helps whom against what, best first, how soon, and how long is waited for it.",
            "strategies billing",
            _strategies,
            (named("AGENT", "only those of this agent", optional=True), limit, the_daemon, as_json),
        ),
    ),
)
