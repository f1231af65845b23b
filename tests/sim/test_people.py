"""Is what a person says obeyed, and remembered over a restart of the daemon?"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from selfheal.errors import RefusedByPolicy
from selfheal.events import AgentStarted, ApprovalAsked, FixStarted, MaintenanceBegan, MaintenanceOver
from selfheal.rehearse.machine import Program
from selfheal.rehearse.virtual import EPOCH
from tests.sim.fleets import SHOP, SHOP_NAMES, agent, service
from tests.sim.rehearsal import Rehearsal, rehearse


async def restarted(r: Rehearsal, how: str) -> None:
    await (r.stop() if how == "stopped" else r.crash())
    await r.boot()


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_a_stop_is_remembered_until_somebody_starts_it(tmp_path: Path, how: str) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        await r.daemon.control.stop("mailer", "a person")
        await restarted(r, how)
        await r.wait(300.0)
        assert (r.agent("mailer").state, r.machine.alive("mailer")) == ("stopped", 0)
        assert r.world.incidents == {}
        await r.daemon.control.start("mailer", "a person")
        await r.all_healthy()

    rehearse(tmp_path, SHOP, story)


def test_a_stop_ends_the_incident_of_the_agent_and_its_fix_finds_nothing_to_do(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.machine.programs["mailer"] = Program(dies_after_s=0.3)
        r.machine.kill("mailer")
        await r.wait(5.0)
        await r.daemon.control.stop("mailer", "a person")
        assert r.incident("mailer").state == "suppressed"
        await r.wait(300.0)
        assert r.machine.alive("mailer") == 0

    rehearse(tmp_path, SHOP, story)


def test_a_stop_that_comes_while_a_fix_restarts_the_agent_is_the_last_word(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.machine.hang("mailer")
        await r.until(lambda: bool(r.seen(FixStarted, "mailer")))
        await r.daemon.control.stop("mailer", "a person")
        await r.wait(120.0)
        assert (r.agent("mailer").state, r.machine.alive("mailer")) == ("stopped", 0)
        assert r.world.open_incidents() == ()

    rehearse(tmp_path, SHOP, story, {"mailer": Program(ignores_term=True)})


def test_a_start_by_a_person_closes_the_breaker(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.until(lambda: r.agent("api").state == "quarantined", within_s=600.0)
        r.machine.programs["api"] = Program()
        await r.daemon.control.start("api", "a person")
        assert r.agent("api").breaker.state == "closed"
        await r.all_healthy()

    rehearse(tmp_path, agent("api"), story, {"api": Program(dies_after_s=0.1)})


@pytest.mark.parametrize("scope", [None, "api"])
@pytest.mark.parametrize("how", ["", "stopped", "killed"])
def test_nothing_is_done_while_healing_is_paused_and_what_died_starts_after_it(
    tmp_path: Path, scope: str | None, how: str
) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        await r.daemon.control.pause(scope, "a person")
        if how != "stopped":
            r.machine.kill("api")
        r.machine.hang("mailer" if scope is None else "api")
        if how:
            await restarted(r, how)
        await r.wait(2.0)
        if how == "stopped":  # a person started the daemon, and it the fleet
            r.machine.kill("api")
        before = len(r.seen(AgentStarted))
        await r.wait(600.0)
        assert len(r.seen(AgentStarted)) == before
        assert r.machine.alive("api") == 0
        assert [one.agent for one in r.seen(FixStarted)] == []
        resumed_at = r.clock.now()
        await r.daemon.control.resume(scope, "a person")
        await r.all_healthy()
        (again,) = [start for start in r.seen(AgentStarted, "api") if start.at >= resumed_at]
        assert again.at - resumed_at < 1.0

    rehearse(tmp_path, SHOP, story)


def test_a_person_may_act_while_healing_is_paused(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        await r.daemon.control.pause(None, "a person")
        before = r.pid("api")
        await r.daemon.control.restart("api", "a person")
        assert r.pid("api") != before
        assert r.agent("api").state == "healthy"

    rehearse(tmp_path, SHOP, story)


def test_a_dry_run_starts_the_fleet_and_then_only_says_what_it_would_do(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.machine.kill("api")
        r.machine.hang("mailer")
        await r.wait(1800.0)
        assert {start.reason for start in r.seen(AgentStarted)} == {"first"}
        assert r.seen(FixStarted) == []
        holds = {one.agent: one.hold.reason for one in r.world.open_incidents() if one.hold is not None}
        assert holds == {
            "api": "dry run: restart would be applied to api",
            "mailer": "dry run: restart would be applied to mailer",
        }

    rehearse(tmp_path, SHOP + "[guard]\ndry_run = true", story)


# The simulation begins at 08:00:00 UTC: the window is open from 08:10 to 08:40.
WINDOW = SHOP + '[[guard.maintenance]]\nagents = ["api"]\ncron = "10 8 * * *"\nminutes = 30\n'


@pytest.mark.parametrize("how", ["", "stopped", "killed"])
def test_in_a_maintenance_window_nothing_is_done_and_what_died_starts_at_its_end(tmp_path: Path, how: str) -> None:
    assert EPOCH % 86_400 == 8 * 3600

    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        await r.until(lambda: bool(r.seen(MaintenanceBegan, "api")), within_s=620.0)
        r.machine.kill("api")
        await r.wait(10.0)
        if how:
            await restarted(r, how)
        await r.wait(1200.0)
        assert (r.agent("api").state, r.machine.alive("api")) == ("maintenance", 0)
        assert r.inbox.alerts == []
        await r.until(lambda: bool(r.seen(MaintenanceOver, "api")), within_s=700.0)
        await r.until(lambda: r.machine.alive("api") == 1, within_s=1.0)
        await r.all_healthy()
        assert r.inbox.alerts == []

    rehearse(tmp_path, WINDOW, story)


ASKING = service("site", 'fixes = ["purge"]') + '[fixes.purge]\ncommand = ["purge", "{agent}"]\napproval = true\n'


def out_of_order(r: Rehearsal) -> None:
    """The site is out of order until it is purged."""

    def purge() -> int:
        r.machine.outages.pop("site", None)
        return 0

    r.machine.outages["site"] = "stale content"
    r.machine.commands["purge"] = purge


@pytest.mark.parametrize("how", ["", "stopped", "killed"])
def test_a_fix_that_wants_approval_waits_for_it_and_is_applied_then(tmp_path: Path, how: str) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        out_of_order(r)
        await r.until(lambda: bool(r.seen(ApprovalAsked)))
        if how:
            await restarted(r, how)
        await r.wait(600.0)
        incident = r.incident("site")
        assert (incident.state, r.machine.commands_run) == ("waiting_approval", [])
        await r.daemon.control.approve(incident.id, "a person")
        incident = await r.healed("site")
        assert r.machine.commands_run == [("purge", "site")]
        assert [(one.fix, one.outcome) for one in incident.attempts] == [("purge", "succeeded")]
        with pytest.raises(RefusedByPolicy):
            await r.daemon.control.reject(incident.id, "another one")
        assert [(alert.severity, alert.resolved, alert.asks) for alert in r.inbox.alerts] == [
            ("warning", False, "purge"),
            ("warning", False, ""),
            ("info", True, ""),
        ]

    rehearse(tmp_path, ASKING, story, {"site": Program(remote=True)})


def test_a_rejected_fix_is_not_applied_and_a_person_is_told(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        out_of_order(r)
        await r.until(lambda: bool(r.seen(ApprovalAsked)))
        await r.daemon.control.reject("inc-1", "a person")
        await r.wait(600.0)
        incident = r.incident("site")
        assert incident.state == "escalated"
        assert incident.reason == "no fix is left for site (purge: rejected by a person)"
        assert (r.machine.commands_run, len(r.seen(ApprovalAsked))) == ([], 1)

    rehearse(tmp_path, ASKING, story, {"site": Program(remote=True)})


def test_a_request_that_nobody_answers_is_rejected_in_time(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        out_of_order(r)
        await r.until(lambda: bool(r.seen(ApprovalAsked)))
        await r.wait(3590.0)
        assert r.incident("site").state == "waiting_approval"
        await r.wait(20.0)
        incident = r.incident("site")
        assert (incident.state, r.machine.commands_run) == ("escalated", [])
        assert "nobody in time" in incident.reason

    rehearse(tmp_path, ASKING, story, {"site": Program(remote=True)})


OWN_FIX = (
    agent("api", more='fixes = ["flush"]')
    + '[fixes.flush]\ncommand = ["flush", "{agent}"]\ncauses = ["wrong_answer"]\ntimeout = 5\n'
)


def test_a_command_of_the_user_heals_and_is_verified(tmp_path: Path) -> None:
    def flush(r: Rehearsal) -> int:
        r.machine.outages.clear()
        return 0

    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.machine.commands["flush"] = lambda: flush(r)
        r.machine.outages["api"] = "nonsense"
        incident = await r.healed("api", within_s=600.0)
        assert incident.state == "resolved"
        assert incident.attempts[-1].fix == "flush"
        assert incident.attempts[-1].outcome == "succeeded"

    rehearse(tmp_path, OWN_FIX, story)


def test_a_command_that_fails_is_followed_by_the_next_fix(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.machine.commands["flush"] = lambda: 1
        before = r.pid("api")
        r.machine.outages["api"] = "nonsense"
        await r.until(lambda: len(r.seen(FixStarted)) == 2, within_s=300.0)
        r.machine.outages.clear()
        incident = await r.healed("api")
        fixes = {one.fix: one.outcome for one in incident.attempts}
        assert set(fixes) == {"flush", "restart"}
        assert incident.attempts[-1].outcome == "succeeded"
        assert r.pid("api") != before

    rehearse(tmp_path, OWN_FIX, story)


def test_orders_that_cross_each_other_end_as_the_last_one_says(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        control = r.daemon.control
        await asyncio.gather(
            control.restart("api", "one"), control.stop("api", "another"), control.start("api", "a third")
        )
        await r.all_healthy()
        assert all(r.machine.alive(name) == 1 for name in SHOP_NAMES)

    rehearse(tmp_path, SHOP, story)


def test_a_sign_of_failure_with_half_a_character_in_it_is_kept_like_any_other(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        await r.daemon.control.external_failure("mailer", "half \ud800 a word")
        assert r.incident("mailer").sign == "half \N{REPLACEMENT CHARACTER} a word"
        assert r.daemon.journal.last_seq == r.world.events

    rehearse(tmp_path, SHOP, story)
