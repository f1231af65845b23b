"""How is shown what is foreseen or strange?"""

from __future__ import annotations

from pydantic import Field

from selfheal.serve.models.base import Probability, Seconds, Time, View
from selfheal.vocabulary import FailureMode


class PredictionView(View):
    """A failure that is foreseen."""

    agent: str
    mode: FailureMode
    signal: str
    probability: Probability
    high_risk: bool
    predicted_at: Time
    expected_at: Time
    eta_seconds: Seconds = Field(description="From now; 0 where it should have come already.")
    eta_low: Seconds
    eta_high: Seconds
    value: float | None
    limit: float | None
    slope: float | None = Field(description="Per second.")


class AnomalyView(View):
    """A signal that departed from what is normal for it."""

    id: str
    agent: str
    signal: str
    value: float | None
    expected: float | None
    score: Probability
    at: Time
    over_at: Time | None
    dismissed: bool
