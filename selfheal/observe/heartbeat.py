"""The check `heartbeat`: did the agent give a sign of life of its own in time?

In time is so often, or at the times of a cron expression: what runs at three in the morning beats once it is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Discriminator, Field, Tag, WithJsonSchema, model_validator

from selfheal.config.cron import first_after
from selfheal.config.models import CheckConfig
from selfheal.config.units import Count, Cron, Duration, Zone
from selfheal.errors import CheckFailed
from selfheal.kinds import Check, CheckContext, CheckKind
from selfheal.observe.wording import Unwell, span_text

_LOOK_S = 0.02
_GRACE_SHARE = 0.5  # of the period: a beat that is late by a busy moment is no failure, one that is left out is
_CRON_GRACE_S = 600.0  # the time of a cron expression is when the work begins, and it beats at its end


def _spelling(value: object) -> str:
    """A duration is a word or two, a cron expression five; what is neither is told as what it is more like."""
    return "cron" if isinstance(value, str) and len(value.split()) > 2 else "period"


_WAYS = [
    {"type": "number", "description": "seconds"},
    {"type": "string", "description": "a number with ms, s, m, h or d, or a cron expression of five fields"},
]
Rhythm = Annotated[
    Annotated[Duration, Field(gt=0), Tag("period")] | Annotated[Cron, Tag("cron")],
    Discriminator(_spelling),
    WithJsonSchema({"anyOf": _WAYS, "examples": ["10s", "0 3 * * *"]}),  # of itself it would be oneOf: a text is both
]


class HeartbeatCheckConfig(CheckConfig):
    """A sign of life that the agent gives by itself."""

    heartbeat: Rhythm = Field(description="The agent beats each so often, or once for each time of a cron expression.")
    timezone: Zone = Field("UTC", description="Time zone of the cron expression.")
    grace: Duration | None = Field(
        None, description="How late a beat may be. Default: half of the period, ten minutes after a cron time."
    )
    fall: Count = Field(2, ge=1, description="Failures in a row until unhealthy; the grace is patience too.")

    @model_validator(mode="after")
    def _has_a_place(self) -> HeartbeatCheckConfig:
        if "timezone" in self.model_fields_set and not self.is_cron:
            raise ValueError("a period is the same in every time zone; write a cron expression, or take 'timezone' out")
        return self

    @property
    def is_cron(self) -> bool:
        """Whether beats are expected at times of the clock and not each so often."""
        return isinstance(self.heartbeat, str)

    def limit_s(self, since: float) -> float:
        """How old the last beat may become; `since` is when it came, wall time."""
        match self.heartbeat:
            case str() as cron:
                grace_s = _CRON_GRACE_S if self.grace is None else self.grace
                return first_after(cron, self.timezone, since) - since + grace_s
            case period_s:
                return period_s + (_GRACE_SHARE * period_s if self.grace is None else self.grace)

    @property
    def expected(self) -> str:
        """What is expected, in words."""
        if isinstance(self.heartbeat, str):
            return f"one for each time of {self.heartbeat!r} ({self.timezone})"
        return f"one every {span_text(self.heartbeat)}"


@dataclass(frozen=True, slots=True)
class HeartbeatCheck:
    """Signals: `age` in seconds of the last beat, or of the process where it never beat; with cron `left`, the seconds
    until it is too old.

    A beat of an earlier process does not count for the one that runs now. An agent without a process of ours has time
    from when it is watched; with cron only where it never beat, for a time that was missed stays missed.
    """

    wanted: HeartbeatCheckConfig
    context: CheckContext

    async def run(self) -> Mapping[str, float]:
        process = self.context.run()
        began = process.started_at if process is not None else self.context.watched_since
        if began is None:
            raise CheckFailed("no process")
        since = self._since(began, self.context.last_beat(), own=process is not None)
        now, wall = self.context.clock.now(), self.context.clock.wall()
        age_s = max(0.0, now - since)
        left_s = self.wanted.limit_s(since + wall - now) - age_s  # cron's times are those of the clock on the wall
        signals = {"age": age_s}
        if self.wanted.is_cron:
            signals["left"] = left_s
        if left_s < 0.0:
            verb = "was started" if process is not None else "is watched"
            span = f"in the {span_text(age_s)} since it {verb}" if since == began else f"for {span_text(age_s)}"
            raise Unwell(f"no heartbeat {span}, expected {self.wanted.expected}", signals, "hung")
        return signals

    def _since(self, began: float, beat: float | None, *, own: bool) -> float:
        """From when time counts: the last beat, where there is one that counts."""
        if beat is None:
            return began
        return beat if self.wanted.is_cron and not own else max(beat, began)


def _build(config: CheckConfig, context: CheckContext) -> Check:
    assert isinstance(config, HeartbeatCheckConfig)
    return HeartbeatCheck(config, context)


def _again_s(config: CheckConfig, signals: Mapping[str, float]) -> float:
    """The moment at which the last beat is too old, if no other comes; beats are known to some milliseconds."""
    assert isinstance(config, HeartbeatCheckConfig)
    left_s = signals["left"] if config.is_cron else config.limit_s(0.0) - signals["age"]
    return max(_LOOK_S, left_s + _LOOK_S)


HEARTBEAT = CheckKind(
    name="heartbeat", model=HeartbeatCheckConfig, build=_build, again_s=_again_s, signals=("age", "left")
)
