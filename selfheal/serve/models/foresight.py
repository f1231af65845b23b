"""How is shown what is foreseen?"""

from __future__ import annotations

from pydantic import Field

from selfheal.serve.models.base import Probability, Seconds, Time, View
from selfheal.vocabulary import FailureMode, PredictionModel, PredictionOutcome, WorkState


class ContributionView(View):
    """What speaks for a failure."""

    signal: str
    weight: Probability = Field(description="Its share of all that speaks for it.")
    what: str


class PredictionView(View):
    """A failure that is foreseen."""

    agent: str
    mode: FailureMode
    signal: str
    model: PredictionModel = Field(description="Which model foresees it.")
    model_why: str = Field(description="Why that one speaks; empty where there is no other.")
    probability: Probability = Field(description="That it comes within `horizon_seconds`.")
    horizon_seconds: Seconds
    high_risk: bool = Field(description="From a probability of 0.7 on, until it has fallen below 0.4.")
    since: Time | None = Field(description="When what is seen began, where that is known.")
    foreseen_since: Time = Field(description="When it was foreseen first.")
    predicted_at: Time
    expected_at: Time
    eta_seconds: Seconds = Field(description="From now; 0 where it should have come already.")
    eta_low: Seconds = Field(description="With `eta_high` an interval of 90 %.")
    eta_high: Seconds
    value: float | None
    limit: float | None
    slope: float | None = Field(description="Per second.")
    contributions: list[ContributionView]
    case: str | None = Field(description="The latest incident in which that failure came.")
    work: str | None = Field(description="The work that is planned to prevent it.")
    work_due_at: Time | None
    work_state: WorkState | None = Field(description="Whether that is still planned, or being done.")


class EndedView(View):
    """What became of a failure that was foreseen."""

    agent: str
    mode: FailureMode
    model: PredictionModel
    foreseen_since: Time
    high_risk_since: Time | None
    ended_at: Time
    outcome: PredictionOutcome
    why: str
