"""When does what is foreseen become an alarm, and what was an alarm worth?

An alarm is raised where what was said of late is at or above the threshold: the mean log-odds of the latest steps, each
of which weighs less than the one after it. So two steps that are sure are enough, and several that are less so. It says
that a failure comes between the lead and the horizon from now; where as much is still said when the horizon less the
lead has passed it is raised again, so that one which was a little early is followed by one in time. A failure begins
everything anew.

A failure is foreseen when an alarm of its agent was raised at least the lead, and at most the horizon, before it. An
alarm is right when it foresees a failure, and false when none that announces itself came within the horizon. One that
came too late is neither: the failure counts as missed. One whose horizon reaches past the end of what was recorded,
with no failure until there, is undecided. What nothing announces (a kill, a bad deploy) is counted apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf, log
from typing import NamedTuple

from selfheal.predict.recording import Failure
from selfheal.predict.roles import foreseeable

# What a step weighs, of what the one after it does; of what lies more steps back next to nothing is left.
KEEPS, REMEMBERED = 0.6, 8
# What is said of an agent of which nothing was said yet, and surer than that or its opposite no step is taken for.
_NOTHING_SAID = 0.005
# In log-odds: what stays at the threshold comes so near to it within the steps that are remembered.
_NEAR = 0.1
DAY_S = 86400.0


class Step(NamedTuple):
    """What a model said at the end of a step: the probability of a failure within the horizon."""

    at: float
    probability: float


@dataclass(frozen=True, slots=True)
class Task:
    """What is asked: a failure within the horizon, told at least the lead before it. Seconds."""

    horizon_s: float
    lead_s: float


@dataclass(frozen=True, slots=True)
class Watched:
    """One agent over the time that is judged: the steps in order of time, and its failures, at any time.

    `before` are the latest steps before that time, by which it is known at the first one whether an alarm is due.
    """

    steps: Sequence[Step]
    failures: Sequence[Failure]
    before: Sequence[Step] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """How the alarms of one agent did. `leads` are of the failures foreseen, `windows` are those of healthy time."""

    failures: int
    leads: tuple[float, ...]
    alarms: int
    right: int
    undecided: int
    early: int
    late: int
    false: int
    days: float
    windows: int
    windows_alarmed: int
    sudden: int
    sudden_foreseen: int
    by_mode: Mapping[str, tuple[int, int]]


def raised(watched: Watched, threshold: float, task: Task) -> list[int]:
    """The places of the steps at which an alarm is raised."""
    places: list[int] = []
    needed, of_late = _log_odds(threshold) - _NEAR, _log_odds(0.0)
    silent_until, ends = -inf, iter([*(one.at for one in watched.failures), inf])
    anew = next(ends)
    for place, (at, probability) in enumerate((*watched.before, *watched.steps), start=-len(watched.before)):
        if at >= anew:
            of_late, silent_until = _log_odds(0.0), -inf
            while at >= anew:
                anew = next(ends)
        of_late = KEEPS * of_late + (1.0 - KEEPS) * _log_odds(probability)
        if place >= 0 and of_late >= needed and at >= silent_until:
            places.append(place)
            silent_until = at + task.horizon_s - task.lead_s
    return places


def _log_odds(probability: float) -> float:
    bounded = min(max(probability, _NOTHING_SAID), 1.0 - _NOTHING_SAID)
    return log(bounded / (1.0 - bounded))


def judge(watched: Watched, threshold: float, task: Task) -> Judged:
    """Hold the alarms of an agent against its failures."""
    steps = watched.steps
    if not steps:
        return Judged(0, (), 0, 0, 0, 0, 0, 0, 0.0, 0, 0, 0, 0, {})
    alarms = [steps[place].at for place in raised(watched, threshold, task)]
    begun, ended = steps[0].at, steps[-1].at
    ours = list(_events(watched.failures, task, begun, ended))
    announced = [one for one in ours if foreseeable(one.mode)]
    told = {one: _told(one, alarms, task) for one in ours}
    right = [at for at in alarms if any(_foresees(at, one, task) for one in announced)]
    rest = [at for at in alarms if not any(_foresees(at, one, task) for one in announced)]
    late = [at for at in rest if any(0.0 <= one.at - at < task.lead_s for one in announced)]
    early = [at for at in rest if any(task.horizon_s < one.at - at <= 2 * task.horizon_s for one in announced)]
    open_ended = [
        at for at in rest if at > ended - task.horizon_s and not any(at <= one.at for one in watched.failures)
    ]
    quiet, alarmed = _healthy(watched.failures, alarms, task, begun, ended)
    return Judged(
        failures=len(announced),
        leads=tuple(lead for one in announced if (lead := told[one]) is not None),
        alarms=len(alarms),
        right=len(right),
        undecided=len(open_ended),
        early=len(early),
        late=len(late),
        false=len(rest) - len(late) - len(open_ended),
        days=(ended - begun) / DAY_S,
        windows=quiet,
        windows_alarmed=alarmed,
        sudden=len(ours) - len(announced),
        sudden_foreseen=sum(told[one] is not None for one in ours if not foreseeable(one.mode)),
        by_mode=_by_mode(ours, told),
    )


def _events(failures: Sequence[Failure], task: Task, begun: float, ended: float) -> Iterator[Failure]:
    """The failures that could have been told in time; those that follow another at once belong to that one."""
    before = -inf
    for one in failures:
        if one.at - before >= task.lead_s and begun + task.lead_s <= one.at <= ended + task.lead_s:
            yield one
        before = one.at


def _foresees(at: float, failure: Failure, task: Task) -> bool:
    return task.lead_s <= failure.at - at <= task.horizon_s


def _told(failure: Failure, alarms: Sequence[float], task: Task) -> float | None:
    """How long before a failure it was told first; None where it was not foreseen."""
    return max((failure.at - at for at in alarms if _foresees(at, failure, task)), default=None)


def _by_mode(events: Sequence[Failure], told: Mapping[Failure, float | None]) -> Mapping[str, tuple[int, int]]:
    modes = sorted({one.mode for one in events})
    return {
        mode: (
            sum(one.mode == mode for one in events),
            sum(one.mode == mode and told[one] is not None for one in events),
        )
        for mode in modes
    }


def _healthy(
    failures: Sequence[Failure], alarms: Sequence[float], task: Task, begun: float, ended: float
) -> tuple[int, int]:
    """How many windows as long as the horizon were healthy and no failure followed within another, and had an alarm."""
    quiet = alarmed = 0
    at = begun
    while at + task.horizon_s <= ended + 1e-6:
        until = at + task.horizon_s
        if not any(at <= one.at <= until + task.horizon_s for one in failures):
            quiet += 1
            alarmed += any(at <= alarm < until for alarm in alarms)
        at = until
    return quiet, alarmed
