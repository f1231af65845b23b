"""Our text beside that which Prometheus' library writes for the same numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text
from prometheus_client.registry import Collector

from selfheal.events import AgentRemoved, AnomalySeen, BreakerOpened, FailurePredicted
from selfheal.kinds import Observation
from selfheal.telemetry.metrics import CHECK_BUCKETS
from selfheal.vocabulary import AGENT_STATES, CHECK_RESULTS
from tests.real.metering import Bench, up

NAMES = ("api", "worker:2", 'quo"ted', "back\\slash", "line\nbreak", "per%cent", "$", "größe", "{a=b,c}", "雪", "nan")
NUMBERS = (0.0, -0.0, 1.5, 1e-9, 123456789.0, 1e22, 1.7976931348623157e308, -7e6, math.inf, -math.inf, math.nan)
TOOK_S = (0.0, 0.001, 0.0011, 0.25, 29.9, 30.0, 30.1, 1e9)
FORMATS = ("", "application/openmetrics-text; version=1.0.0", "text/plain; version=1.0.0; escaping=underscores")

Read = Callable[[str], Iterable[Metric]]


class Shown(NamedTuple):
    """A family as it is read: its samples by name, labels and number, spelled so that NaN equals NaN."""

    kind: str
    documentation: str
    samples: frozenset[tuple[str, frozenset[tuple[str, str]], str]]


def _read(page: str, read: Read) -> dict[str, Shown]:
    return {
        family.name: Shown(
            family.type,
            family.documentation,
            frozenset((one.name, frozenset(one.labels.items()), repr(float(one.value))) for one in family.samples),
        )
        for family in read(page)
    }


def _awkward() -> Bench:
    bench = Bench()
    for at, name in enumerate(NAMES):
        bench.tell(*up(name), AnomalySeen(2.0, f"ano-{at}", name, "rss", 2.0, 1.0, 0.1 * at))
        bench.tell(FailurePredicted(3.0, name, "out_of_memory", "rss", 0.5, 2e3 * at, 0.0, 0.0, 1.0, 2.0, 0.01))
        bench.vitals.put_signals(name, dict(zip(NAMES, NUMBERS[at:] + NUMBERS[:at], strict=True)))
        for number, took_s in enumerate(TOOK_S[: at + 1]):
            result = CHECK_RESULTS[number % len(CHECK_RESULTS)]
            bench.metrics.on_observation(Observation(name, NAMES[-at], 4.0, took_s, result))
    bench.tell(BreakerOpened(5.0, "$", "restart", 35.0, "too many"))
    bench.world = replace(
        bench.world,
        agents={name: replace(agent, restarts=10**at) for at, (name, agent) in enumerate(bench.world.agents.items())},
    )
    return bench


class Reference(Collector):
    """The families of agents, made with the library's own means."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def collect(self) -> Iterator[Metric]:
        agents = list(self._bench.world.agents.values())
        state = GaugeMetricFamily(
            "selfheal_agent_state", "1 for the state that the agent is in, 0 for the others.", labels=("agent", "state")
        )
        up = GaugeMetricFamily("selfheal_agent_up", "Whether the agent is healthy or degraded.", labels=("agent",))
        broken = GaugeMetricFamily("selfheal_breaker_open", "Whether it is not restarted any more.", labels=("agent",))
        restarts = CounterMetricFamily("selfheal_agent_restarts", "Restarts, but a person's.", labels=("agent",))
        for agent in agents:
            for one in AGENT_STATES:
                state.add_metric((agent.name, one), agent.state == one)
            up.add_metric((agent.name,), agent.state in ("healthy", "degraded"))
            broken.add_metric((agent.name,), agent.breaker.state == "open")
            restarts.add_metric((agent.name,), agent.restarts)
        yield from (state, up, broken, restarts, *self._foreseen(), self._signals())

    def _foreseen(self) -> Iterator[Metric]:
        known = self._bench.world.foresight
        labels = ("agent", "mode")
        chance = GaugeMetricFamily("selfheal_failure_probability", "Of that failure within its horizon.", labels=labels)
        eta = GaugeMetricFamily(
            "selfheal_failure_eta_seconds", "Time left until the limit is reached, as foreseen.", labels=labels
        )
        for key, one in known.predictions.items():
            chance.add_metric(key, one.probability)
            eta.add_metric(key, max(0.0, one.at + one.eta_s - 1000.0))
        score = GaugeMetricFamily(
            "selfheal_anomaly_score", "The strongest anomaly that lasts, 0 to 1.", labels=("agent",)
        )
        for anomaly in self._bench.world.anomalies.known.values():
            score.add_metric((anomaly.seen.agent,), anomaly.seen.score)
        yield from (chance, eta, score)

    def _signals(self) -> Metric:
        family = GaugeMetricFamily("selfheal_signal", "The latest value of a signal.", labels=("agent", "signal"))
        for name in self._bench.world.agents:
            for signal, value in self._bench.vitals.signals(name).items():
                family.add_metric((name, signal), value)
        return family


