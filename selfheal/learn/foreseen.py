"""How right were the forecasts, by what really happened?

An alarm is a risk that became high. It was right where the failure came, false where its time has passed without one,
and neither where something was done: nobody knows then whether it would have come. Recall is of the failures that have
a precursor; the others cannot be foreseen, and are counted apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from selfheal.causes import MODE_OF, is_failure
from selfheal.vocabulary import FAILURE_MODES, FailureMode
from selfheal.world import Incident, World
from selfheal.world.episodes import Ended

# The time over which an alarm is counted once: one round of prevention.
WINDOW_S = 300.0
# How long before a failure an alarm is called for, and how long before it a person can still do something.
HORIZON_S, IN_TIME_S = 7200.0, 1800.0
# A check tells of a certificate before it expires: that incident is the forecast itself.
TOLD_BEFORE = frozenset({"tls_expired"})
# An incident is diagnosed, and told as what was foreseen, a little after it began.
LATE_S = 60.0


@dataclass(frozen=True, slots=True)
class Alarm:
    """A risk that was high from `begin` to `end`. `right` is None where nobody can know, or not yet."""

    agent: str
    mode: FailureMode
    begin: float
    end: float
    right: bool | None


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure that announces itself. `lead_s` is how long before it there was an alarm; None where there was none."""

    agent: str
    mode: FailureMode
    onset: float
    lead_s: float | None


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows of agents: all, those before a failure, and of those with an alarm the right and the false ones."""

    count: int
    positive: int
    right: int
    false: int

    @property
    def hits(self) -> int:
        """Those in which an alarm, or none, was right."""
        return self.count - self.false - (self.positive - self.right)


def alarms(world: World, incidents: Sequence[Incident], now: float) -> list[Alarm]:
    """Return the alarms that are over, oldest first."""
    return [
        Alarm(one.episode.last.agent, one.episode.last.mode, one.episode.high_at, one.at, _right(one, incidents, now))
        for one in world.foresight.over
        if one.episode.high_at is not None
    ]


def failures(world: World, incidents: Sequence[Incident], known: Sequence[Alarm]) -> list[Failure]:
    """Return the failures that have a precursor: incidents of such a cause, and what came without an incident. Nothing
    leads up to a death; that it is likely is told all the same.
    """
    begun = [(agent, mode, one.high_at) for (agent, mode), one in world.foresight.episodes.items() if one.high_at]
    spans = [(one.agent, one.mode, one.begin, one.end) for one in known]
    spans += [(agent, mode, at, float("inf")) for agent, mode, at in begun]
    caused = [one for one in incidents if one.cause in MODE_OF.keys() - TOLD_BEFORE]
    came = [
        Failure(one.agent, MODE_OF[one.cause], one.onset, _lead(one.agent, _modes_of(one.cause), one.onset, spans))
        for one in caused
    ]
    alone = (one for one in known if one.right and one.mode != "crash" and not _is_among(one, incidents))
    return came + [
        Failure(one.agent, one.mode, one.end, _lead(one.agent, frozenset({one.mode}), one.end, spans)) for one in alone
    ]


def windows(count: int, came: Sequence[Failure], known: Sequence[Alarm]) -> Windows:
    """Return how the windows of agents divide, `count` being all in which an agent was well.

    Those of an alarm that was averted are in no class.
    """
    unknown = sum(_windows(one.begin, one.end) for one in known if one.right is None)
    false = sum(_windows(one.begin, one.end) for one in known if one.right is False)
    positive = sum(_windows(0.0, HORIZON_S) for _ in came)
    right = sum(_windows(0.0, min(HORIZON_S, one.lead_s)) for one in came if one.lead_s)
    count = max(0, count - unknown)
    positive = min(count, positive)
    return Windows(count, positive, min(right, positive), min(false, count - positive))


def without_precursor(incidents: Sequence[Incident]) -> int:
    """Of how many failures nothing could be seen before they came."""
    return sum(one.cause not in MODE_OF for one in incidents)


def _right(ended: Ended, incidents: Sequence[Incident], now: float) -> bool | None:
    """A forecast that was withdrawn is false once its time has passed without a failure."""
    told = ended.episode.last
    if ended.outcome != "withdrawn":
        return True if ended.outcome == "happened" else None
    until = told.at + told.horizon_s
    came = (one.onset for one in incidents if one.agent == told.agent and is_failure(one.cause, told.mode))
    if any(ended.episode.began_at <= onset <= until for onset in came):
        return True
    return False if now >= until else None


def _is_among(alarm: Alarm, incidents: Sequence[Incident]) -> bool:
    return any(
        one.agent == alarm.agent
        and is_failure(one.cause, alarm.mode)
        and alarm.begin <= one.onset <= alarm.end + HORIZON_S
        for one in incidents
    )


def _modes_of(cause: str) -> frozenset[FailureMode]:
    """As which modes a failure of that cause may have been foreseen."""
    return frozenset(mode for mode in FAILURE_MODES if is_failure(cause, mode))


def _lead(
    agent: str, modes: frozenset[FailureMode], onset: float, spans: Sequence[tuple[str, FailureMode, float, float]]
) -> float | None:
    begins = (
        begin for name, kind, begin, end in spans if name == agent and kind in modes and begin <= onset <= end + LATE_S
    )
    return max((onset - begin for begin in begins), default=None)


def _windows(begin: float, end: float) -> int:
    """How many windows a span touches."""
    return max(1, int(end // WINDOW_S) - int(begin // WINDOW_S)) if end > begin else 0
