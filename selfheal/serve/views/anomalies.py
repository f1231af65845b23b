"""What is or was not as usual?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from selfheal.serve.models.anomalies import AnomalyView
from selfheal.serve.times import moment, rfc3339
from selfheal.serve.views.foresight import finite, share

if TYPE_CHECKING:
    from selfheal.world import Anomaly, World


def anomalies(world: World) -> list[AnomalyView]:
    """Return what is or was strange, newest first."""
    return [_anomaly(name, one) for name, one in list(world.anomalies.known.items())[::-1]]


def _anomaly(name: str, one: Anomaly) -> AnomalyView:
    return AnomalyView(
        id=name,
        agent=one.seen.agent,
        signal=one.seen.signal,
        value=finite(one.seen.value),
        expected=finite(one.seen.expected),
        score=share(one.seen.score),
        at=rfc3339(one.seen.at),
        over_at=moment(one.over_at),
        dismissed=one.dismissed,
    )
