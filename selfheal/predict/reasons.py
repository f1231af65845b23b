"""Why does a model expect a failure, in words that a person understands?

What each cell of a row brings is summed over what the cells are about: the signal on its way to its limit, the other
signals by their role, the age of the process. A reason is told in the units of the signal, not in those of the row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import asinh, inf, isfinite, sinh

from selfheal.events import Contribution
from selfheal.modes import MODES, rate_text
from selfheal.predict.roles import role_of
from selfheal.predict.steps import STEPS
from selfheal.predict.timeleft import HORIZON_S
from selfheal.predict.windows import FEATURES, GROUPS, WINDOWS
from selfheal.vocabulary import FailureMode

# More than these nobody reads.
MOST = 3
# What speaks for less than this share of it is no reason.
LEAST_SHARE = 0.05
# A rise that stands so far out of the scatter about it is seen to go on.
CLEAR = 2.0
_PLACES: Mapping[str, int] = {name: place for place, name in enumerate(FEATURES)}
_WORDS = {"errors": "the rate of errors", "load": "what it has to do", "rest": "another of its signals"}
_LATELY = {
    "agent.anomalies": "{:.2g} things were not as usual within the hour",
    "agent.changes": "{:.2g} things were changed about it within the hour",
    "agent.open_breakers": "{:.2g} breakers are open",
    "agent.error_share": "{:.2g} of what it answers are errors",
}
_RESTARTS = {"restarts_half": "hour", "restarts_1": "2 h", "restarts_12": "day"}


def reasons(
    row: Sequence[float],
    brought: Sequence[float],
    mode: FailureMode,
    signal: str,
    limit: float,
    signals: Sequence[str] = (),
) -> tuple[Contribution, ...]:
    """What speaks for a failure, the strongest first; weights are shares of all that does.

    `brought` is what each cell of the row brings to the log-odds, in the order of FEATURES; `signal` is the one with
    the `limit` that the row tells of, `signals` are all of the agent.
    """
    totals: dict[str, float] = {}
    for name, part in zip(FEATURES, brought, strict=True):
        group = name.partition(".")[0]
        totals[group] = totals.get(group, 0.0) + part
    speaking = sorted(((part, group) for group, part in totals.items() if part > 0.0), reverse=True)
    whole = sum(part for part, _ in speaking)
    told = ((part / whole, group) for part, group in speaking[:MOST] if part >= LEAST_SHARE * whole)
    return tuple(
        Contribution(_about(group, signal, signals), share, _what(group, row, brought, mode, limit))
        for share, group in told
    )


def rate_of(row: Sequence[float], limit: float) -> float:
    """How fast the signal moves towards its limit, per second, by the longest window in which that is clear."""
    steps = _clear_for(row)
    return _cell(row, f"limit.gain_{steps}") * limit / HORIZON_S if steps else 0.0


def since_of(row: Sequence[float], now: float, step_s: float) -> float:
    """Since when it is clearly seen to rise; 0 where it is not."""
    steps = _clear_for(row)
    return now - min(steps * step_s, _age_s(row)) if steps else 0.0


def _age_s(row: Sequence[float]) -> float:
    """How long the process has run; without end where that is not known."""
    age = _cell(row, "agent.age")
    return sinh(age) * HORIZON_S if isfinite(age) else inf


def _clear_for(row: Sequence[float]) -> int:
    """The longest window, in steps, over which the signal rises clearly; 0 where there is none."""
    return max(
        (
            steps
            for steps, _ in WINDOWS
            if _cell(row, f"limit.gain_{steps}") > 0.0 and _cell(row, f"limit.clear_{steps}") >= CLEAR
        ),
        default=0,
    )


def _cell(row: Sequence[float], name: str) -> float:
    return row[_PLACES[name]]


def _about(group: str, signal: str, signals: Sequence[str]) -> str:
    """The signal that a group of cells is about: by name where there is but one of its role."""
    if group == "limit":
        return signal
    named = [name for name in signals if role_of(name) in GROUPS.get(group, ()) and name != signal]
    return named[0] if len(named) == 1 else group


def _what(group: str, row: Sequence[float], brought: Sequence[float], mode: FailureMode, limit: float) -> str:
    if group == "limit":
        return _towards(row, brought, mode, limit)
    return _about_itself(row, brought) if group == "agent" else _departs(group, row)


def _towards(row: Sequence[float], brought: Sequence[float], mode: FailureMode, limit: float) -> str:
    amount = MODES[mode].amount
    where = f"is {amount(_cell(row, 'limit.level') * limit)} of {amount(limit)}"
    if _cell(row, "limit.above_earlier") > 0.0 and brought[_PLACES["limit.above_earlier"]] > 0.0:
        where += ", more than ever before"
    steps = _clear_for(row) or max(
        (steps for steps, _ in WINDOWS), key=lambda steps: brought[_PLACES[f"limit.gain_{steps}"]]
    )
    slope = _cell(row, f"limit.gain_{steps}") * limit / HORIZON_S
    if not slope > 0.0:
        return f"it {where}"
    left_s = _cell(row, f"limit.left_{steps}") * HORIZON_S
    return f"it rises by {rate_text(mode, slope, left_s)} over the last {_length(steps, _age_s(row))} and {where}"


def _departs(group: str, row: Sequence[float]) -> str:
    word, now = _WORDS.get(group, group), _cell(row, f"{group}.now")
    if not isfinite(now):
        return f"{word}: nothing is measured"
    if abs(now) < asinh(1.0):
        return f"{word} is about where it was the day before"
    side = "above" if now > 0.0 else "below"
    return f"{word} is {abs(sinh(now)):.2g} times its usual spread {side} where it was the day before"


def _about_itself(row: Sequence[float], brought: Sequence[float]) -> str:
    name = max((name for name in FEATURES if name.startswith("agent.")), key=lambda one: brought[_PLACES[one]])
    what = _LATELY.get(name)
    return what.format(_cell(row, name)) if what is not None else _age(row, brought)


def _age(row: Sequence[float], brought: Sequence[float]) -> str:
    name = max(_RESTARTS, key=lambda one: brought[_PLACES[f"agent.{one}"]])
    count, age = _cell(row, f"agent.{name}"), _cell(row, "agent.age")
    if count > 0.0 and brought[_PLACES[f"agent.{name}"]] > brought[_PLACES["agent.age"]]:
        return f"it began anew {count:.0f} times in the latest {_RESTARTS[name]}"
    return f"it has run for {sinh(age) * HORIZON_S / 3600.0:.2g} h" if isfinite(age) else "how long it has run"


def _length(steps: int, age_s: float) -> str:
    minutes = min(steps * HORIZON_S / STEPS, age_s) / 60.0
    return f"{minutes:.0f} min" if minutes < 60.0 else f"{minutes / 60.0:.2g} h"
