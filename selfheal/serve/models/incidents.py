"""How is shown what went wrong, what was done about it, and what was learned?"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from selfheal.serve.models.base import Interval, Items, Probability, Seconds, Time, View
from selfheal.serve.models.knowledge import SignatureView, SimilarView
from selfheal.serve.models.ranking import RankingView, SuggestionView, WeightsView
from selfheal.vocabulary import Channel, GuardCode, IncidentState, Layer, ModelOutcome, Outcome, Policy, Severity


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
    undone: bool | None = Field(description="Whether what it did was taken back; false while it is, null where not.")


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
    channels: list[Channel] = Field(description="Where the evidence comes from.")
    signs: list[str] = Field(description="The signatures that speak for it.")


class AlternativeView(View):
    """A fix that was weighed."""

    fix: str
    success: Probability
    expected_seconds: Seconds = Field(description="Until the agent is well, with all that follows where it fails.")
    cost_seconds: Seconds | None = Field(description="What it takes by itself, verified; null in an old journal.")
    barred: str = Field(description="Why it may not be taken; empty where it may.")
    code: GuardCode | None = Field(description="The guard that bars it.")
    propensity: Probability = Field(description="How likely it was to be chosen, among near-ties.")


class PlanView(View):
    """What shall be done, and why."""

    at: Time
    fix: str
    agent: str
    reason: str
    alternatives: list[AlternativeView]
    policy: Policy = Field(description="By which rule it was chosen.")
    ladder: str = Field(description="What the fixed order would have chosen; empty in an old journal.")
    shadow: bool = Field(description="Whether it is only said.")
    passed: list[GuardCode] = Field(description="The guards that let it pass.")


class HoldView(View):
    """Why nothing is done yet."""

    at: Time
    reason: str
    until: Time | None
    code: GuardCode | None = Field(description="The guard that holds it.")
    fix: str = Field(description="What would be done otherwise; empty where that was not written down.")


class ApprovalView(View):
    """A fix that waits for a person; `approved` is null until one answered."""

    fix: str
    agent: str
    asked_at: Time
    expires_at: Time
    approved: bool | None
    by: str


class LabelView(View):
    """What somebody says the cause was."""

    cause: str = Field(description="Empty where only that it was not what the diagnosis said.")
    agent: str
    by: str = Field(examples=["telegram:ada"])
    at: Time
    said: str = Field(description="What the diagnosis said then.")
    probability: Probability = Field(description="How sure it was.")
    right: bool


class OpinionView(View):
    """What came of a question to a language model. Nobody has looked at whether its words are true."""

    at: Time
    provider: str = Field(examples=["anthropic"])
    model: str
    outcome: ModelOutcome
    reason: str = Field(description="Why it was not heard, or moved nothing; a slug.")
    cause: str = Field(description="What it thinks; unknown where it does not know, empty where nothing was heard.")
    cause_agent: str
    missing: str = Field(description="A cause that it would have liked to name and was not offered.")
    fix: str = Field(description="What it would try. Nothing follows from that.")
    confidence: Probability
    evidence: list[str]
    words: str
    moved: bool = Field(description="Whether the causes are as they are by its say too.")
    cached: bool = Field(description="Whether an earlier answer to the same question was taken.")
    seconds: Seconds
    tokens: int


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
    severity: Severity
    trigger: Literal["exit", "check", "start", "external", "foreseen"]
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
    label: LabelView | None = Field(description="What somebody says the cause truly was.")
    opinions: list[OpinionView] = Field(description="What a language model was asked, the latest last.")
    similar: list[SimilarView] = Field(description="Incidents of the past that looked like it, as was known then.")
    merged_into: str | None
    reason: str


class IncidentDetail(IncidentView):
    """An incident with its story, and where its cause may lie."""

    story: list[LineView]
    ranking: RankingView | None = Field(description="Null where there was nobody to tell it from.")
    suggested: list[SuggestionView] = Field(description="What would help, soonest first.")


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


class ShadowView(View):
    """What became of that which was only suggested, by fix."""

    fix: str
    agreed: int = Field(description="Done after all, by a person or with a person's leave.")
    needless: int = Field(description="The agent was well again in the time that the fix would have taken.")
    sooner: int = Field(description="It took longer than that.")
    open: int = Field(description="Nobody knows yet.")
    sooner_seconds: Seconds = Field(description="By how much longer, in all.")


class Fixes(Items[FixView]):
    """Every attempt, newest first, and what was learned from them."""

    rates: list[RateView]
    shadow: list[ShadowView]


class RankedFix(View):
    """A fix in its place of a strategy."""

    fix: str
    success: Probability
    interval: Interval
    tried: float = Field(description="Attempts; what is long ago counts less.")
    helped: float
    failed: float
    recovery_seconds: Seconds | None = Field(description="Mean time to the first good sign; null: it never helped.")
    slowest_seconds: Seconds | None
    expected_seconds: Seconds = Field(description="What one try takes, whether or not it helps.")
    settle_seconds: Seconds = Field(description="How long a good sign is waited for after it.")


class StrategyView(View):
    """The order of fixes for an agent and a cause, best first."""

    agent: str
    cause: str
    last_used_at: Time | None = Field(description="When a fix was last judged here; null where nobody knows.")
    fixes: list[RankedFix]


class ReportView(View):
    """The diagnosis of an incident."""

    incident: str
    agent: str
    at: Time
    sign: str
    causes: list[CauseView]
    ranking: RankingView | None = Field(description="Null where there was nobody to tell it from.")
    suggested: list[SuggestionView] = Field(description="What would help, soonest first.")
    opinions: list[OpinionView]
    similar: list[SimilarView]


class AskedView(View):
    """How often a provider was asked within a day, by what came of it."""

    provider: str
    outcomes: dict[ModelOutcome, int]
    left_alone: bool = Field(description="Whether its last three answers were failures, the latest within 5 minutes.")


class ModelView(View):
    """What language models were asked. How much better than the engine they are is a figure of the scorecard."""

    asked: list[AskedView]
    tokens_last_hour: int
    tokens_last_day: int
    cost_last_day: float | None = Field(description="Null where no price is configured.")


class Analysis(Items[ReportView]):
    """Diagnoses, newest first, and the knowledge that they rest on."""

    knowledge: list[SignatureView]
    weights: WeightsView | None = Field(description="Null where they are those that were shipped.")
    model: ModelView
