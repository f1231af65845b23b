"""What does each answer look like?

The shapes of the API, which are also its documentation. Times are RFC 3339 in UTC, durations seconds, sizes bytes; None
means that there is none or that it is not known, never zero.
"""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from selfheal.vocabulary import (
    AgentState,
    BreakerState,
    CheckResult,
    FailureMode,
    FleetStatus,
    IncidentState,
    Layer,
    Outcome,
)

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"}, examples=["2026-01-02T03:04:05.678Z"])]
Seconds = Annotated[float, Field(description="Seconds.", examples=[0.9])]
Probability = Annotated[float, Field(ge=0, le=1, examples=[0.9])]
Interval = Annotated[tuple[float, float], Field(description="Interval of 95 %.", examples=[(0.71, 0.97)])]

T = TypeVar("T")


class View(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(frozen=True)


class Items(View, Generic[T]):
    """A list. `total` counts all that match, of which `items` are the newest where `limit` cuts."""

    items: list[T]
    total: int = Field(description="All that match; more than there are items where `limit` cut them.", examples=[1])


# --- agents --------------------------------------------------------------------------------------------------------


class CheckView(View):
    """A check of an agent as it stands."""

    name: str = Field(examples=["http"])
    ok: bool | None = Field(description="The verdict after hysteresis; null before there is one.", examples=[True])
    result: CheckResult | None = Field(None, description="What it saw last.")
    reason: str = Field("", description="Why it failed.", examples=["no answer within 2 s"])
    since: Time | None = Field(None, description="The first of the equal results in a row.")
    streak: int = Field(0, description="Equal results in a row.")
    last_run: Time | None = None
    took_seconds: Seconds | None = None


class BreakerView(View):
    """The circuit breaker of one fix: open means that it is not repeated before `retry_at`."""

    state: BreakerState
    opened: int = Field(0, description="Openings in a row; each lasts twice as long.")
    retry_at: Time | None = None
    why: str = ""


class ExitView(View):
    """How the latest run of a process ended. Code and signal are both null where they cannot be known."""

    at: Time
    code: int | None
    signal: int | None
    ran_seconds: Seconds
    expected: bool = Field(description="We stopped it.")


class UptimeView(View):
    """Seconds healthy over seconds wanted up."""

    ratio: Probability | None
    healthy_seconds: Seconds
    wanted_seconds: Seconds


class AgentView(View):
    """A thing that is watched and healed."""

    name: str = Field(examples=["api:0"])
    kind: str = Field(examples=["process"])
    layer: Layer
    state: AgentState
    since: Time | None = Field(description="When it came into this state.")
    reason: str = Field(description="Why it is in this state, in words; empty where it is well.", examples=[""])
    pid: int | None = Field(examples=[4711])
    started_at: Time | None
    restarts: int = Field(description="Without those that a person wanted.", examples=[2])
    wanted: bool = Field(description="False after a person stopped it.")
    paused: bool = Field(description="Nobody but a person acts on it.")
    depends_on: list[str]
    checks: list[CheckView]
    signals: dict[str, float | None] = Field(examples=[{"cpu": 0.12, "rss": 41_000_000}])
    risk: Probability = Field(description="Highest probability of a failure that is foreseen.")
    breaker: BreakerView = Field(description="The breaker of its restart.")
    breakers: dict[str, BreakerView] = Field(description="By fix; closed ones are left out.")
    uptime: UptimeView
    incident: str | None = Field(description="The open incident from which it suffers.")
    last_exit: ExitView | None
    next_start_at: Time | None = Field(description="When its delayed restart is due.")
    maintenance_until: Time | None
    memory_limit: int | None = Field(description="Bytes.")
    fds_limit: int | None


# --- incidents -----------------------------------------------------------------------------------------------------


class AttemptView(View):
    """One application of a fix. `verified` says that the outcome is the final one."""

    number: int
    fix: str = Field(examples=["restart"])
    layer: Layer
    agent: str
    cause: str
    reflex: bool
    started_at: Time
    ended_at: Time | None
    outcome: Outcome | None
    verified: bool
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


# --- what is learned -----------------------------------------------------------------------------------------------


class RateView(View):
    """How likely a fix helps against a cause on an agent, and what that rests on."""

    agent: str
    cause: str
    fix: str
    helped: int
    failed: int
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
    tried: int


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


# --- what is foreseen ----------------------------------------------------------------------------------------------


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


# --- the whole -----------------------------------------------------------------------------------------------------


class Figure(View):
    """A measured figure: null where nothing was counted yet."""

    value: float | None
    count: int
    interval: Interval | None


class AgentCounts(View):
    """How many agents there are, and how many in each state: as a table, and by name for those who look for one."""

    total: int
    by_state: dict[AgentState, int]
    starting: int
    healthy: int
    degraded: int
    unhealthy: int
    recovering: int
    quarantined: int
    stopped: int
    maintenance: int


class IncidentCounts(View):
    """Incidents: those that are not over, and those that opened within a day."""

    open: int
    last_24h: int


class PredictionCounts(View):
    """Failures foreseen; high risk begins at a probability of 0.7."""

    total: int
    high_risk: int


class AnomalyCounts(View):
    """Anomalies: those that last, and those that were seen within an hour."""

    open: int
    last_hour: int


class RecoveryView(View):
    """How the kept incidents ended. Shares are null where nothing was counted."""

    count: int = Field(description="Incidents that a verified fix ended.")
    p50_seconds: Seconds | None
    p95_seconds: Seconds | None
    success_rate: Probability | None = Field(description="Share of the judged attempts that helped.")


class LoopView(View):
    """How a loop of the daemon is doing."""

    last_run: Time | None
    duration: Seconds
    lag: Seconds = Field(description="How late its latest run began.")
    runs: int
    failures: int
    down: bool
    error: str


class Summary(View):
    """Everything at a glance."""

    status: FleetStatus
    version: str
    at: Time
    started_at: Time | None
    uptime_seconds: Seconds
    ready: bool
    paused: bool
    dry_run: bool
    trouble: str | None = Field(description="Why nothing can be made durable now.")
    agents: AgentCounts
    incidents: IncidentCounts
    predictions: PredictionCounts
    anomalies: AnomalyCounts
    recovery: RecoveryView
    scorecard: dict[str, Figure]
    loops: dict[str, LoopView]
    alerts: list[AlertView] = Field(description="The latest alerts, newest first.")


class AlertView(View):
    """Something that a person should know."""

    at: Time
    key: str
    severity: Literal["info", "warning", "critical"]
    title: str
    text: str
    agent: str
    incident: str | None
    resolved: bool


class AgentDetail(AgentView):
    """An agent with everything that concerns it."""

    dependents: list[str]
    incidents: list[IncidentView] = Field(description="From which it suffers or suffered, newest first, at most 20.")
    predictions: list[PredictionView]
    anomalies: list[AnomalyView]


class SignalsView(View):
    """The latest value of each signal of an agent."""

    agent: str
    signals: dict[str, float | None]


class Log(View):
    """The last lines of an agent's output, as it wrote them."""

    items: list[str] = Field(examples=[["listening on port 9000"]])
    cursor: str = Field(description="Ask with it for what was written since.")


class Experiment(View):
    """An injected fault with its measured recovery."""

    fault: str
    target: str
    state: str


class Done(View):
    """An order that was carried out."""

    done: str = Field(examples=["restart"])
    target: str | None = Field(description="The agent or incident; null means all.", examples=["api:0"])
    message: str = Field(examples=["api:0: restarted"])


class Health(View):
    """The daemon works."""

    status: Literal["ok"] = "ok"


Summary.model_rebuild()
