"""How is a signal read: which changes of it does anybody mind, in which direction, and does it count or measure?

What is known of a signal by its name stands in `selfheal.measures`; signals of the user's own are read by words in
theirs, and any other with caution: either direction, and a fifth of itself.
"""

from __future__ import annotations

import re
from dataclasses import replace

from selfheal.measures import MEASURES, Sense, measured

# Signals of the user's own tell by their names, in the words that exporters use.
_COUNTED = re.compile(r"_(total|count|sum|bucket)$")
_BAD = re.compile(
    r"(?<![a-z])(err|error|fail|reject|timeout|retr|drop|5xx|dead|lag|wait|latency|duration|queue|backlog)"
)
_GOOD = re.compile(r"(?<![a-z])(free|avail|idle|success|hit)")
_OWN = Sense(counts=None)
# Less than one in twenty seconds more, or less, is nothing.
_RATE = Sense(least=0.05, counts=True)


def sense_of(signal: str, counter: bool | None = None) -> Sense | None:
    """How a signal is read, by its name; None where it is not. `counter` is what its exporter says, if it does."""
    what = measured(signal)
    known = MEASURES.get(what)
    if known is not None and (known.sense is None or counter is not True):
        return known.sense
    if counter is None and _COUNTED.search(what):
        counter = True
    sense = _RATE if counter else replace(_OWN, counts=counter)
    name = what.lower()
    if _BAD.search(name):
        return replace(sense, falls=False)
    return replace(sense, rises=False) if _GOOD.search(name) else sense
