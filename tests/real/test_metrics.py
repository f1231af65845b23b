from __future__ import annotations

import asyncio
import shutil
import subprocess
from dataclasses import replace

import pytest

from selfheal.events import (
    AgentRemoved,
    AlertDelivered,
    AnomalyOver,
    BreakerOpened,
    IncidentMerged,
    IncidentOpened,
    IncidentResolved,
    PredictionEnded,
    PredictionLeft,
    WorkDone,
    WorkPlanned,
)
from selfheal.kinds import Observation
from selfheal.vitals import Strangeness
from selfheal.vocabulary import AGENT_STATES
from tests.real.metering import Bench, busy, up

PROMISED = {
    "selfheal_build_info": "gauge",
    "selfheal_agent_state": "gauge",
    "selfheal_agent_up": "gauge",
    "selfheal_agent_restarts_total": "counter",
    "selfheal_check_duration_seconds": "histogram",
    "selfheal_checks_total": "counter",
    "selfheal_incidents_total": "counter",
    "selfheal_incidents_open": "gauge",
    "selfheal_recoveries_total": "counter",
    "selfheal_recovery_seconds": "histogram",
    "selfheal_detection_seconds": "histogram",
    "selfheal_anomaly_score": "gauge",
    "selfheal_anomalies_total": "counter",
    "selfheal_failure_probability": "gauge",
    "selfheal_failure_eta_seconds": "gauge",
    "selfheal_prediction_outcomes_total": "counter",
    "selfheal_maintenance_total": "counter",
    "selfheal_predictions_left_alone_total": "counter",
    "selfheal_breaker_open": "gauge",
    "selfheal_loop_duration_seconds": "histogram",
    "selfheal_loop_lag_seconds": "histogram",
    "selfheal_llm_requests_total": "counter",
    "selfheal_llm_tokens_total": "counter",
    "selfheal_ml_trainings_total": "counter",
    "selfheal_ml_models_refused_total": "counter",
    "selfheal_ml_models": "gauge",
    "selfheal_chaos_experiments_total": "counter",
    "selfheal_signal": "gauge",
    "selfheal_journal_events_total": "counter",
}


def test_every_promised_family_has_its_type_and_help_from_the_start() -> None:
    lines = Bench().page().splitlines()
    types = dict(line.split()[2:4] for line in lines if line.startswith("# TYPE"))
    assert PROMISED.items() <= types.items()
    helped = {line.split()[2] for line in lines if line.startswith("# HELP") and len(line.split()) > 3}
    assert set(types) <= helped


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
@pytest.mark.parametrize("bench", [Bench, busy])
def test_promtool_finds_nothing(bench: type[Bench]) -> None:
    page = bench().page().encode()
    done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_the_score_of_an_agent_is_that_of_its_anomalies_or_of_its_forest_whichever_is_higher() -> None:
    bench = busy()
    for score, shown in ((None, 0.75), (0.2, 0.75), (0.9, 0.9)):
        bench.vitals.put_strangeness("api", Strangeness(1000.0, score))
        assert bench.value("selfheal_anomaly_score", agent="api") == shown


def test_what_the_world_knows_is_shown_as_it_is_now() -> None:
    bench = busy()
    states = {state: bench.value("selfheal_agent_state", agent="api", state=state) for state in AGENT_STATES}
    assert states == {state: float(state == "healthy") for state in AGENT_STATES}
    assert bench.value("selfheal_agent_up", agent="api") == 1.0
    assert bench.value("selfheal_incidents_open") == 0.0
    assert bench.value("selfheal_anomaly_score", agent="api") == 0.75
    assert bench.value("selfheal_failure_probability", agent="api", mode="out_of_memory") == 0.8
    assert bench.value("selfheal_failure_eta_seconds", agent="api", mode="out_of_memory") == 90.0
    assert bench.value("selfheal_signal", agent="api", signal="queue_depth") == 3.0
    assert bench.value("selfheal_build_info", version="1.2.3") == 1.0
    bench.tell(
        AnomalyOver(995.0, "ano-1"),
        PredictionEnded(995.0, "api", "out_of_memory", "averted"),
        BreakerOpened(996.0, "api", "restart", 1026.0, "too many"),
        WorkPlanned(996.0, "work-1", "api", "restart", 996.0, "rss grows"),
        WorkDone(997.0, "work-1", "succeeded", "done", "done"),
        PredictionLeft(998.0, "api", "out_of_fds", 0.9, 0.05, "it is safe"),
    )
    assert bench.value("selfheal_maintenance_total", action="restart", state="done") == 1.0
    assert bench.value("selfheal_predictions_left_alone_total") == 1.0
    assert bench.value("selfheal_anomaly_score", agent="api") == 0.0
    assert bench.value("selfheal_failure_probability", agent="api", mode="out_of_memory") is None
    assert bench.value("selfheal_prediction_outcomes_total", outcome="averted") == 1.0
    assert bench.value("selfheal_breaker_open", agent="api") == 1.0
    assert bench.value("selfheal_agent_up", agent="api") == 0.0


