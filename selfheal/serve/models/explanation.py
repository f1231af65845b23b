"""How is shown why something was decided?"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from selfheal.serve.models.base import Seconds, Time, View
from selfheal.serve.models.incidents import AlternativeView, IncidentView
from selfheal.vocabulary import AgentState, BreakerState, Outcome, Policy

Answer = Literal["passed", "held", "not asked", "not known"]


class NeighbourView(View):
    """An agent that the one in question depends on."""

    name: str
    state: AgentState


class TriedView(View):
    """What had been tried in this incident by then."""

    fix: str
    agent: str
    outcome: Outcome | None
    verified: bool = Field(description="Whether the outcome was the final one by then.")


class OddsView(View):
    """How often a fix had helped against the cause by then, what was long ago counted less: here, and on all others."""

    fix: str
    cause: str
    helped: float
    failed: float
    helped_elsewhere: float
    failed_elsewhere: float


class SituationView(View):
    """What was known just before a decision."""

    agent: str
    state: AgentState
    reason: str = Field(description="Why it was not well; empty where it was.")
    failing: list[str] = Field(description="The checks that had settled on failure, each with its reason.")
    dependencies: list[NeighbourView]
    breaker: BreakerState = Field(description="That of its restart.")
    starts_last_hour: int = Field(description="Starts after a failure, which count towards the budget of an hour.")
    short_runs: int = Field(description="Runs in a row that ended within seconds.")
    paused: bool
    maintenance: bool
    dry_run: bool
    tried: list[TriedView]
    odds: list[OddsView]


class GuardView(View):
    """What was asked before acting, with what it looked at, and what it said."""

    guard: str = Field(examples=["dependencies"])
    saw: str = Field(examples=["ledger is healthy"])
    answer: Answer


class DecisionView(View):
    """One decision, or what came of one."""

    seq: int = Field(description="Its number in the journal.")
    at: Time
    offset_seconds: Seconds
    kind: str = Field(examples=["Planned"])
    text: str
    situation: SituationView | None
    alternatives: list[AlternativeView]
    guards: list[GuardView]
    policy: Policy | None = Field(description="By which rule a fix was chosen; null where an old journal says nothing.")
    ladder: str = Field(description="What the fixed order would have chosen; empty where nobody knows.")


class ExplanationView(View):
    """Why an incident went as it did."""

    summary: str
    incident: IncidentView
    decisions: list[DecisionView]
