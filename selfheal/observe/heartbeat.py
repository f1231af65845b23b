"""The check `heartbeat`: did the agent give a sign of life of its own in time?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import Field

from selfheal.config.models import CheckConfig
from selfheal.config.units import Count, Duration
from selfheal.errors import CheckFailed
from selfheal.kinds import Check, CheckContext, CheckKind
from selfheal.observe.wording import Unwell, span_text

_LOOK_S = 0.02
_GRACE_SHARE = 0.5  # of the period: a beat that is late by a busy moment is no failure, one that is left out is


class HeartbeatCheckConfig(CheckConfig):
    """A sign of life that the agent gives by itself."""

    heartbeat: Duration = Field(gt=0, description="The agent beats each so often.")
    grace: Duration | None = Field(None, description="How late a beat may be. Default: half of the period.")
    fall: Count = Field(2, ge=1, description="Failures in a row until unhealthy; the grace is patience too.")

    @property
    def limit_s(self) -> float:
        """How old the last beat may be."""
        return self.heartbeat + (_GRACE_SHARE * self.heartbeat if self.grace is None else self.grace)


@dataclass(frozen=True, slots=True)
class HeartbeatCheck:
    """Signal: `age` in seconds of the last beat, or of the process where it never beat.

    A beat of an earlier process does not count for the one that runs now. An agent without a process of ours has time
    from when it is watched.
    """

    period_s: float
    limit_s: float
    context: CheckContext

    async def run(self) -> Mapping[str, float]:
        process = self.context.run()
        begin = process.started_at if process is not None else self.context.watched_since
        if begin is None:
            raise CheckFailed("no process")
        beat = self.context.last_beat()
        since = begin if beat is None else max(beat, begin)
        age_s = max(0.0, self.context.clock.now() - since)
        signals = {"age": age_s}
        if age_s > self.limit_s:
            began = "was started" if process is not None else "is watched"
            span = f"in the {span_text(age_s)} since it {began}" if beat != since else f"for {span_text(age_s)}"
            raise Unwell(f"no heartbeat {span}, expected one every {span_text(self.period_s)}", signals, "hung")
        return signals


def _build(config: CheckConfig, context: CheckContext) -> Check:
    assert isinstance(config, HeartbeatCheckConfig)
    return HeartbeatCheck(config.heartbeat, config.limit_s, context)


def _again_s(config: CheckConfig, signals: Mapping[str, float]) -> float:
    """The moment at which the last beat is too old, if no other comes; beats are known to some milliseconds."""
    assert isinstance(config, HeartbeatCheckConfig)
    return max(_LOOK_S, config.limit_s - signals["age"] + _LOOK_S)


HEARTBEAT = CheckKind(name="heartbeat", model=HeartbeatCheckConfig, build=_build, again_s=_again_s, signals=("age",))
