"""How is shown what went wrong, what was done about it, and what was learned?"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from selfheal.serve.models.base import Interval, Items, Probability, Seconds, Time, View
from selfheal.vocabulary import IncidentState, Layer, Outcome


class AttemptView(View):
    """One application of a fix. `verified` says that the outcome is the final one."""

    number: int
    fix: str = Field(examples=["restart"])
    layer: Layer
    agent: str
    cause: str
    reflex: bool
    started_at: Time
    ended_at: Time | None = Field(description="The end of the act; whether it helped is known at `verified_at`.")
    outcome: Outcome | None
    verified: bool
    verified_at: Time | None
    output: str


class FixView(AttemptView):
    """An attempt, and the incident to which it belongs."""

    incident: str


class CauseView(View):
    """A possible cause."""

    cause: str = Field(examples=["port_taken"])
    sentence: str = Field(examples=["the port that it wants is already in use"])
    probability: Probability
    agent: str
    evidence: list[str] = Field(examples=[["log says 'Address already in use'"]])


class AlternativeView(View):
    """A fix that was weighed."""

    fix: str
    success: Probability
    expected_seconds: Seconds
    barred: str = Field(description="Why it may not be taken; empty where it may.")


class PlanView(View):
    """What shall be done, and why."""

    at: Time
    fix: str
    agent: str
    reason: str
    alternatives: list[AlternativeView]


class HoldView(View):
    """Why nothing is done yet."""

    at: Time
    reason: str
    until: Time | None


class ApprovalView(View):
    """A fix that waits for a person; `approved` is null until one answered."""

    fix: str
    agent: str
    asked_at: Time
    expires_at: Time
    approved: bool | None
    by: str


class LineView(View):
    """A sentence of an incident's story."""

    at: Time
    offset_s: float = Field(description="Seconds from the onset.")
    text: str


class IncidentView(View):
    """One failure from first sign to resolution."""

    id: str = Field(examples=["i1"])
    agent: str = Field(description="Where the cause is.")
    agents: list[str] = Field(description="All that suffer.")
    state: IncidentState
    trigger: Literal["exit", "check", "start", "external"]
    sign: str
    onset: Time
    opened_at: Time
    resolved_at: Time | None = Field(description="The end of verification.")
    recovery_seconds: Seconds | None = Field(description="From onset to the first good check of the verified run.")
    cause: str = Field(examples=["crashed"])
    causes: list[CauseView] = Field(description="Likeliest first.")
    attempts: list[AttemptView]
    plan: PlanView | None
    hold: HoldView | None
    approval: ApprovalView | None
    merged_into: str | None
    reason: str


class IncidentDetail(IncidentView):
    """An incident with its story."""

    story: list[LineView]


class SpanView(View):
    """A stretch of a trace; it has no end while it lasts."""

    name: Literal["detect", "diagnose", "decide", "fix", "verify"]
    started_at: Time
    ended_at: Time | None
    duration_seconds: Seconds | None
    text: str


class TraceView(View):
    """What an incident's time was spent on. Its id is the incident's."""

    id: str
    agent: str
    state: IncidentState
    started_at: Time
    ended_at: Time | None
    duration_seconds: Seconds | None
    spans: list[SpanView]


class RateView(View):
    """How likely a fix helps against a cause on an agent, and what that rests on."""

    agent: str
    cause: str
    fix: str
    helped: float = Field(description="Attempts that helped; what is long ago counts less.")
    failed: float
    success: Probability
    interval: Interval


class Fixes(Items[FixView]):
    """Every attempt, newest first, and what was learned from them."""

    rates: list[RateView]


class RankedFix(View):
    """A fix in its place of a strategy."""

    fix: str
    success: Probability
    interval: Interval
    tried: float = Field(description="Attempts; what is long ago counts less.")


class StrategyView(View):
    """The order of fixes for an agent and a cause, best first."""

    agent: str
    cause: str
    fixes: list[RankedFix]


class PatternView(View):
    """An entry of the knowledge base: what in a log points at which cause."""

    cause: str
    pattern: str = Field(description="A regular expression; case does not matter.")
    weight: float = Field(description="How much a match counts as evidence.")


class ReportView(View):
    """The diagnosis of an incident."""

    incident: str
    agent: str
    at: Time
    sign: str
    causes: list[CauseView]


class Analysis(Items[ReportView]):
    """Diagnoses, newest first, and the knowledge that they rest on."""

    knowledge: list[PatternView]
