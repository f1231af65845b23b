"""What does Prometheus see?

Counters and histograms follow the events and observations; what the world already knows is read from it when somebody
asks, so that it costs nothing per event and cannot drift. Every family is declared from the start. Labels are names
from the configuration and words of closed vocabularies, never an id, a text or an address.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from prometheus_client import CollectorRegistry, Counter, Histogram, Info, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from selfheal.clock import Clock
from selfheal.events import (
    AgentRemoved,
    AlertDelivered,
    AnomalySeen,
    Diagnosed,
    Event,
    FixEnded,
    IncidentMerged,
    IncidentOpened,
    IncidentResolved,
    IncidentSuppressed,
    LoopFailed,
    PredictionEnded,
    StateDamaged,
    Verified,
)
from selfheal.kinds import Observation
from selfheal.vitals import Vitals
from selfheal.vocabulary import AGENT_STATES, Outcome
from selfheal.world import Agent, World

# From a check on the same machine to the longest time-out that anyone sets.
CHECK_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
# A reflex takes milliseconds, a person hours; 60 s is what is promised, so it has an edge of its own.
RECOVERY_BUCKETS = (
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    20.0,
    30.0,
    60.0,
    120.0,
    300.0,
    3600.0,
)
LOOP_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
# A user's exporter may have thousands of series; they are better scraped there than here.
SIGNALS_PER_AGENT = 32


class Metrics:
    """The metrics of one daemon, on a registry of their own."""

    def __init__(self, world: Callable[[], World], vitals: Vitals, clock: Clock, version: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # else each counter has a second, unread series
        registry = self._registry = CollectorRegistry()
        Info("selfheal_build", "The version that runs.", registry=registry).info({"version": version})
        self._journal = Counter("selfheal_journal_events_total", "Events recorded.", registry=registry)
        self._checks = Counter(
            "selfheal_checks_total", "Checks that ran, by result.", ("agent", "check", "result"), registry=registry
        )
        self._check_duration = Histogram(
            "selfheal_check_duration_seconds", "How long a check ran.", buckets=CHECK_BUCKETS, registry=registry
        )
        self._incidents = Counter(
            "selfheal_incidents_total", "Incidents, by their first diagnosis.", ("agent", "cause"), registry=registry
        )
        self._recoveries = Counter(
            "selfheal_recoveries_total", "Fixes applied, by outcome.", ("agent", "fix", "outcome"), registry=registry
        )
        self._recovery = Histogram(
            "selfheal_recovery_seconds",
            "From the onset of an incident to the first good sign.",
            buckets=RECOVERY_BUCKETS,
            registry=registry,
        )
        self._detection = Histogram(
            "selfheal_detection_seconds",
            "From the onset of an incident to its opening.",
            buckets=RECOVERY_BUCKETS,
            registry=registry,
        )
        self._anomalies = Counter("selfheal_anomalies_total", "Anomalies seen.", ("agent",), registry=registry)
        self._predictions = Counter(
            "selfheal_prediction_outcomes_total", "How predictions ended.", ("outcome",), registry=registry
        )
        self._loop_duration = Histogram(
            "selfheal_loop_duration_seconds", "One run of a loop.", ("loop",), buckets=LOOP_BUCKETS, registry=registry
        )
        self._loop_lag = Histogram(
            "selfheal_loop_lag_seconds", "How late a run of a loop began.", buckets=LOOP_BUCKETS, registry=registry
        )
        self._loop_failures = Counter(
            "selfheal_loop_failures_total", "Runs of a loop or task that raised.", ("loop",), registry=registry
        )
        self._alerts = Counter(
            "selfheal_alert_deliveries_total",
            "Tries to deliver an alert: delivered, retried later, or failed for good.",
            ("notifier", "outcome"),
            registry=registry,
        )
        self._damages = Counter("selfheal_state_damages_total", "Damaged state files found.", registry=registry)
        _declare_what_comes_later(registry)
        registry.register(_FromWorld(world, vitals, clock))
        for own in (ProcessCollector, PlatformCollector, GCCollector):
            own(registry=registry)
        for outcome in ("happened", "averted", "withdrawn"):
            self._predictions.labels(outcome)
        self._loops: set[str] = set()
        self._undiagnosed: set[str] = set()
        self._ended: dict[str, set[int]] = {}

    def on_event(self, seq: int, event: Event, world: World) -> None:
        """Count an event. `world` is the world after it, or a later one."""
        self._journal.inc()
        match event:
            case IncidentOpened(incident=incident):
                self._undiagnosed.add(incident)
                self._detection.observe(max(0.0, event.at - event.onset))
            case Diagnosed() | IncidentMerged() | IncidentResolved() | IncidentSuppressed():
                self._on_known(event, world)
            case FixEnded(outcome=outcome) if outcome != "succeeded":
                self._ended.setdefault(event.incident, set()).add(event.attempt)
                self._on_outcome(event.incident, event.attempt, outcome, world)
            case Verified() if event.attempt not in self._ended.get(event.incident, ()):
                self._on_outcome(event.incident, event.attempt, event.outcome, world)
            case AnomalySeen(agent=agent):
                self._anomalies.labels(agent).inc()
            case PredictionEnded(outcome=ended):
                self._predictions.labels(ended).inc()
            case AlertDelivered(notifier=notifier, error=error):
                self._alerts.labels(notifier, "failed" if error else "delivered").inc()
            case LoopFailed(loop=loop):
                self._loop_failures.labels(loop if loop in self._loops else "task").inc()  # tasks carry ids
            case StateDamaged():
                self._damages.inc()
            case AgentRemoved(agent=agent):
                self.forget(agent)
            case _:
                pass  # the other events show in the world

    def on_observation(self, seen: Observation) -> None:
        """Count a check that ran."""
        self._checks.labels(seen.agent, seen.check, seen.result).inc()
        self._check_duration.observe(seen.took_s)

    def on_loop(self, name: str, took_s: float, lag_s: float) -> None:
        """Count a run of a loop."""
        self._loops.add(name)
        self._loop_duration.labels(name).observe(took_s)
        self._loop_lag.observe(lag_s)

    def on_retry(self, notifier: str) -> None:
        """Count a try to deliver an alert that failed and will be repeated; not each of them is an event."""
        self._alerts.labels(notifier, "retried").inc()

    def forget(self, agent: str) -> None:
        """Drop the series of an agent that is no longer there."""
        for family in (self._checks, self._incidents, self._recoveries, self._anomalies):
            family.remove_by_labels({"agent": agent})

    def render(self, accept: str) -> tuple[bytes, str]:
        """Return everything in the format that the Accept header prefers, and its content type."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def _on_known(
        self, event: Diagnosed | IncidentMerged | IncidentResolved | IncidentSuppressed, world: World
    ) -> None:
        """Count an incident once: under its first diagnosis, or, where it never had one, at its end."""
        new = event.incident in self._undiagnosed
        self._undiagnosed.discard(event.incident)
        incident = world.incidents.get(event.incident)
        if new and incident is not None and not isinstance(event, IncidentMerged):
            first = event.causes[0].slug if isinstance(event, Diagnosed) and event.causes else incident.cause
            self._incidents.labels(incident.agent, first).inc()
        if isinstance(event, IncidentResolved):
            self._recovery.observe(event.recovery_s)
        if not isinstance(event, Diagnosed):
            self._ended.pop(event.incident, None)

    def _on_outcome(self, incident: str, number: int, outcome: Outcome, world: World) -> None:
        attempts = world.incidents[incident].attempts if incident in world.incidents else ()
        attempt = next((one for one in attempts if one.number == number), None)
        if attempt is not None:
            self._recoveries.labels(attempt.agent, attempt.fix, outcome).inc()


