"""When will an agent have used up its memory, its file descriptors or its disk?

A trend is the median of all slopes between two points (Theil-Sen; Sen, JASA 63, 1968), its interval comes from their
ranks (Kendall's S), so that spikes and single steps hardly move it. Nothing is foreseen where rising cannot be told
from chance, where the latest half does not go on rising, or where the past is too short for what lies ahead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import erf, log, sqrt
from statistics import median
from typing import Literal, Protocol

from selfheal.causes import MODE_OF
from selfheal.events import FailurePredicted, PredictionEnded
from selfheal.predict.maintenance import is_begun
from selfheal.vocabulary import FailureMode
from selfheal.world import Agent, Work, World

Point = tuple[float, float]

HORIZON_S = 7200.0
LEAST_POINTS = 12
# All pairs of 60 are 1,770 slopes, about half a millisecond; more points move the median of slopes very little.
BUCKETS = 60
# A fall by this share of the range seen is a release of what was held, not noise about a trend.
DROP_SHARE = 0.3
Z90 = 1.645
# A trend is trusted for at most this many times as long as it was watched.
REACH = 6.0
# Everything grows as it warms up: watched for less than this, only what is past half its limit counts.
YOUNG_S = 120.0
# The rise that was seen has to stand out of the scatter about it: a random walk drifts too.
RISE_TO_SCATTER = 4.0
# Real leaks bend: on recorded runs into exhaustion the time left was off by about this share, straight as they looked.
BEND = 0.1
# What is left after each release has to grow by this share of the range: less is the scatter of the collector.
FLOOR_SHARE = 0.1
# From here on a forecast is told, and kept until it falls below the second: between them it would flap.
TOLD_FROM, KEPT_FROM = 0.3, 0.1
# A forecast that moved by more is told again, but seconds are never news.
MOVED_SHARE, MOVED_S = 0.1, 5.0


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is foreseen of one signal, at the time that it was asked. Etas are seconds from then, slope is per second,
    `probability` that the limit is reached within the horizon.
    """

    slope: float
    eta_s: float
    eta_low_s: float
    eta_high_s: float
    probability: float
    value: float


@dataclass(frozen=True, slots=True)
class Resource:
    """What can be used up: the signal that shows it, and how much there is; None where nobody set a limit."""

    signal: str
    mode: FailureMode
    limit: Callable[[Agent], float | None]


RESOURCES: tuple[Resource, ...] = (
    Resource("rss", "out_of_memory", lambda agent: agent.memory_limit),
    Resource("fds", "out_of_fds", lambda agent: agent.fds_limit),
    Resource("disk", "disk_full", lambda agent: 1.0),  # the share of the disk that is used
)


class Signals(Protocol):
    """Where the past of a signal is had from: `History`, which stages do not import from each other."""

    def recent(self, agent: str, signal: str, since: float = 0.0) -> list[Point]:
        """The points (time, value) from `since` on, in order of time."""
        ...


def forecasts(world: World, history: Signals, now: float) -> tuple[FailurePredicted | PredictionEnded, ...]:
    """Return what is foreseen anew, what moved, and what is over; to be recorded as it is."""
    told: list[FailurePredicted | PredictionEnded] = []
    for agent in world.agents.values():
        told.extend(forecasts_of(agent, world, history, now))
    gone = (key for key in world.foresight.predictions if key[0] not in world.agents)
    told.extend(PredictionEnded(now, agent, mode, "withdrawn") for agent, mode in gone)
    return tuple(told)


def forecasts_of(
    agent: Agent, world: World, history: Signals, now: float
) -> tuple[FailurePredicted | PredictionEnded, ...]:
    """The part of `forecasts` about one agent, for who would rather not look at a large fleet in one go."""
    if any(not work.over and is_begun(world, work) for work in _works(world, agent.name)):
        return ()  # something is being done by us: the work's outcome says what became of the prediction
    told = (_forecast(agent, resource, world, history, now) for resource in RESOURCES)
    return tuple(event for event in told if event is not None)


