"""What does Prometheus see?

Counters and histograms follow the events and observations; what the world already knows is read from it when somebody
asks, so that it costs nothing per event and cannot drift. What grows with the fleet is written by `fleet.py`; the few
series of the daemon itself are left to Prometheus' library. Every family is declared from the start. Labels are names
from the configuration and words of closed vocabularies, never an id, a text or an address.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, disable_created_metrics
from prometheus_client.exposition import choose_encoder
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from selfheal.clock import Clock
from selfheal.events import (
    AgentRemoved,
    AlertDelivered,
    AnomalySeen,
    BackupFailed,
    BackupMade,
    DataRestored,
    Diagnosed,
    Event,
    FixEnded,
    IncidentMerged,
    IncidentOpened,
    IncidentResolved,
    IncidentSuppressed,
    LoopFailed,
    PredictionEnded,
    PredictionLeft,
    StateDamaged,
    Verified,
    WorkDone,
)
from selfheal.kinds import Observation
from selfheal.telemetry.counters import PlainHistogram
from selfheal.telemetry.data import DataMetrics
from selfheal.telemetry.fleet import FAMILIES, FleetText
from selfheal.telemetry.foresight_metrics import ForesightMetrics
from selfheal.telemetry.learning import LearningMetrics
from selfheal.telemetry.models import ModelMetrics
from selfheal.telemetry.sharing import Shared
from selfheal.vitals import Vitals
from selfheal.vocabulary import Outcome
from selfheal.world import World

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

# Names of ours need no escaping; the other ways of doing it change them all the same, or in one format only.
_ESCAPING = re.compile(r"\bescaping=[\w-]+")


class Metrics:
    """The metrics of one daemon. Those of its agents are in `_fleet`, its own on a registry."""

    def __init__(self, world: Callable[[], World], vitals: Vitals, clock: Clock, version: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # else each counter has a second, unread series
        registry = self._registry = CollectorRegistry()
        Info("selfheal_build", "The version that runs.", registry=registry).info({"version": version})
        self._journal = Counter("selfheal_journal_events_total", "Events recorded.", registry=registry)
        self._check_duration = PlainHistogram("selfheal_check_duration_seconds", "How long a check ran.", CHECK_BUCKETS)
        registry.register(self._check_duration)
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
        self._foresight = ForesightMetrics(registry)
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
        self._data = DataMetrics(registry, world)
        self._damages = Counter("selfheal_state_damages_total", "Damaged state files found.", registry=registry)
        self._models = ModelMetrics(registry)
        self.learning = LearningMetrics(registry)
        _declare_what_comes_later(registry)
        ongoing = Gauge("selfheal_incidents_open", "Incidents that are not over.", registry=registry)
        ongoing.set_function(lambda: len(world().open_incidents()))
        for own in (ProcessCollector, PlatformCollector, GCCollector):
            own(registry=registry)
        self._fleet = FleetText(world, vitals, clock)
        self._clock = clock
        self._scrapes = Shared()
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
            case FixEnded(outcome=outcome) if outcome != "succeeded" and event.incident in world.incidents:
                self._ended.setdefault(event.incident, set()).add(event.attempt)
                self._on_outcome(event.incident, event.attempt, outcome, world)
            case Verified() if event.attempt not in self._ended.get(event.incident, ()):
                self._on_outcome(event.incident, event.attempt, event.outcome, world)
            case AnomalySeen(agent=agent):
                self._fleet.anomalies.add(agent, ())
            case PredictionEnded() | PredictionLeft() | WorkDone():
                self._foresight.on_event(event, world)
            case AlertDelivered(notifier=notifier, error=error):
                self._alerts.labels(notifier, "failed" if error else "delivered").inc()
            case LoopFailed(loop=loop):
                self._loop_failures.labels(loop if loop in self._loops else "task").inc()  # tasks carry ids
            case StateDamaged():
                self._damages.inc()
            case BackupMade() | BackupFailed() | DataRestored():
                self._data.on_event(event)
            case AgentRemoved(agent=agent):
                self.forget(agent)
            case _:
                self._models.on_event(event)  # the others show in the world

    def on_observation(self, seen: Observation) -> None:
        """Count a check that ran."""
        self._fleet.checks.add(seen.agent, (seen.check, seen.result))
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
        self._fleet.forget(agent)
        self._data.forget(agent)

    async def render(self, accept: str) -> tuple[bytes, str]:
        """Return everything in the format that the Accept header prefers, and its content type.

        Those who ask at the same time get the same page. Who is cancelled leaves nothing behind.
        """
        encode, content_type = choose_encoder(_ESCAPING.sub("escaping=underscores", accept))
        openmetrics = content_type.startswith("application/openmetrics-text")
        page = partial(self._page, encode, openmetrics=openmetrics)
        return await self._scrapes.get(content_type, page), content_type

    async def _page(self, encode: Callable[[CollectorRegistry], bytes], *, openmetrics: bool) -> bytes:
        pieces: list[bytes] = []
        for family, column in zip(FAMILIES, await self._fleet.columns(), strict=True):
            pieces += [family.head(openmetrics=openmetrics), *column]
        pieces.append(encode(self._registry))  # has the mark of the end
        await self._clock.sleep(0)
        return b"".join(pieces)

    def _on_known(
        self, event: Diagnosed | IncidentMerged | IncidentResolved | IncidentSuppressed, world: World
    ) -> None:
        """Count an incident once: under its first diagnosis, or, where it never had one, at its end."""
        new = event.incident in self._undiagnosed
        self._undiagnosed.discard(event.incident)
        incident = world.incidents.get(event.incident)
        if new and incident is not None and not isinstance(event, IncidentMerged):
            first = event.causes[0].slug if isinstance(event, Diagnosed) and event.causes else incident.cause
            self._fleet.incidents.add(incident.agent, first)
        if isinstance(event, IncidentResolved):
            self._recovery.observe(event.recovery_s)
        if not isinstance(event, Diagnosed):
            self._ended.pop(event.incident, None)

    def _on_outcome(self, incident: str, number: int, outcome: Outcome, world: World) -> None:
        attempts = world.incidents[incident].attempts if incident in world.incidents else ()
        attempt = next((one for one in attempts if one.number == number), None)
        if attempt is not None:
            self._fleet.recoveries.add(attempt.agent, (attempt.fix, outcome))


def _declare_what_comes_later(registry: CollectorRegistry) -> None:
    """Families that alert rules may name already, whose rooms have no events of their own yet."""
    Counter("selfheal_chaos_experiments_total", "Faults injected.", ("fault", "outcome"), registry=registry)