def _reference(bench: Bench) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(Reference(bench))
    labels = ("agent", "check", "result")
    checks = Counter("selfheal_checks", "Checks that ran, by result.", labels, registry=registry)
    Counter("selfheal_incidents", "Incidents, by their first diagnosis.", ("agent", "cause"), registry=registry)
    Counter("selfheal_recoveries", "Fixes applied, by outcome.", ("agent", "fix", "outcome"), registry=registry)
    anomalies = Counter("selfheal_anomalies", "Anomalies seen.", ("agent",), registry=registry)
    took = Histogram(
        "selfheal_check_duration_seconds", "How long a check ran.", buckets=CHECK_BUCKETS, registry=registry
    )
    for at, name in enumerate(NAMES):
        anomalies.labels(name).inc()
        for number, took_s in enumerate(TOOK_S[: at + 1]):
            checks.labels(name, NAMES[-at], CHECK_RESULTS[number % len(CHECK_RESULTS)]).inc()
            took.observe(took_s)
    return registry


@pytest.mark.parametrize("accept", FORMATS)
def test_the_library_reads_in_our_text_what_it_reads_in_its_own(accept: str) -> None:
    bench = _awkward()
    encode, content_type = choose_encoder(accept)
    read: Read = read_openmetrics if "openmetrics" in content_type else read_text
    ours = _read(bench.page(accept), read)
    wanted = _read(encode(_reference(bench)).decode(), read)
    assert {name: ours.get(name) for name in wanted} == wanted
    assert sum(len(family.samples) for family in wanted.values()) > len(NAMES) * (len(NUMBERS) + len(AGENT_STATES))


@pytest.mark.parametrize("accept", FORMATS)
def test_a_page_that_was_kept_in_parts_is_the_page_that_is_written_anew(accept: str) -> None:
    bench, other = _awkward(), _awkward()
    bench.page(accept)
    for each in (bench, other):
        each.vitals.put_signals("$", {"rss": 5.0, "nan": 6.0})
        each.metrics.on_observation(Observation("nan", "http", 9.0, 0.1, "ok"))
        each.tell(*up("late"), AgentRemoved(9.0, "雪"), BreakerOpened(9.0, "api", "restart", 39.0, "too many"))
    kept, anew = (
        [line for line in each.page(accept).splitlines() if line.startswith("selfheal_")] for each in (bench, other)
    )
    assert kept == anew
    assert not any('agent="雪"' in line for line in kept)


@pytest.mark.parametrize("accept", FORMATS)
def test_every_family_stands_together_under_its_own_head(accept: str) -> None:
    """Prometheus takes the rest of a family for another one where something stands between its lines."""
    heads: list[str] = []
    for line in _awkward().page(accept).splitlines():
        if line.startswith("# TYPE"):
            heads.append(line.split()[2])
        elif not line.startswith("#"):
            assert line.startswith(heads[-1])
    assert len(heads) == len(set(heads))
