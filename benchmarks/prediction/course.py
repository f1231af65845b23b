"""How near could the time left be foreseen by who knew the course that a signal will take, and only not its limit?

A simulated failure comes when its signal touches something between `LOWEST_LIMIT` and all of the limit that is told.
Nobody can know where; so nobody can be nearer than who takes the middle of what is left of that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import isfinite
from statistics import fmean, median

from selfheal.predict.recording import Recording
from selfheal.predict.simulated import LOWEST_LIMIT, Scene
from selfheal.recorded.learned import Foreseen

Course = Sequence[tuple[float, float]]
"""Times, and shares of the limit that is told."""
# How fast a signal grows at its end is read from so much of its scene.
_END = 1 / 3


def off_at_least(pairs: Iterable[tuple[Foreseen, float]], recording: Recording, scenes: Sequence[Scene]) -> float:
    """The median of how far that one would be off, as a share of the time left; NaN where nothing was foreseen.

    `pairs` are what was foreseen and how long it took.
    """
    return median(_offs(pairs, recording, {(one.agent, round(one.ended)): one for one in scenes}) or [float("nan")])


def _offs(
    pairs: Iterable[tuple[Foreseen, float]], recording: Recording, ended: dict[tuple[str, int], Scene]
) -> list[float]:
    offs = []
    for said, left in pairs:
        scene = ended.get((said.agent, round(said.at + left)))
        if scene is not None and said.signal in recording.limits[said.agent]:
            course = list(_course(recording, scene))
            if len(course) >= 4:
                offs.append(abs(_foreseen(course, scene, said.at) - left) / left)
    return offs


def _course(recording: Recording, scene: Scene) -> Iterator[tuple[float, float]]:
    samples, limit = recording.agents[scene.agent], recording.limits[scene.agent][scene.signal]
    for at, value in zip(samples.at, samples.values[scene.signal], strict=True):
        if scene.began <= at <= scene.ended and isfinite(value):
            yield at, value / limit


def _foreseen(course: Course, scene: Scene, now: float) -> float:
    """How long it takes until the middle of what may be the limit; beyond its end the course goes on as it ended."""
    seen = max((share for at, share in course if at <= now), default=0.0)
    limit = (max(LOWEST_LIMIT, seen) + 1.0) / 2.0
    reached = next((at for at, share in course if at > now and share >= limit), None)
    if reached is not None:
        return reached - now
    highest = max(share for _, share in course)
    slope = _slope([one for one in course if one[0] >= scene.ended - _END * (scene.ended - scene.began)])
    return scene.ended - now + (max(0.0, limit - max(highest, LOWEST_LIMIT)) / slope if slope > 0.0 else 0.0)


def _slope(course: Course) -> float:
    half = len(course) // 2
    if not half:
        return 0.0
    early, late = course[:half], course[half:]
    apart = fmean(at for at, _ in late) - fmean(at for at, _ in early)
    return (fmean(share for _, share in late) - fmean(share for _, share in early)) / apart
