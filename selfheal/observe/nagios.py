"""What does the output of a monitoring plugin say, and which numbers are in it?

The conventions of Nagios that its heirs share (Monitoring Plugins Development Guidelines, sections 2 and 3): text, a
`|`, and performance data such as `'disk /'=81%;80;90;0;100`; more of either may follow on further lines. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import isfinite

WARNING, CRITICAL, UNKNOWN = 1, 2, 3  # how a plugin ends; 0 is well
MAX_SIGNALS = 32  # as many as are remembered of an agent

# Factors to seconds, bytes and shares, by the unit in lower case; a unit that is none of these is left as it is.
_FACTORS = {
    "us": 1e-6, "ms": 1e-3, "s": 1.0, "%": 0.01,
    "b": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
    "kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30, "tib": 2.0**40,
}  # fmt: skip
# A value of `U` means that the plugin could not find it out. A label in quotes has a quote in it doubled.
_DATUM = re.compile(r"(?<!\S)('(?:[^'\n]|'')++'|[^\s'=]++)=([-+]?[0-9.]++(?:[eE][-+]?[0-9]+)?)([a-zA-Z%]*+)")
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")


def parted(output: str) -> tuple[str, str]:
    """Return the first line without its performance data, and all the performance data there is."""
    first, _, rest = output.strip().partition("\n")
    text, _, data = first.partition("|")
    return text.strip(), f"{data}\n{rest.partition('|')[2]}"


def numbers(data: str) -> dict[str, float]:
    """The numbers of performance data by name, at most 32: seconds, bytes, shares, anything else as it is.

    Names are made of a-z, 0-9 and `_`; of two that come out the same the first counts.
    """
    found: dict[str, float] = {}
    for name, value in _read(data):
        if isfinite(value) and len(found) < MAX_SIGNALS:
            found.setdefault(name, value)
    return found


def _read(data: str) -> Iterator[tuple[str, float]]:
    for label, number, unit in _DATUM.findall(data):
        try:
            value = float(number)
        except ValueError:  # such as 1.2.3
            continue
        yield _name(label), value * _FACTORS.get(unit.lower(), 1.0)


def _name(label: str) -> str:
    return _NOT_IN_NAMES.sub("_", label.lower()).strip("_") or "value"