def _declare_what_comes_later(registry: CollectorRegistry) -> None:
    """Families that alert rules may name already, whose rooms have no events of their own yet."""
    Counter("selfheal_llm_requests_total", "Questions to a language model.", ("provider", "outcome"), registry=registry)
    Counter("selfheal_llm_tokens_total", "Tokens sent to and had from language models.", registry=registry)
    Counter("selfheal_chaos_experiments_total", "Faults injected.", ("fault", "outcome"), registry=registry)


class _FromWorld(Collector):
    """What is read from the world and the vitals when it is asked for."""

    def __init__(self, world: Callable[[], World], vitals: Vitals, clock: Clock) -> None:
        self._world = world
        self._vitals = vitals
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        world = self._world()
        yield from _of_agents(world)
        yield from _of_foresight(world, self._clock.now())
        yield _of_signals(world, self._vitals)
        incidents = len(world.open_incidents())
        yield GaugeMetricFamily("selfheal_incidents_open", "Incidents that are not over.", incidents)


def _of_agents(world: World) -> Iterator[Metric]:
    states = GaugeMetricFamily(
        "selfheal_agent_state", "1 for the state that the agent is in, 0 for the others.", labels=("agent", "state")
    )
    up = GaugeMetricFamily("selfheal_agent_up", "Whether the agent is healthy or degraded.", labels=("agent",))
    broken = GaugeMetricFamily("selfheal_breaker_open", "Whether it is not restarted any more.", labels=("agent",))
    restarts = CounterMetricFamily("selfheal_agent_restarts_total", "Restarts, but a person's.", labels=("agent",))
    for agent in world.agents.values():
        for state in AGENT_STATES:
            states.add_metric((agent.name, state), agent.state == state)
        up.add_metric((agent.name,), _up(agent))
        broken.add_metric((agent.name,), agent.breaker.state == "open")
        restarts.add_metric((agent.name,), agent.restarts)
    yield from (states, up, broken, restarts)


def _up(agent: Agent) -> bool:
    return agent.state in ("healthy", "degraded")


def _of_foresight(world: World, now: float) -> Iterator[Metric]:
    labels = ("agent", "mode")
    probability = GaugeMetricFamily(
        "selfheal_failure_probability", "Of reaching the limit within the horizon.", labels=labels
    )
    eta = GaugeMetricFamily(
        "selfheal_failure_eta_seconds", "Time left until the limit is reached, as foreseen.", labels=labels
    )
    for (name, mode), foreseen in world.foresight.predictions.items():
        if name in world.agents:
            probability.add_metric((name, mode), foreseen.probability)
            eta.add_metric((name, mode), max(0.0, foreseen.at + foreseen.eta_s - now))
    yield from (probability, eta)
    worst = dict.fromkeys(world.agents, 0.0)
    for anomaly in world.foresight.anomalies.values():
        if anomaly.over_at is None and anomaly.seen.agent in worst:
            worst[anomaly.seen.agent] = max(worst[anomaly.seen.agent], anomaly.seen.score)
    scores = GaugeMetricFamily("selfheal_anomaly_score", "The strongest anomaly that lasts, 0 to 1.", labels=("agent",))
    for name, score in worst.items():
        scores.add_metric((name,), score)
    yield scores


def _of_signals(world: World, vitals: Vitals) -> Metric:
    family = GaugeMetricFamily("selfheal_signal", "The latest value of a signal.", labels=("agent", "signal"))
    for name in world.agents:
        for signal, value in islice(sorted(vitals.signals(name).items()), SIGNALS_PER_AGENT):
            family.add_metric((name, signal), value)
    return family