def test_an_incident_is_counted_once_under_its_first_diagnosis() -> None:
    bench = busy()
    counted = {key: value for key, value in bench.samples().items() if key[0] == "selfheal_incidents_total"}
    assert counted == {("selfheal_incidents_total", frozenset({("agent", "api"), ("cause", "hung")})): 1.0}
    bench.tell(
        IncidentOpened(100.0, "inc-2", "api", "exit", "exited", 100.0),
        IncidentResolved(101.0, "inc-2", "well", 0.01),
        IncidentOpened(200.0, "inc-3", "api", "exit", "exited", 200.0),
        IncidentMerged(201.0, "inc-3", "inc-2", "the same"),
    )
    assert bench.value("selfheal_incidents_total", agent="api", cause="unknown") == 1.0
    assert bench.value("selfheal_recovery_seconds_count") == 2.0


def test_an_attempt_is_counted_once_with_its_verified_outcome() -> None:
    bench = busy()
    for outcome in ("failed", "succeeded"):
        assert bench.value("selfheal_recoveries_total", agent="api", fix="restart", outcome=outcome) == 1.0


def test_the_promised_minute_is_an_edge_of_the_recovery_histogram() -> None:
    bench = busy()
    assert bench.value("selfheal_recovery_seconds_bucket", le="30.0") == 0.0
    assert bench.value("selfheal_recovery_seconds_bucket", le="60.0") == 1.0
    assert bench.value("selfheal_detection_seconds_bucket", le="0.25") == 1.0


def test_a_failing_task_is_no_label_of_its_own() -> None:
    bench = busy()
    assert bench.value("selfheal_loop_failures_total", loop="observe") == 1.0
    assert bench.value("selfheal_loop_failures_total", loop="task") == 1.0


def test_every_try_to_deliver_an_alert_is_counted_whether_it_is_an_event_or_not() -> None:
    bench = busy()
    bench.tell(AlertDelivered(992.0, "key", "webhook", False, "status 410"))
    for outcome in ("delivered", "retried", "failed"):
        assert bench.value("selfheal_alert_deliveries_total", notifier="webhook", outcome=outcome) == 1.0


def test_an_agent_that_is_removed_takes_its_series_with_it() -> None:
    bench = busy()
    bench.tell(*up("web"), AgentRemoved(999.0, "api"))
    bench.metrics.on_observation(Observation("web", "http", 1.0, 0.02, "ok"))
    agents = {dict(labels).get("agent") for _, labels in bench.samples()}
    assert agents - {None} == {"web"}


def test_a_thousand_signals_of_one_agent_are_not_all_shown() -> None:
    bench = busy()
    bench.vitals.put_signals("api", {f"series_{number}": 1.0 for number in range(1000)})
    assert sum(name == "selfheal_signal" for name, _ in bench.samples()) <= 32


def test_the_accept_header_chooses_the_format() -> None:
    bench = busy()
    page, content_type = asyncio.run(bench.metrics.render("application/openmetrics-text; version=1.0.0"))
    assert content_type.startswith("application/openmetrics-text")
    assert page.endswith(b"# EOF\n")
    assert b"_created" not in page
    plain, content_type = asyncio.run(bench.metrics.render(""))
    assert content_type.startswith("text/plain")
    assert b"# EOF" not in plain


@pytest.mark.parametrize("scheme", ["allow-utf-8", "dots", "underscores", "values"])
def test_names_are_the_same_however_others_would_be_escaped(scheme: str) -> None:
    bench = busy()
    accept = f"application/openmetrics-text; version=1.0.0; escaping={scheme}"
    page, content_type = asyncio.run(bench.metrics.render(accept))
    assert content_type.endswith("escaping=underscores")
    assert 'selfheal_agent_up{agent="api"} 1.0\n' in page.decode()
    assert "\nselfheal_journal_events_total " in page.decode()


def test_two_daemons_in_one_process_do_not_share_a_registry() -> None:
    first, second = Bench(), Bench()
    first.tell(*up("api"))
    assert second.value("selfheal_journal_events_total") == 0.0
    assert first.value("selfheal_journal_events_total") == 3.0


def test_a_restart_is_counted_from_the_world_and_so_outlives_the_daemon() -> None:
    bench = busy()
    api = bench.world.agents["api"]
    bench.world = replace(bench.world, agents={"api": replace(api, restarts=41)})
    assert bench.value("selfheal_agent_restarts_total", agent="api") == 41.0
