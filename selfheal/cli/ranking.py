"""Where may the cause lie, by what was that looked at, and what was there nothing of?"""

from __future__ import annotations

from collections.abc import Iterator

from selfheal.cli.client import Document
from selfheal.cli.output import share

# Suspects below this are listed by --json alone.
_WORTH_SHOWING = 0.05
_VERDICTS = {"act": "", "investigate": ", which is not sure", "none": ""}


def looked_at(ranking: Document) -> Iterator[tuple[str, str]]:
    """The lines about a ranking, each with its label; none where there is none."""
    used, missing = ranking.texts("used"), ranking.part("missing").raw
    if not used and not missing:
        return
    first = [one for one in ranking.parts("suspects") if (one.number("probability") or 0.0) >= _WORTH_SHOWING]
    told = ", ".join(f"{one.text('agent')} ({share(one.number('probability') or 0.0)})" for one in first)
    none = ranking.number("none") or 0.0
    others = f", none of them ({share(none)})" if none >= _WORTH_SHOWING else ""
    yield "suspects", f"{told or 'nobody stands out'}{others}{_VERDICTS.get(ranking.text('verdict'), '')}"
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
