"""What is or was not as usual, and how does an event change that?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from selfheal.events import AnomalyEvent, AnomalyOver, AnomalySeen

# What is over is kept for the page and the learners; the oldest goes first.
ANOMALIES_KEPT = 200


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A signal that departed from normal; `over_at` is None while it lasts."""

    seen: AnomalySeen
    over_at: float | None = None
    dismissed: bool = False


@dataclass(frozen=True, slots=True)
class Anomalies:
    """`known` are the latest by name, oldest first; `seen` counts all there ever were."""

    known: Mapping[str, Anomaly] = field(default_factory=dict)
    seen: int = 0


def fold_anomalies(then: Anomalies, event: AnomalyEvent) -> Anomalies:
    """Return what is not as usual after `event`."""
    match event:
        case AnomalySeen():
            known = {**then.known, event.anomaly: Anomaly(event)}
            return replace(then, known={name: known[name] for name in [*known][-ANOMALIES_KEPT:]}, seen=then.seen + 1)
        case AnomalyOver(anomaly=name):
            if name not in then.known:
                return then
            over = replace(then.known[name], over_at=event.at, dismissed=event.dismissed)
            return replace(then, known={**then.known, name: over})
        case _:
            assert_never(event)