def _forecast(
    agent: Agent, resource: Resource, world: World, history: Signals, now: float
) -> FailurePredicted | PredictionEnded | None:
    then = world.foresight.predictions.get((agent.name, resource.mode))
    outcome = _outcome(then, agent, world) if then is not None else None
    limit = resource.limit(agent)
    seen = None
    if outcome is None and limit is not None and _watched(agent):
        seen = foresee(history.recent(agent.name, resource.signal, _since(agent, resource)), limit, now)
    if seen is None or limit is None or seen.probability < (KEPT_FROM if then else TOLD_FROM):
        return PredictionEnded(now, agent.name, resource.mode, outcome or "withdrawn") if then is not None else None
    if then is not None and not _moved(then, seen, now):
        return None
    return FailurePredicted(
        now,
        agent.name,
        resource.mode,
        resource.signal,
        seen.probability,
        seen.eta_s,
        seen.eta_low_s,
        seen.eta_high_s,
        seen.value,
        limit,
        seen.slope,
    )


def _watched(agent: Agent) -> bool:
    return agent.state not in ("stopped", "maintenance") and (agent.run is not None or not agent.has_process)


def _since(agent: Agent, resource: Resource) -> float:
    """A new process starts with nothing; what lies on the disk stays."""
    return agent.run.started_at if agent.run is not None and resource.mode != "disk_full" else 0.0


def _works(world: World, agent: str) -> list[Work]:
    return [work for work in world.foresight.work.values() if work.planned.agent == agent]


def _outcome(then: FailurePredicted, agent: Agent, world: World) -> Literal["happened", "averted", "withdrawn"] | None:
    """What became of a prediction; None while nobody can know.

    Work that was done in time leaves it unknown whether the failure would have come: that is its own outcome. A death
    for another reason, long before the time foreseen, does not make the prediction true.
    """
    incidents = [one for one in world.incidents.values() if one.agent == agent.name and one.opened_at >= then.at]
    if any(MODE_OF.get(one.cause) == then.mode for one in incidents):
        return "happened"
    ended = agent.last_exit
    if ended is not None and not ended.expected and ended.at >= then.at + then.eta_low_s / 2:
        return "happened"
    if any(work.outcome == "succeeded" and (work.done_at or 0.0) >= then.at for work in _works(world, agent.name)):
        return "averted"
    over = agent.run is not None and agent.run.started_at > then.at and then.mode != "disk_full"
    return "withdrawn" if over else None


def _moved(then: FailurePredicted, seen: Forecast, now: float) -> bool:
    """Whether a forecast says something else than the one before, less the time that has passed."""
    left = max(0.0, then.eta_s - (now - then.at))
    shift = abs(seen.eta_s - left)
    return shift > max(MOVED_S, MOVED_SHARE * left) or abs(seen.probability - then.probability) > MOVED_SHARE


def foresee(points: Sequence[Point], limit: float, now: float, horizon_s: float = HORIZON_S) -> Forecast | None:
    """Return when a signal will reach `limit`, as seen from `now`; None where it cannot be said to rise towards it.

    `points` are (time, value) in order of time. The etas span what the slope's 90 % interval allows, and at least
    the share by which leaks bend.
    """
    if not _within_reach(points, limit):
        return None
    points = _thinned(_since_release(points))
    if len(points) < LEAST_POINTS or not _worth_a_look(points, limit):
        return None
    trend = _steady(points, limit)
    if trend is None:
        return None
    level = _level(points, trend.slope, now)
    eta_s = max(0.0, limit - level) / trend.slope
    if eta_s > REACH * (points[-1][0] - points[0][0]):
        return None
    return Forecast(
        trend.slope,
        eta_s,
        min(max(0.0, limit - level) / trend.high, eta_s * (1 - BEND)),
        max(max(0.0, limit - level) / trend.low, eta_s * (1 + BEND)),
        _probability(trend, limit - level, horizon_s),
        level,
    )


@dataclass(frozen=True, slots=True)
class _Trend:
    """Slope per second with its 90 % interval; `scatter` is the spread of the points about it."""

    slope: float
    low: float
    high: float
    scatter: float


def _within_reach(points: Sequence[Point], limit: float) -> bool:
    """Leave out, at the price of one pass, what is far from its limit and moves little: nearly all, nearly always.

    Twice the reach, since all of the rise may lie in the latest half.
    """
    values = [value for _, value in points]
    return len(values) >= LEAST_POINTS and 2 * REACH * (max(values) - min(values)) >= limit - max(values)


