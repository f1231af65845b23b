"""How is shown what is done before a failure?"""

from __future__ import annotations

from pydantic import Field

from selfheal.serve.models.base import Items, Probability, Time, View
from selfheal.serve.models.incidents import AlternativeView
from selfheal.vocabulary import FailureMode, GuardCode, Outcome, WorkState


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
    state: WorkState
    mode: FailureMode | None = Field(description="The failure that it prevents; null in an old journal.")
    probability: Probability
    until: Time | None = Field(description="By when it has to be begun; later it is given up if something holds it.")
    timing: str = Field(description="Why at that time.")
    how: str = Field(description="What spares those who use the agent; empty where nothing does.")
    asks: bool = Field(description="Whether a person is asked first.")
    answered_by: str = Field(description="Who allowed or refused it; empty where nobody did.")
    backups: list[str] = Field(description="Data agents that are backed up before it.")
    begun_at: Time | None
    hold: str = Field(description="What holds it back now; empty where nothing does.")
    hold_code: GuardCode | None = Field(description="The guard that does.")
    reason: str = Field(description="Why this was chosen; empty in an old journal.")
    alternatives: list[AlternativeView] = Field(description="What else was weighed, the best first.")


class WindowView(View):
    """A maintenance window of the configuration: alerts and fixes are silent for these agents."""

    agents: list[str]
    cron: str
    timezone: str
    minutes: float


class LeftView(View):
    """A failure that is left to come, by chance and where that is safe."""

    agent: str
    mode: FailureMode


class WorthView(View):
    """What the work was worth, by what became of the failures that were left to come."""

    acted: int = Field(description="Predictions that were acted on, of those that might have been left alone.")
    left: int = Field(description="Predictions that were left alone, and are over.")
    came: int = Field(description="Of these the failures that came.")
    would_have_failed: float | None = Field(description="Of those acted on, estimated; null where none was left.")
    low: float | None = Field(description="The lower end of its interval of 95 %.")
    high: float | None = Field(description="The upper end of its interval of 95 %.")


class Totals(View):
    """What became of all work, and of all predictions."""

    work: dict[WorkState, int] = Field(description="How often work stands, or ended, in each state.")
    averted: int = Field(description="Failures against which work was planned, and something was done in time.")
    came_all_the_same: int = Field(description="Failures that were foreseen, not left alone, and came.")
    worth: WorthView


class Maintenance(Items[WorkView]):
    """Work, newest first, what became of it in all, what is left alone now, and the windows in force."""

    windows: list[WindowView]
    totals: Totals
    left_alone: list[LeftView]
