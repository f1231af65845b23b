from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

from selfheal.config.models import WindowConfig
from selfheal.events import (
    AgentDeclared,
    AnomalySeen,
    Cause,
    DaemonStarted,
    Diagnosed,
    Event,
    FailurePredicted,
    FixEnded,
    FixStarted,
    IncidentOpened,
    IncidentResolved,
    Signature,
    StateDamaged,
    Verified,
    WorkPlanned,
)
from selfheal.kinds import Observation
from selfheal.learn.strategies import Lessons
from selfheal.serve.documents import DOCUMENTS, Material, documents, stamp
from selfheal.vitals import CheckRecord, Vitals
from selfheal.world import EMPTY, World, fold

T0 = 1_767_323_045.0
NAMES = {
    "self_healing_state.json", "agent_status.json", "failure_predictions.json", "anomaly_detections.json",
    "rca_knowledge_base.json", "rca_reports.json", "fix_history.json", "fix_success_rates.json",
    "recovery_strategies.json", "maintenance_schedule.json", "metrics.json", "traces.json",
}  # fmt: skip

EVENTS: tuple[Event, ...] = (
    DaemonStarted(T0, "0.1.0", 1, False),
    AgentDeclared(T0, "api", "process", "application", (), ("http",), True),
    StateDamaged(T0, "journal/1", "a flipped bit", "journal/1.damaged-1", "one record"),
    IncidentOpened(T0 + 1, "i1", "api", "exit", "exited with code 1", T0 + 1),
    Diagnosed(T0 + 2, "i1", (Cause("crashed", 0.9, "api"),)),
    FixStarted(T0 + 3, "i1", 1, "restart", "application", "api", "crashed"),
    FixEnded(T0 + 4, "i1", 1, "succeeded", "done"),
    Verified(T0 + 9, "i1", 1, "succeeded", "", T0 + 5),
    IncidentResolved(T0 + 9, "i1", "restart helped", 4.0),
    FailurePredicted(T0 + 9, "api", "out_of_fds", "fds", 0.8, 60, 30, 90, 300, 900, 0.1),
    AnomalySeen(T0 + 9, "a1", "api", "latency", 2.0, 0.1, 0.97),
    WorkPlanned(T0 + 10, "w1", "api", "restart", T0 + 60, "it runs out of file descriptors"),
)


@dataclass(frozen=True)
class Measured:
    value: float | None
    count: int
    interval: tuple[float, float] | None


def material(world: World, vitals: Vitals | None = None) -> Material:
    return Material(
        world=world,
        vitals=vitals or Vitals(),
        now=T0 + 12,
        scorecard=lambda world, now: {"uptime": Measured(1.0, 10, None)},
        lessons=Lessons,
        patterns=(Signature("any.port", "port_taken", ("in use",), 0.8),),
        windows=(WindowConfig(agents=("api",), cron="0 3 * * sun", minutes=30),),
        seq=11,
    )


def made(world: World, vitals: Vitals | None = None) -> Mapping[str, dict[str, object]]:
    return documents(material(world, vitals))


def test_every_promised_file_is_there_and_its_stamp_says_the_version_and_the_moment() -> None:
    assert set(made(reduce(fold, EVENTS, EMPTY))) == set(DOCUMENTS) == NAMES
    assert stamp(material(EMPTY)) == {"schema_version": 1, "updated_at": "2026-01-02T03:04:17.000Z", "events": 11}


def test_the_same_world_at_the_same_moment_gives_the_same_bytes() -> None:
    world = reduce(fold, EVENTS, EMPTY)
    assert json.dumps(made(world)) == json.dumps(made(reduce(fold, EVENTS, EMPTY)))


def test_each_file_says_what_it_is_for() -> None:
    files = made(reduce(fold, EVENTS, EMPTY))
    lists = {
        "failure_predictions.json": "predictions",
        "anomaly_detections.json": "anomalies",
        "rca_knowledge_base.json": "patterns",
        "rca_reports.json": "reports",
        "fix_history.json": "attempts",
        "fix_success_rates.json": "rates",
        "recovery_strategies.json": "strategies",
        "maintenance_schedule.json": "work",
        "traces.json": "traces",
    }
    for name, key in lists.items():
        content = files[name][key]
        assert isinstance(content, list), name
        assert len(content) == 1, name
    state, agents = files["self_healing_state.json"], files["agent_status.json"]["agents"]
    assert state["status"] == "degraded"
    assert isinstance(state["damages"], list)
    assert state["damages"][0]["lost"] == "one record"
    assert isinstance(agents, dict)
    assert agents["api"]["state"] == "starting"


def test_checks_and_signals_are_told_as_they_are_now() -> None:
    world, vitals = reduce(fold, EVENTS, EMPTY), Vitals()
    before = made(world, vitals)
    vitals.put_signals("api", {"cpu": 0.5})
    vitals.put("api", CheckRecord("http", True, True, 3, T0, Observation("api", "http", T0 + 11, 0.01, "ok")))
    after = made(world, vitals)
    assert {name for name in NAMES if before[name] != after[name]} == {"metrics.json", "agent_status.json"}
    assert after["metrics.json"]["agents"] == {"api": {"cpu": 0.5}}
    agents = after["agent_status.json"]["agents"]
    assert isinstance(agents, dict)
    assert agents["api"]["signals"] == {"cpu": 0.5}
    (check,) = agents["api"]["checks"]
    assert (check["ok"], check["last_run"]) == (True, "2026-01-02T03:04:16.000Z")


def test_an_empty_world_gives_empty_lists_that_are_true() -> None:
    files = made(EMPTY)
    assert files["fix_history.json"]["attempts"] == []
    assert files["traces.json"]["traces"] == []
    assert json.loads(json.dumps(files))
