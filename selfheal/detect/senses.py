"""How is a signal read: which changes of it does anybody mind, in which direction, and does it count or measure?

What is known of a signal by its name. What is not is read with caution: either direction, and a fifth of itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Sense:
    """A change below `least`, in the unit of the signal, or below `share` of what is normal, is minded by nobody; each
    direction is strange or is not. Of what counts its rate a second is read, and `least` is one of that; None where
    it has to show by itself whether it does.
    """

    least: float = 0.04
    share: float = 0.2
    rises: bool = True
    falls: bool = True
    counts: bool | None = False

    def least_of(self, level: float) -> float:
        """The least change that is minded where `level` is normal."""
        return max(self.least, self.share * abs(level))


_LATENCY = Sense(falls=False)
_BYTES = Sense(least=4e6, falls=False)
_SHARE = Sense(share=0.0, falls=False)
_FEW = Sense(least=8.0, falls=False)

# By what is measured, whichever check does: see the table in docs/anomalies.md.
SENSES: Mapping[str, Sense] = {
    "cpu": Sense(least=0.2),
    "rss": _BYTES,
    "fds": _FEW,
    "threads": _FEW,
    "children": Sense(least=4.0),
    "io_read": _BYTES,
    "io_write": _BYTES,
    "latency": _LATENCY,
    "edge_latency": _LATENCY,
    "duration": Sense(least=0.5, falls=False),
    "loss": _SHARE,
    "error_rate": _SHARE,
    "requests": Sense(least=1.0, share=0.5),
    "connections": _FEW,
    "connections_share": Sense(least=0.1, share=0.0, falls=False),
    "clients_share": Sense(least=0.1, share=0.0, falls=False),
    "replication_lag": Sense(least=5.0, falls=False),
    "disk": Sense(least=0.05, share=0.0, falls=False),
    "inodes": Sense(least=0.05, share=0.0, falls=False),
    "disk_inodes": Sense(least=0.05, share=0.0, falls=False),
    "disk_free": Sense(least=1e8, rises=False),
    "age": Sense(least=5.0, falls=False),
    "redirects": Sense(least=1.0),
}
# What stands for something and measures nothing, as a status of 503 is not "more" than 200; and what runs down by the
# clock, of which its check says when it is too little.
NAMES_OF_THINGS = frozenset({"status", "ttl", "left", "tls_expires_in"})

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
    measured = signal.rpartition(".")[2]  # without the name of its check, where that stands before it
    if measured in NAMES_OF_THINGS:
        return None
    known = SENSES.get(measured)
    if known is not None and counter is not True:
        return known
    if counter is None and _COUNTED.search(measured):
        counter = True
    sense = _RATE if counter else replace(_OWN, counts=counter)
    name = measured.lower()
    if _BAD.search(name):
        return replace(sense, falls=False)
    return replace(sense, rises=False) if _GOOD.search(name) else sense
