"""How is shown what is foreseen or planned?"""

from __future__ import annotations

from pydantic import Field

from selfheal.serve.models.base import Items, Probability, Seconds, Time, View
from selfheal.vocabulary import FailureMode, Outcome


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


class WorkView(View):
    """Work before a failure, planned or done."""

    id: str
    agent: str
    action: str
    why: str
    planned_at: Time
    due_at: Time
    done_at: Time | None
    outcome: Outcome | None
    output: str


class WindowView(View):
    """A maintenance window of the configuration: alerts and fixes are silent for these agents."""

    agents: list[str]
    cron: str
    timezone: str
    minutes: float


class Maintenance(Items[WorkView]):
    """Work, newest first, and the windows in force."""

    windows: list[WindowView]
