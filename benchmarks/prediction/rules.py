"""What people do without a model: rules of thumb, judged as the models are.

Errors in a day, a share of the limit, a straight line through the latest three hours. Each says yes or no.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import inf, isfinite

from selfheal.predict.alarms import Step, Task, Watched
from selfheal.predict.recording import Recording
from selfheal.predict.replay import Known, known, places, points, watched, with_those_before

Rule = Callable[[Known, int, Task], bool]


def errors_in_a_day(least: int) -> Rule:
    """So many errors within a day, of any kind."""

    def rule(one: Known, place: int, _: Task) -> bool:
        steps = round(86400.0 / one.track.step_s)
        columns = (column for name, column in one.track.columns.items() if not name.endswith("_replaced"))
        begin = max(0, place + 1 - steps)
        sums = ((place + 1 - begin) * mean for column in columns if isfinite(mean := column.mean(begin, place + 1)))
        return sum(sums) >= least - 1e-6

    return rule


def share_of_limit(share: float) -> Rule:
    """Any signal at or above this share of its limit."""

    def rule(one: Known, place: int, _: Task) -> bool:
        levels = (
            one.track.columns[name].mean(place - 2, place + 1) / limit
            for name, limit in one.track.limits.items()
            if name in one.track.columns
        )
        return any(level >= share for level in levels)

    return rule


def straight_line(one: Known, place: int, task: Task) -> bool:
    """A least-squares line through the latest three hours, or one and a half horizons, meets a limit in time."""
    at = one.track.ends_at(place)
    latest = at - 1.5 * task.horizon_s
    return any(
        _meets(points(one.samples, name, max(latest, _begun(one, name, place)), at), limit, at, task.horizon_s)
        for name, limit in one.track.limits.items()
        if name in one.samples.values
    )


def _begun(one: Known, signal: str, place: int) -> float:
    return one.track.ends_at(one.windows.begun(signal, place) - 1)


def _meets(seen: Sequence[tuple[float, float]], limit: float, now: float, horizon_s: float) -> bool:
    if len(seen) < 6:
        return False
    middle = sum(at for at, _ in seen) / len(seen)
    level = sum(value for _, value in seen) / len(seen)
    square = sum((at - middle) ** 2 for at, _ in seen)
    slope = sum((at - middle) * (value - level) for at, value in seen) / square if square > 0.0 else 0.0
    return slope > 0.0 and level + slope * (now + horizon_s - middle) >= limit


LIMITS: Mapping[str, Rule] = {
    "80 % of the limit": share_of_limit(0.8),
    "90 % of the limit": share_of_limit(0.9),
    "straight line": straight_line,
}
ERRORS: Mapping[str, Rule] = {"1 error in 24 h": errors_in_a_day(1), "2 errors in 24 h": errors_in_a_day(2)}


def asked(recording: Recording, task: Task, rules: Mapping[str, Rule], since: float) -> Mapping[str, list[Watched]]:
    """What each rule said of each agent from a time on."""
    said: dict[str, list[Watched]] = {name: [] for name in rules}
    for one in known(recording, task):
        for name, rule in rules.items():
            said[name].append(watched(one, list(_steps(one, rule, task, since)), since, one.failures))
    return said


def _steps(one: Known, rule: Rule, task: Task, since: float) -> Iterator[Step]:
    for place in with_those_before(places(one, since, inf)):
        yield Step(one.track.ends_at(place), float(rule(one, place, task)))
