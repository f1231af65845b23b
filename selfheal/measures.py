"""What do the signals measure that are known by name: in which unit, which changes are minded, how near are users?

A closed table, as that of the causes, for whoever judges a signal, weighs it, or tells its value. The names are those
that checks, the process table and Render give; before them the name of the check may stand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

Unit = Literal["s", "bytes", "bytes/s", "share", "cores", "/s", ""]
"""Of a number that has no unit, or of which none is known, the last."""

# What users feel counts whole, what may run out less, and any other number half.
FELT, RUNS_OUT, OTHER = 1.0, 0.7, 0.5


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


@dataclass(frozen=True, slots=True)
class Measure:
    """`sense` is None where its changes say nothing; `matters` is how near it is to what users feel, from 0 to 1."""

    unit: Unit = ""
    sense: Sense | None = None
    matters: float = OTHER


_LATENCY = Measure("s", Sense(falls=False), FELT)
_ERRORS = Measure("share", Sense(share=0.0, falls=False), FELT)
_FILLS = Measure("share", Sense(least=0.05, share=0.0, falls=False), RUNS_OUT)
_IN_USE = Measure("share", Sense(least=0.1, share=0.0, falls=False), RUNS_OUT)
_READ_OR_WRITTEN = Measure("bytes/s", Sense(least=4e6, falls=False))
_LATE = Measure("s", Sense(least=5.0, falls=False))
_FEW = Sense(least=8.0, falls=False)
# What stands for something and measures nothing, as a status of 503 is not "more" than 200; and what runs down by the
# clock, of which its check says when it is too little.
_A_NAME, _RUNS_DOWN = Measure(), Measure("s")

# See the table in docs/anomalies.md.
MEASURES: Mapping[str, Measure] = {
    "cpu": Measure("cores", Sense(least=0.2), RUNS_OUT),
    "rss": Measure("bytes", Sense(least=4e6, falls=False), RUNS_OUT),
    "fds": Measure("", _FEW, RUNS_OUT),
    "threads": Measure("", _FEW),
    "children": Measure("", Sense(least=4.0)),
    "io_read": _READ_OR_WRITTEN,
    "io_write": _READ_OR_WRITTEN,
    "latency": _LATENCY,
    "edge_latency": _LATENCY,
    "duration": Measure("s", Sense(least=0.5, falls=False)),
    "loss": _ERRORS,
    "error_rate": _ERRORS,
    "requests": Measure("/s", Sense(least=1.0, share=0.5)),
    "connections": Measure("", _FEW),
    "connections_share": _IN_USE,
    "clients_share": _IN_USE,
    "replication_lag": _LATE,
    "disk": _FILLS,
    "inodes": _FILLS,
    "disk_inodes": _FILLS,
    "disk_free": Measure("bytes", Sense(least=1e8, rises=False), RUNS_OUT),
    "age": _LATE,
    "redirects": Measure("", Sense(least=1.0)),
    "status": _A_NAME,
    "ttl": _RUNS_DOWN,
    "left": _RUNS_DOWN,
    "tls_expires_in": _RUNS_DOWN,
}

# In Prometheus' names the base unit stands last, and of what counts, which is read by its rate, before "total".
_ENDINGS: Mapping[str, Unit] = {"_bytes": "bytes", "_bytes_total": "bytes/s", "_seconds": "s", "_ratio": "share"}


def measured(signal: str) -> str:
    """Return what a signal measures: its name without that of its check, where that stands before it."""
    return signal.rpartition(".")[2]


def unit_of(signal: str) -> Unit:
    """Return the unit of a signal, empty where it is not known; one of the user's own has it at the end of its name."""
    what = measured(signal)
    known = MEASURES.get(what)
    if known is not None:
        return known.unit
    return next((unit for end, unit in _ENDINGS.items() if what.endswith(end)), "")


def amount(signal: str, value: float) -> str:
    """Return a value of a signal as a person reads it, with its unit where that is known."""
    return amount_in(unit_of(signal), value)


def amount_in(unit: str, value: float) -> str:
    """Return a value as a person reads it; one of an unknown unit as a number. The page's script has the same cases."""
    return _TOLD.get(unit, _plain)(value)


def _bytes(value: float) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if abs(value) >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.0f} B"


def _seconds(value: float) -> str:
    return f"{value:.3g} s" if abs(value) >= 1.0 else f"{value * 1000:.3g} ms"


def _plain(value: float) -> str:
    return f"{value:.4g}"


_TOLD: Mapping[str, Callable[[float], str]] = {
    "s": _seconds,
    "bytes": _bytes,
    "bytes/s": lambda value: f"{_bytes(value)}/s",
    "share": lambda value: f"{value * 100:.3g} %",
    "cores": lambda value: f"{value:.3g} cores",
    "/s": lambda value: f"{value:.3g}/s",
    "": _plain,
}
