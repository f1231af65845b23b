"""What would have been foreseen at each step of a recording, by what was known then?

The past is split by time, always: what is learned from comes before what thresholds are chosen on, and that before what
is judged. Steps whose horizon reaches over an end of a part are in none: their outcome lies in the next one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from typing import NamedTuple

from selfheal.errors import SelfhealError
from selfheal.predict.alarms import REMEMBERED, Step, Task, Watched
from selfheal.predict.recording import Failure, Recording, Samples
from selfheal.predict.roles import MODES, foreseeable, role_of
from selfheal.predict.slopes import Point
from selfheal.predict.steps import Track, place_of, step_length, track, usual_gap
from selfheal.predict.timeleft import Forecast, foresee
from selfheal.predict.windows import Windows

# How much of the past a trend is told, in horizons: three days of two hours, which is where the time of day is seen.
TREND_HORIZONS = 36
_MOST_POINTS = 1500
# Nineteen years of steps of five minutes; more is a time that somebody has written down wrongly.
MOST_STEPS = 2_000_000
# Of the time, where nobody says otherwise: to learn from, to choose by, the rest to be judged on.
_TRAIN, _CALIBRATE = 0.6, 0.2
# Of the time before `until`, where somebody does.
_OF_UNTIL = 0.75


@dataclass(frozen=True, slots=True)
class Parts:
    """When what is learned from ends, and when what is chosen by: seconds since the epoch."""

    train_until: float
    choose_until: float


class Known(NamedTuple):
    """One agent of a recording, ready to be asked at any step."""

    agent: str
    samples: Samples
    track: Track
    windows: Windows
    failures: Sequence[Failure]

    def place_of(self, at: float) -> int:
        """The step that ends at a time."""
        return place_of(at, self.track.step_s) - self.track.first


class Nearing(NamedTuple):
    """What the trend says: of which signal, and how it will go on."""

    signal: str
    forecast: Forecast


def parts_of(recording: Recording, until: float | None) -> Parts:
    """Split the time of a recording: at `until`, or else by shares of it."""
    ends = [(one.at[0], one.at[-1]) for one in recording.agents.values() if one.at]
    if not ends:
        return Parts(0.0, 0.0)
    begun, ended = min(first for first, _ in ends), max(last for _, last in ends)
    if until is not None:
        return Parts(begun + _OF_UNTIL * (until - begun), until)
    return Parts(begun + _TRAIN * (ended - begun), begun + (_TRAIN + _CALIBRATE) * (ended - begun))


def length_of_step(recording: Recording, task: Task) -> float:
    """How long a step is for this recording, in seconds."""
    return step_length(task.horizon_s, usual_gap(one.at for one in recording.agents.values()))


def known(recording: Recording, task: Task) -> Iterator[Known]:
    """Each agent, one after the other: all of a large fleet at once would be too much. Raises SelfhealError."""
    step_s = length_of_step(recording, task)
    failures: dict[str, list[Failure]] = {}
    for one in recording.failures:
        failures.setdefault(one.agent, []).append(one)
    for agent, samples in recording.agents.items():
        if not samples.at:
            continue
        ours = failures.get(agent, [])
        points = {name: zip(samples.at, values, strict=True) for name, values in samples.values.items()}
        span = (samples.at[0], samples.at[-1])
        if span[1] - span[0] > MOST_STEPS * step_s:
            raise SelfhealError(
                f"cannot look at agent {agent!r}: its times reach from {span[0]:.15g} to {span[1]:.15g} (seconds since "
                f"the epoch), more than {MOST_STEPS} steps of {step_s:g} s; is one of them written in another unit?"
            )
        made = track(agent, points, span, step_s, recording.limits.get(agent, {}), [one.at for one in ours])
        yield Known(agent, samples, made, Windows(made), ours)


def places(one: Known, begun: float, ended: float) -> range:
    """The steps that end in [begun, ended)."""
    first = max(0, int(-(-(begun - one.track.ends_at(0)) // one.track.step_s))) if begun > -inf else 0
    last = one.track.length
    if ended < inf:
        last = min(last, max(0, int(-(-(ended - one.track.ends_at(0)) // one.track.step_s))))
    return range(first, last)


def outcomes(one: Known, steps: range, task: Task, ended: float) -> Iterator[tuple[int, str | None]]:
    """Each step whose outcome is known by `ended`: the mode of the failure within its horizon, None where none came.

    Those before a failure that nothing announces are left out: they are neither well nor a sign of anything.
    """
    times = [failure.at for failure in one.failures]
    for place in steps:
        at = one.track.ends_at(place)
        following = bisect_right(times, at)
        if following < len(times) and times[following] <= min(at + task.horizon_s, ended):
            if foreseeable(one.failures[following].mode):
                yield place, one.failures[following].mode
        elif at + task.horizon_s <= ended:
            yield place, None


def with_those_before(steps: range) -> range:
    """The steps with those just before them, by which it is known at the first one whether an alarm is due."""
    return range(max(0, steps.start - REMEMBERED), steps.stop)


def watched(one: Known, said: Sequence[Step], begun: float, failures: Sequence[Failure]) -> Watched:
    """What a model said of an agent from a time on, and just before that, beside what became of the agent."""
    first = bisect_left(said, one.track.ends_at(places(one, begun, inf).start), key=lambda step: step.at)
    return Watched(said[first:], failures, said[:first])


def trend(one: Known, place: int, task: Task) -> Nearing | None:
    """What the trends of the signals with a limit say at the end of a step: of the one that is surest to fail."""
    found = filter(None, (trend_of(one, name, place, task) for name in one.track.limits))
    return max(found, key=lambda nearing: nearing.forecast.probability, default=None)


def trend_of(one: Known, signal: str, place: int, task: Task) -> Nearing | None:
    """What the trend of one signal says at the end of a step; None where it has no limit, or does not near it."""
    limit = one.track.limits.get(signal)
    if limit is None or signal not in one.samples.values:
        return None
    seen = _foreseen(one, signal, limit, one.track.ends_at(place), place, task)
    return Nearing(signal, seen) if seen is not None else None


def _foreseen(one: Known, name: str, limit: float, at: float, place: int, task: Task) -> Forecast | None:
    track = one.track
    since = max(at - TREND_HORIZONS * task.horizon_s, track.ends_at(one.windows.begun(name, place)) - track.step_s)
    level = track.columns[name].mean(place - 2, place + 1)
    if not level > 0.0:
        return None
    return foresee(points(one.samples, name, since, at), limit, at, task.horizon_s)


def points(samples: Samples, signal: str, since: float, until: float) -> list[Point]:
    """What was measured of a signal in (since, until], thinned where that is more than a trend needs."""
    begin, end = bisect_right(samples.at, since), bisect_right(samples.at, until)
    stride = max(1, -(-(end - begin) // _MOST_POINTS))
    values = samples.values[signal]
    return [
        (samples.at[place], values[place]) for place in range(end - 1, begin - 1, -stride) if isfinite(values[place])
    ][::-1]


def mode_of(signal: str) -> str:
    """What it is called when a signal gets to its limit."""
    return MODES.get(role_of(signal), signal)
