"""How are agents, and the daemon as a whole, shown?"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from selfheal.serve.models.anomalies import AnomalyView
from selfheal.serve.models.base import Interval, Probability, Seconds, Time, View
from selfheal.serve.models.foresight import PredictionView
from selfheal.serve.models.incidents import IncidentView
from selfheal.vocabulary import AgentState, BreakerState, CheckResult, FleetStatus, Layer, StandbyKind


class CheckView(View):
    """A check of an agent as it stands."""

    name: str = Field(examples=["http"])
    ok: bool | None = Field(description="The verdict after hysteresis; null before there is one.", examples=[True])
    result: CheckResult | None = Field(None, description="What it saw last.")
    reason: str = Field("", description="Why it failed.", examples=["no answer within 2 s"])
    since: Time | None = Field(None, description="The first of the equal results in a row.")
    streak: int = Field(0, description="Equal results in a row.")
    flapping: bool = Field(False, description="It keeps changing between well and failed.")
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


class UptimesView(UptimeView):
    """All of it, and its share over the last day, week, 30 and 90 days: null where nothing was counted."""

    last_24h: Probability | None = Field(None, serialization_alias="24h")
    last_7d: Probability | None = Field(None, serialization_alias="7d")
    last_30d: Probability | None = Field(None, serialization_alias="30d")
    last_90d: Probability | None = Field(None, serialization_alias="90d")


class QuantilesView(View):
    """How long answers took, within 2 %: half of them, 95 % and 99 % took no longer."""

    p50: Seconds
    p95: Seconds
    p99: Seconds


class LatencyView(View):
    """Latency over the last day, week, 30 and 90 days: null where nothing was measured."""

    last_24h: QuantilesView | None = Field(None, serialization_alias="24h")
    last_7d: QuantilesView | None = Field(None, serialization_alias="7d")
    last_30d: QuantilesView | None = Field(None, serialization_alias="30d")
    last_90d: QuantilesView | None = Field(None, serialization_alias="90d")


class StandbyView(View):
    """What stands by to be the next run of an agent."""

    kind: StandbyKind
    ready: bool
    pid: int | None
    rss: int = Field(description="Bytes, when it became ready; a zygote shares them with the runs that it forks.")
    why: str = Field(description="Why there is none; empty where one is ready or on its way.", examples=[""])


class StrangenessView(View):
    """How strange an agent is now: something to look at, because of which nothing is done."""

    score: Probability = Field(description="One half is where it hardly ever was, or where an anomaly begins.")
    by: Literal["forest", "statistics"] = Field(
        description="`forest`: all of its signals together have a say; `statistics`: each of them alone."
    )
    why: str = Field(description="Why no forest has a say; empty where one has.", examples=[""])
    features: list[str] = Field(
        description="What is furthest outside of what was learned, by the forest.", examples=[["rss.slope"]]
    )
    at: Time | None = Field(description="When the forest was asked, or it was seen that there is none.")


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
    ordered_by: str = Field(description="Who stopped or started it last; empty where no person did.")
    ordered_at: Time | None
    paused: bool = Field(description="Nobody but a person acts on it.")
    depends_on: list[str]
    waits_for: list[str] = Field(description="What must be ready before it is started.")
    checks: list[CheckView]
    signals: dict[str, float | None] = Field(examples=[{"cpu": 0.12, "rss": 41_000_000}])
    risk: Probability = Field(description="Highest probability of a failure that is foreseen.")
    strangeness: StrangenessView
    breaker: BreakerView = Field(description="The breaker of its restart.")
    breakers: dict[str, BreakerView] = Field(description="By fix; closed ones are left out.")
    uptime: UptimeView
    incident: str | None = Field(description="The open incident from which it suffers.")
    last_exit: ExitView | None
    next_start_at: Time | None = Field(description="When its delayed restart is due.")
    next_run: Time | None = Field(description="When the next run is due of an agent that has a schedule.")
    maintenance_until: Time | None
    memory_limit: int | None = Field(description="Bytes.")
    fds_limit: int | None
    standby: StandbyView | None = Field(description="Null where none is configured.")
    held_for: str | None = Field(description="Whose data are put right while this agent must not write them.")
    data: DataView | None = Field(description="Of an agent of the data layer.")


class DataView(View):
    """What there is to fall back on of an agent that is data."""

    backup: str = Field(description="The newest backup that counts; empty where there is none.")
    backup_at: Time | None
    taken_at: Time | None = Field(description="What was written before it is in that backup.")
    proved_at: Time | None = Field(description="When a backup was last restored to a scratch place and proved.")
    failure: str = Field(description="Why the latest backup could not be made; empty where it was.")
    restored_at: Time | None = Field(description="When the data were last put back, or salvaged.")
    restored_from: str
    lost_seconds: Seconds | None = Field(description="What was lost by that, in seconds before the last write.")
    lost: dict[str, float]
    aside: str = Field(description="Where the data of before are kept.")


class AgentDetail(AgentView):
    """An agent with everything that concerns it."""

    uptime: UptimesView
    latency: LatencyView
    dependents: list[str]
    incidents: list[IncidentView] = Field(description="From which it suffers or suffered, newest first, at most 20.")
    predictions: list[PredictionView]
    anomalies: list[AnomalyView]


class SignalsView(View):
    """The latest value of each signal of an agent."""

    agent: str
    signals: dict[str, float | None]


class BucketView(View):
    """What a signal was from `at` on, until the next bucket begins."""

    at: Time
    count: int = Field(description="How many points.")
    mean: float | None
    min: float | None
    max: float | None


class HistoryView(View):
    """A signal over time. Buckets without a point are left out."""

    agent: str
    signal: str = Field(examples=["latency"])
    since: Time
    until: Time
    grain: Literal["raw", "minutes", "hours"] = Field(
        description="What it was made from; what is older than that reaches is coarser."
    )
    items: list[BucketView]


class Log(View):
    """The last lines of an agent's output, or of the daemon's log."""

    items: list[str] = Field(examples=[["listening on port 9000"]])
    cursor: str = Field(description="Ask with it for what was written since.")


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
    """Incidents: those that are not over, and those that opened within a day and were not suppressed."""

    open: int
    last_24h: int


class SpeakerView(View):
    """The model that says how likely a failure of a mode is, and why that one."""

    model: str
    why: str


class PredictionCounts(View):
    """Failures foreseen; high risk begins at a probability of 0.7."""

    total: int
    high_risk: int
    by: dict[str, int] = Field({}, description="How many are foreseen by which model.")
    speakers: dict[str, SpeakerView] = Field(
        {}, description="Which model says how likely a failure of a mode is, of those that can be learned."
    )


class AnomalyCounts(View):
    """Anomalies: those that last, and those that were seen within an hour."""

    open: int
    last_hour: int
    by: dict[str, int] = Field(description="How many agents are judged by a forest, and how many by statistics alone.")
    why: dict[str, int] = Field(
        description="Why there is no forest, and of how many agents; the most frequent reasons."
    )


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
    trouble: str | None = Field(description="Why what happens cannot be saved now; null when all is well.")
    agents: AgentCounts
    incidents: IncidentCounts
    predictions: PredictionCounts
    anomalies: AnomalyCounts
    recovery: RecoveryView
    scorecard: dict[str, Figure]
    loops: dict[str, LoopView]
    alerts: list[AlertView] = Field(description="The latest alerts, newest first.")


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


class OrderDone(Done):
    """An order to several agents that was carried out."""

    agents: list[str] = Field(description="Those that it was given to.", examples=[["api:0", "api:1"]])


class NotReady(View):
    """An agent that did not get ready after its restart."""

    agent: str
    why: str


class ReloadDone(Done):
    """What became of another configuration. Lists of agents are by name, of settings by dotted key."""

    added: list[str] = Field(description="New, and being started.")
    removed: list[str] = Field(description="Stopped, and no longer known.")
    restarted: list[str] = Field(description="What starts them has changed: they have another process.")
    changed: list[str] = Field(description="They have taken the change as they run.")
    unchanged: list[str]
    failed: list[NotReady] = Field(description="Not ready after their restart.")
    left: list[str] = Field(description="Left with their process, because another instance of theirs has failed.")
    settings: list[str] = Field(description="Settings that have changed.", examples=[["guard.dry_run"]])
    pending: list[str] = Field(description="Settings that need a restart of the daemon.", examples=[["daemon.listen"]])


class Health(View):
    """The daemon works."""

    status: Literal["ok"] = "ok"
