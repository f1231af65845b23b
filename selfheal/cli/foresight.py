"""What will fail, what is planned, and how right was the daemon so far?"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator
from datetime import datetime

from selfheal.cli.client import Document, daemon_of
from selfheal.cli.output import Cell, clock_time, counted, duration, share, show, show_json, show_table, state
from selfheal.cli.verb import Group, Verb, as_json, limit, the_daemon

_Row = tuple[Cell | str, ...]

# Figures of the scorecard that are neither a duration nor a share.
_COUNTS = frozenset({"failures", "failures_without_precursor"})


def _predictions(arguments: Namespace) -> int:
    header = ("AGENT", "FAILURE", "PROBABILITY", "IN", "BETWEEN", "SINCE", "WHAT IS SEEN", "WHAT IS DONE")
    return _list(arguments, "predictions", header, _prediction, "No failure is foreseen.")


def _prediction(one: Document, now: datetime) -> _Row:
    probability = one.number("probability") or 0.0
    return (
        Cell(one.text("agent"), "strong"),
        one.text("mode").replace("_", " "),
        Cell(share(probability), "bad" if one.raw.get("high_risk") else "uneasy"),
        _lasting(one.number("eta_seconds")),
        f"{_lasting(one.number('eta_low'))} – {_lasting(one.number('eta_high'))}",
        _moment(one.moment("since"), now),
        "; ".join(f"{part.text('signal')}: {part.text('what')}" for part in one.parts("contributions")),
        _done_before(one, now),
    )


def _done_before(one: Document, now: datetime) -> str:
    """What is done before it comes, or where it came before: whoever has to do something looks there."""
    if one.text("work"):
        begun = one.text("work_state") in ("doing", "verifying")
        when = "is being done" if begun else f"at {_moment(one.moment('work_due_at'), now)}"
        return f"{one.text('work')} {when}"
    return f"nothing; it came in {one.text('case')}" if one.text("case") else "nothing"


def _maintenance(arguments: Namespace) -> int:
    answer = daemon_of(arguments).get("/observability/maintenance", limit=arguments.limit)
    if arguments.json:
        show_json(answer.body.raw)
        return 0
    header = ("ID", "AGENT", "WORK", "DUE", "DONE", "STATE", "WHY")
    rows = [_work(one, answer.now) for one in answer.body.parts("items")]
    show_table(header, rows, "Nothing is planned, and nothing was done ahead of time.")
    show(*_worth(answer.body.part("totals")))
    return 0


def _work(one: Document, now: datetime) -> _Row:
    return (
        one.text("id"),
        Cell(one.text("agent"), "strong"),
        one.text("action"),
        _moment(one.moment("due_at"), now),
        _moment(one.moment("done_at"), now),
        state(one.text("state")),
        "; ".join(filter(None, (one.text("why"), one.text("how"), _standing(one)))),
    )


def _standing(one: Document) -> str:
    """Why it stands as it does: what holds it, what came of it, or why it is done when it is."""
    if one.text("hold"):
        return f"held: {one.text('hold')}"
    return one.text("output") or one.text("timing")


def _worth(totals: Document) -> Iterator[str]:
    worth = totals.part("worth")
    acted, left = worth.number("acted") or 0.0, worth.number("left") or 0.0
    averted, came = int(totals.number("averted") or 0), int(totals.number("came_all_the_same") or 0)
    if averted or came:
        were = "was" if averted == 1 else "were"
        yield f"{counted(averted, 'foreseen failure')} {were} acted on in time, {came} came all the same."
    would, low, high = (worth.number(key) for key in ("would_have_failed", "low", "high"))
    if would is not None and low is not None and high is not None:
        yield (
            f"Of {acted:.0f} acted on that might have been left alone, an estimated {would:.0f} ({low:.0f}-{high:.0f}) "
            f"would have failed, by what became of {left:.0f} left alone."
        )
    elif acted:
        yield "How many of them would have failed is not known: none was left alone yet."


def _list(
    arguments: Namespace,
    name: str,
    header: tuple[str, ...],
    row: Callable[[Document, datetime], _Row],
    nothing: str,
) -> int:
    answer = daemon_of(arguments).get(f"/observability/{name}", limit=arguments.limit)
    if arguments.json:
        show_json(answer.body.raw)
    else:
        show_table(header, [row(one, answer.now) for one in answer.body.parts("items")], nothing)
    return 0


def _scorecard(arguments: Namespace) -> int:
    answer = daemon_of(arguments).get("/observability/scorecard")
    if arguments.json:
        show_json(answer.body.raw)
    else:
        rows = list(_measures(answer.body))
        show_table(("MEASURE", "VALUE", "COUNT", "95 % INTERVAL"), rows, "Nothing is measured yet.")
    return 0


def _measures(scorecard: Document) -> Iterator[_Row]:
    for name in scorecard.raw:
        measure = scorecard.part(name)
        if measure.raw:
            yield (
                Cell(name.replace("_", " "), "strong"),
                _measure(name, measure.number("value")),
                measure.text("count", "0"),
                _interval(name, measure.raw.get("interval")),
            )


def _interval(name: str, interval: object) -> str:
    match interval:
        case [int() | float() as low, int() | float() as high]:
            return f"{_measure(name, low)} – {_measure(name, high)}"
        case _:
            return "-"


def _measure(name: str, value: float | None) -> str:
    if value is None:
        return "not measured yet"
    if name.startswith(("recovery_", "lead_")) and name.endswith("_seconds"):
        return duration(value)
    return f"{value:g}" if name in _COUNTS else f"{100 * value:.4g} %"


def _lasting(seconds: float | None) -> str:
    return duration(seconds) if seconds is not None else "-"


def _moment(moment: datetime | None, now: datetime) -> str:
    return clock_time(moment, now) if moment else "-"


_TAKES = (limit, the_daemon, as_json)

GROUP = Group(
    "What will happen",
    (
        Verb("predictions", "What will fail, how likely, and when.", "predictions", _predictions, _TAKES),
        Verb("maintenance", "What is done before it fails.", "maintenance --json", _maintenance, _TAKES),
        Verb(
            "scorecard",
            "How right and how fast the daemon was, as measured.",
            "scorecard",
            _scorecard,
            (the_daemon, as_json),
        ),
    ),
)
