"""What is not as usual?"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AnomalySeen:
    """A signal departs from what is normal for it. `score` is from 0 to 1."""

    at: float
    anomaly: str
    agent: str
    signal: str
    value: float
    expected: float
    score: float


@dataclass(frozen=True, slots=True)
class AnomalyOver:
    at: float
    anomaly: str
    dismissed: bool = False


AnomalyEvent = AnomalySeen | AnomalyOver
