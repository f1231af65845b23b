"""What becomes of observations: whose failures count yet, and under which names are signals kept?"""

from __future__ import annotations

import pytest

from selfheal.clock import RealClock
from selfheal.compose.alarms import Alarms
from selfheal.compose.fleet import Settling
from selfheal.compose.senses import START_GRACE_S, Senses
from selfheal.detect.anomalies import AnomalyWatch
from selfheal.events import AgentDeclared, AgentReady, AgentStarted, Run
from selfheal.history.rings import History
from selfheal.kinds import Observation
from selfheal.ledger import Ledger
from selfheal.telemetry.metrics import Metrics
from selfheal.vitals import Vitals
from selfheal.vocabulary import CheckResult
from selfheal.world import World
from tests.pure.ledger_fakes import MemoryJournal

BEGAN = 1000.0
RUN = Run(pid=7, generation=1, started_at=BEGAN, start_ticks=1, boot_id="here")


class Watched:
    """One agent with a process that began at `BEGAN`, and what its one check sees of it."""

    def __init__(self, rule: Settling, *, ready: bool) -> None:
        self.ledger = Ledger(MemoryJournal(), World(), 0)
        self.vitals, self.history = Vitals(), History()
        metrics = Metrics(lambda: self.ledger.world, self.vitals, RealClock(), "0")
        rules = {("api", "http"): rule}
        self.senses = Senses(
            self.ledger,
            self.vitals,
            self.history,
            Alarms(self.ledger, AnomalyWatch()),
            metrics,
            rules,
            lambda text: text,
        )
        self.ledger.record(
            AgentDeclared(BEGAN, "api", "process", "application", (), ("http",), True, None, None, (), False, ""),
            AgentStarted(BEGAN, "api", RUN, "first"),
            *((AgentReady(BEGAN + 1, "api", 1, 1.0),) if ready else ()),
        )

    def sees(self, result: CheckResult, *seconds: float, **signals: float) -> bool:
        """Whether the check counts as failed after these results."""
        for second in seconds:
            self.senses.observe(Observation("api", "http", BEGAN + second, 0.1, result, "", signals))
        return bool(self.ledger.world.agents["api"].failing)


PLAIN = Settling(2, 1, False)
GRACIOUS = Settling(2, 1, False, start_grace_s=60.0)


def test_before_it_is_ready_a_process_may_fail_for_a_while() -> None:
    agent = Watched(PLAIN, ready=False)
    assert not agent.sees("failed", 5.0, 10.0, START_GRACE_S - 1)
    assert agent.sees("failed", START_GRACE_S + 1, START_GRACE_S + 2)


def test_once_it_is_ready_a_failure_is_one() -> None:
    assert Watched(PLAIN, ready=True).sees("failed", 2.0, 3.0)


@pytest.mark.parametrize("ready", [False, True])
def test_a_grace_that_is_set_holds_until_the_check_has_found_it_well(ready: bool) -> None:
    agent = Watched(GRACIOUS, ready=ready)
    assert not agent.sees("failed", 40.0, 50.0)
    assert agent.sees("failed", 61.0, 62.0)


def test_who_was_well_once_has_no_grace_any_more() -> None:
    agent = Watched(GRACIOUS, ready=True)
    agent.sees("ok", 2.0)
    assert agent.sees("failed", 3.0, 4.0)


def test_signals_bear_the_name_of_their_check_where_another_has_the_same() -> None:
    first, second = Watched(PLAIN, ready=True), Watched(Settling(2, 1, False, prefix="login."), ready=True)
    for agent in (first, second):
        agent.sees("ok", 2.0, latency=0.1)
    assert first.history.signals("api") == ("latency",)
    assert second.history.signals("api") == ("login.latency",)
    assert second.vitals.signals("api") == {"login.latency": 0.1}


def test_what_is_seen_of_an_agent_that_is_no_more_is_passed_over() -> None:
    agent = Watched(PLAIN, ready=True)
    agent.senses.observe(Observation("gone", "http", BEGAN, 0.1, "failed", "", {"latency": 1.0}))
    assert agent.history.signals("gone") == ()
    assert "gone" not in agent.ledger.world.agents