def _since_release(points: Sequence[Point]) -> Sequence[Point]:
    """Leave out what was before a release.

    After several it is a saw-tooth, as a garbage collector makes it. One tooth says nothing then: all of them are
    looked at, or nothing at all where what is left after a release does not grow.
    """
    held = max(value for _, value in points) - min(value for _, value in points)
    begins: list[int] = []
    peak = points[0][1]
    for place, (_, value) in enumerate(points):
        if held > 0 and value < peak - DROP_SHARE * held:
            begins.append(place)
            peak = value
        peak = max(peak, value)
    if len(begins) < 2:
        return points[begins[0] :] if begins else points
    floors = [points[place][1] for place in begins]
    half = len(floors) // 2
    grows = median(floors[-half:]) - median(floors[:half]) >= FLOOR_SHARE * held
    return points if grows else ()


def _thinned(points: Sequence[Point]) -> list[Point]:
    """At most `BUCKETS` points: the middle of each run of neighbours, so that spikes are gone as well."""
    size = -(-len(points) // BUCKETS)
    if size <= 1:
        return list(points)
    runs = [points[max(0, end - size) : end] for end in range(len(points), 0, -size)]
    return [(median(at for at, _ in run), median(value for _, value in run)) for run in reversed(runs)]


def _worth_a_look(points: Sequence[Point], limit: float) -> bool:
    """Leave out what does not rise at all, and what is young and far from its limit."""
    third = len(points) // 3
    rises = median(value for _, value in points[-third:]) > median(value for _, value in points[:third])
    young = points[-1][0] - points[0][0] < YOUNG_S
    return rises and (not young or points[-1][1] >= limit / 2)


def _steady(points: Sequence[Point], limit: float) -> _Trend | None:
    """The trend of the points, where it is one and goes on; by the latest half, where the rate has changed."""
    half = len(points) // 2
    whole, late = _trend(points), _trend(points[half:])
    if whole.low <= 0 or late.low <= 0 or _levels_off(_trend(points[:half]), late, points, limit):
        return None
    trend, seen = (whole, points) if late.low <= whole.slope <= late.high else (late, points[half:])
    rise = trend.slope * (seen[-1][0] - seen[0][0])
    return trend if rise >= RISE_TO_SCATTER * trend.scatter else None


def _levels_off(early: _Trend, late: _Trend, points: Sequence[Point], limit: float) -> bool:
    """Whether a rise that slows down, as of what warms up, ends below the limit if it goes on to slow down so.

    Each half of the time the slope shrinks by the same factor; the rest of the rise is the integral of that.
    """
    if late.high >= early.low:
        return False
    half_s = (points[-1][0] - points[0][0]) / 2
    shrinks = late.slope / early.slope
    rest = late.slope * sqrt(shrinks) * half_s / -log(shrinks)
    return points[-1][1] + rest < limit


def _trend(points: Sequence[Point]) -> _Trend:
    slopes = sorted(
        (value - earlier) / (at - before)
        for place, (at, value) in enumerate(points)
        for before, earlier in points[:place]
        if at > before
    )
    count, pairs = len(points), len(slopes)
    if not pairs:
        return _Trend(0.0, 0.0, 0.0, 0.0)
    reach = Z90 * sqrt(count * (count - 1) * (2 * count + 5) / 18)  # of Kendall's S where there is no trend
    low = slopes[max(0, int((pairs - reach) / 2))]
    high = slopes[min(pairs - 1, int((pairs + reach) / 2))]
    slope = median(slopes)
    return _Trend(slope, low, high, _scatter(points, slope))


def _scatter(points: Sequence[Point], slope: float) -> float:
    rests = [value - slope * at for at, value in points]
    middle = median(rests)
    return 1.4826 * median(abs(rest - middle) for rest in rests)  # equals the standard deviation of Gaussian noise


def _level(points: Sequence[Point], slope: float, now: float) -> float:
    """Where the trend stands now, by the latest quarter: an early bend shall not shift it."""
    latest = points[-max(3, len(points) // 4) :]
    return median(value + slope * (now - at) for at, value in latest)


def _probability(trend: _Trend, left: float, horizon_s: float) -> float:
    """That the slope is steep enough to reach the limit within the horizon, the slope taken as Gaussian."""
    error = max((trend.high - trend.low) / (2 * Z90), BEND * trend.slope)
    return 0.5 * (1 + erf((trend.slope - max(0.0, left) / horizon_s) / error / sqrt(2)))
