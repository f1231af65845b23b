"""Where may the cause lie, by what was that looked at, and how much does each way of looking count?"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence

from selfheal.cli.client import Document, daemon_of
from selfheal.cli.output import Cell, clock_time, say, share, show_json, show_table

# Suspects below this are listed by --json alone.
_WORTH_SHOWING = 0.05
_SURE = 0.7


def looked_at(ranking: Document) -> Iterator[tuple[str, str]]:
    """The lines about a ranking, each with its label; none where there is none."""
    used, missing = ranking.texts("used"), ranking.part("missing").raw
    if not used and not missing:
        return
    first = [one for one in ranking.parts("suspects") if (one.number("probability") or 0.0) >= _WORTH_SHOWING]
    told = ", ".join(f"{one.text('agent')} ({share(one.number('probability') or 0.0)})" for one in first)
    none = ranking.number("none") or 0.0
    others = f", none of them ({share(none)})" if none >= _WORTH_SHOWING else ""
    yield "suspects", f"{told or 'nobody stands out'}{others}{_doubt(ranking, first)}"
    for channel, words in first[0].part("evidence").raw.items() if first else ():
        yield "", f"{channel}: {words}"
    for one in ranking.parts("changes"):
        if (one.number("probability") or 0.0) >= _WORTH_SHOWING:
            yield "change", f"{one.text('agent')}: {one.text('title')} ({share(one.number('probability') or 0.0)})"
    yield "looked at", f"by {', '.join(used) or 'nothing'}"
    if ranking.texts("probed"):
        yield "", f"asked once more: {', '.join(ranking.texts('probed'))}"
    if missing:
        yield "lacking", "; ".join(f"{channel} ({why})" for channel, why in missing.items())


def _doubt(ranking: Document, first: Sequence[Document]) -> str:
    """Why nothing is done by it, where it says so."""
    if ranking.text("verdict") != "investigate":
        return ""
    likely = bool(first) and (first[0].number("probability") or 0.0) >= _SURE
    return "; no second sign says so" if likely else "; that is not sure enough"


def weights(arguments: Namespace) -> int:
    """Show how much each channel counts, where that was learned here."""
    answer = daemon_of(arguments).get("/observability/rca", limit=1)
    learned = answer.body.part("weights")
    if arguments.json:
        show_json(answer.body.raw.get("weights"))
        return 0
    at = learned.moment("at")
    if at is None:
        say("The weights are those that were shipped: nothing was learned of them here yet.")
        return 0
    channels = learned.part("channels").raw
    rows = [(Cell(name, "strong"), f"{two[0]:.3f}", f"{two[1]:.3f}") for name, two in _pairs(channels)]
    show_table(("CHANNEL", "SCORE", "ABOVE OTHERS"), rows, "")
    before, after = learned.number("loss_before") or 0.0, learned.number("loss_after") or 0.0
    say(
        f"learned at {clock_time(at, answer.now)} from {learned.count('labels')} labelled incidents: "
        f"log-loss {after:.3f} instead of {before:.3f}"
    )
    return 0


def _pairs(channels: Mapping[str, object]) -> Iterator[tuple[str, tuple[float, float]]]:
    for name, two in channels.items():
        if isinstance(two, list) and len(two) == 2 and all(isinstance(one, int | float) for one in two):
            yield name, (two[0], two[1])
