"""How may an agent fail that can be foreseen, in which words and units is that told, and does a restart prevent it?

A closed table, as that of the causes: its slugs stand in the API and the metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from selfheal.vocabulary import FailureMode

DAY_S = 86400.0
# From here on a risk is called high, a person is told and work is planned; below the second it is so no more.
HIGH_RISK, NO_LONGER_HIGH = 0.7, 0.4


@dataclass(frozen=True, slots=True)
class ModeClass:
    """A way to fail: what a person reads after "it will", and an amount of what is used up in its unit.

    `restart_prevents` says that a restart in good time lets it begin anew; where that is false a person is told, and
    what is done about a disk is to free it. The probability of a failure is that it comes within `horizon_s`.
    """

    will: str
    amount: Callable[[float], str]
    restart_prevents: bool = False
    horizon_s: float = 7200.0


def _megabytes(value: float) -> str:
    return f"{value / 1e6:.3g} MB" if value < 1e9 else f"{value / 1e9:.4g} GB"


def _percent(value: float) -> str:
    return f"{100 * value:.3g} %"


def _plain(value: float) -> str:
    return f"{value:.4g}"


def _days(value: float) -> str:
    return f"{value / DAY_S:.3g} d" if value >= DAY_S else f"{value / 3600.0:.3g} h"


MODES: Mapping[FailureMode, ModeClass] = {
    "out_of_memory": ModeClass("be out of memory", _megabytes, restart_prevents=True),
    "out_of_fds": ModeClass("be out of file descriptors", _plain, restart_prevents=True),
    "disk_full": ModeClass("have a full disk", _percent),
    "out_of_inodes": ModeClass("be out of inodes", _percent),
    "out_of_connections": ModeClass("be out of connections", _percent),
    "queue_full": ModeClass("have a full queue", _plain),
    # A certificate is renewed by day, and by people: a week is what that takes.
    "certificate_expired": ModeClass("have an expired certificate", _days, horizon_s=7 * DAY_S),
    "limit_reached": ModeClass("be at a limit of its signals", _plain),
    # A restart does not keep from dying what dies without a sign.
    "crash": ModeClass("die as it did before", _plain, horizon_s=3600.0),
}
# What begins anew with a new process.
OF_PROCESS: frozenset[FailureMode] = frozenset(mode for mode, one in MODES.items() if one.restart_prevents)


def rate_text(mode: FailureMode, slope: float, eta_s: float) -> str:
    """How fast something is used up, `slope` being per second, in the unit of time in which that reads best."""
    if eta_s < 120.0:
        per_s, unit = 1.0, "s"
    else:
        per_s, unit = (60.0, "min") if eta_s < 3 * 3600.0 else (3600.0, "h")
    return f"{MODES[mode].amount(slope * per_s)}/{unit}"
