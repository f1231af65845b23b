"""From which stories is learned how agents fail: those of simulated agents, and those of this fleet?

Both are told alike, as the means of steps with limits and failures by mode, so that rows of either are made by the same
lines as in the daemon.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import isfinite
from random import Random
from typing import NamedTuple

from selfheal.ml.forest import NoForest, unpacked_numbers
from selfheal.ml.wire import Garbage, Past
from selfheal.predict.lately import LATELY
from selfheal.predict.own_past import TAUGHT, Came, LeftOut
from selfheal.predict.recent import STEP_S, means_of, track_of
from selfheal.predict.recording import Samples
from selfheal.predict.simulated import fleet
from selfheal.predict.steps import Track
from selfheal.vocabulary import FailureMode

# A day to know an agent by, and two for what befalls it.
HOURS = 72.0
# What the daemon knows of an agent that was simulated: which of its signals can be used up, and the names that the
# simulation has for that.
_MODES: Mapping[str, FailureMode] = {
    "rss": "out_of_memory",
    "fds": "out_of_fds",
    "disk": "disk_full",
    "queue": "queue_full",
    "latency_p95": "limit_reached",
    "error_rate": "limit_reached",
}
_SIGNALS = {
    "out_of_memory": "rss", "out_of_fds": "fds", "disk_full": "disk", "queue_full": "queue",
    "too_slow": "latency_p95", "failing": "error_rate",
}  # fmt: skip
_RESTARTS = "restarts"


class Story(NamedTuple):
    """One agent: the means of its steps from number `first` on, and what befell it. `own` is of this fleet."""

    agent: str
    first: int
    columns: Mapping[str, Sequence[float]]
    limits: Mapping[FailureMode, Mapping[str, float]]
    failures: Sequence[Came]
    left_out: Sequence[LeftOut]
    restarts: Sequence[float]
    own: bool

    @property
    def begun(self) -> float:
        """When its first step ends."""
        return self.first * STEP_S

    @property
    def ended(self) -> float:
        """When its last step ends."""
        return (self.first + max(map(len, self.columns.values()), default=1) - 1) * STEP_S

    def track(self) -> Track:
        """Its track, without any limit."""
        return track_of(self.agent, self.first, self.columns, {}, self.restarts)


def simulated(runs: int, seed: int) -> Iterator[Story]:
    """So many agents that were made up, one after the other: never are two of them in memory."""
    dice = Random(seed)  # noqa: S311 - no secret hangs on it
    for number in range(runs):
        recording, _ = fleet(dice, 1, HOURS)
        (samples,) = recording.agents.values()
        (limits,) = recording.limits.values()
        failures = [Came(one.mode, one.at) for one in recording.failures]
        yield _told(f"run-{number}", samples, limits, failures)


def own(past: Past) -> Story:
    """The story of an agent of this fleet. Raises Garbage."""
    try:
        columns = {name: unpacked_numbers(means) for name, means in past.columns.items()}
    except NoForest as why:
        raise Garbage(str(why)) from why
    limits: dict[FailureMode, dict[str, float]] = {}
    for mode in TAUGHT:
        found = {signal: limit for one, signal, limit in past.limits if one == mode and signal in columns}
        if found:
            limits[mode] = found
    unseen = min((_unseen(means) for name, means in columns.items() if name not in LATELY), default=0)
    return Story(
        past.agent,
        past.first + unseen,
        {name: means[unseen:] for name, means in columns.items()},
        limits,
        sorted((Came(*one) for one in past.failures), key=lambda one: one.at),
        [LeftOut(*one) for one in past.left_out],
        past.restarts,
        own=True,
    )


def _unseen(means: Sequence[float]) -> int:
    """How many steps at the beginning hold nothing."""
    return next((place for place, mean in enumerate(means) if isfinite(mean)), len(means))


def _told(name: str, samples: Samples, limits: Mapping[str, float], failures: Sequence[Came]) -> Story:
    """What a daemon would know of a simulated agent: nothing of what it does not have, and failures by our modes."""
    first, last = int(samples.at[0] // STEP_S) + 1, int(samples.at[-1] // STEP_S)
    columns = {
        signal: means_of(samples.at, values, first, last)
        for signal, values in samples.values.items()
        if signal != _RESTARTS and any(map(isfinite, values))
    }
    by_mode: dict[FailureMode, dict[str, float]] = {}
    for signal, limit in limits.items():
        by_mode.setdefault(_MODES[signal], {})[signal] = limit
    came = [Came(_MODES[_SIGNALS[one.mode]], one.at) for one in failures if _SIGNALS.get(one.mode) in limits]
    return Story(name, first, columns, by_mode, came, (), _restarts(samples), own=False)


def _restarts(samples: Samples) -> list[float]:
    counted = zip(samples.at, samples.values[_RESTARTS], strict=True)
    known = [(at, count) for at, count in counted if isfinite(count)]
    return [at for (_, before), (at, count) in pairwise(known) if count > before]
