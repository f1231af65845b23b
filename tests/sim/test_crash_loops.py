"""What becomes of a program that no restart can mend, and of one that shall not be restarted?"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from selfheal.events import AgentStarted, AgentStartFailed, BreakerOpened, IncidentEscalated, RestartDelayed
from selfheal.rehearse.machine import Program
from selfheal.serve.story import story as told
from selfheal.world.breakers import QUARANTINE_FIRST_S, QUARANTINE_LAST_S
from tests.sim.fleets import agent
from tests.sim.rehearsal import Rehearsal, rehearse

BROKEN = Program(dies_after_s=0.2)
HOUR_S = 3600.0


def test_a_crash_loop_is_slowed_down_quarantined_told_once_and_heals_when_it_is_mended(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        await r.wait(20.0)
        r.machine.programs["api"] = BROKEN
        r.machine.kill("api")
        await r.until(lambda: r.agent("api").state == "quarantined", within_s=600.0)

        starts = [start for start in r.seen(AgentStarted, "api") if start.reason != "first"]
        assert [start.reason for start in starts] == ["reflex"] * 4 + ["backoff"] * 8  # the kill, then three in a row
        assert [round(b.at - a.at, 1) for a, b in pairwise(starts[:4])] == [0.2] * 3
        waits = [delay.due_at - delay.at for delay in r.seen(RestartDelayed, "api")]
        assert all(0.0 <= wait <= min(30.0, 0.5 * 2.0**number) for number, wait in enumerate(waits))
        assert len({round(wait, 3) for wait in waits}) == len(waits)  # full jitter

        await r.wait(2 * HOUR_S)
        openings = r.seen(BreakerOpened, "api")
        pauses = [opened.retry_at - opened.at for opened in openings]
        assert pauses == [min(QUARANTINE_LAST_S, QUARANTINE_FIRST_S * 2.0**number) for number in range(len(openings))]
        assert pauses[-1] == QUARANTINE_LAST_S
        assert len(r.seen(IncidentEscalated)) == 1
        (incident,) = r.incidents("api")
        lines = [line.text for line in told(incident)]
        assert lines[-1].startswith("the breaker of api's restart opens, the next trial is at ")
        assert "restart of api, on trial" in lines
        lasted = [one.verified_at - one.started_at for one in incident.attempts if one.verified_at is not None]
        assert all(0.1 < seconds < 0.3 for seconds in lasted), "until it died again, not until it was started"
        assert [alert.resolved for alert in r.inbox.alerts] == [False]

        r.machine.programs["api"] = Program()
        incident = await r.healed("api", within_s=QUARANTINE_LAST_S + 120.0)
        assert incident.state == "resolved"
        assert r.agent("api").breaker.state == "closed"
        assert [alert.resolved for alert in r.inbox.alerts] == [False, True]
        assert len(r.incidents("api")) == 1

    rehearse(tmp_path, agent("api"), story)


def test_a_budget_of_none_never_quarantines(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(1800.0)
        assert r.seen(BreakerOpened) == []
        assert len(r.seen(AgentStarted)) > 60
        delays = [delay.due_at - delay.at for delay in r.seen(RestartDelayed)]
        assert max(delays) <= 30.0

    rehearse(tmp_path, agent("api") + "[guard]\nattempts_per_hour = 0", story, {"api": BROKEN})


def test_a_program_that_is_missing_is_quarantined_and_starts_when_it_appears(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(60.0)
        (incident,) = r.incidents("api")
        assert (incident.state, incident.cause, r.agent("api").state) == ("escalated", "missing_program", "quarantined")
        assert r.agent("api").start_error == "cannot start 'api': no such program; install it"
        assert len(r.seen(AgentStartFailed)) == 2  # at first, and the trial after 30 s
        assert len(r.inbox.alerts) == 1
        r.machine.programs["api"] = Program()
        incident = await r.healed("api")
        assert incident.state == "resolved"
        assert r.agent("api").state == "healthy"
        assert [alert.resolved for alert in r.inbox.alerts] == [False, True]

    rehearse(tmp_path, agent("api") + agent("web", "api"), story, {"api": Program(missing=True)})


def test_who_depends_on_a_missing_program_starts_once_that_is_there(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(60.0)
        assert r.seen(AgentStarted, "web") == []
        assert (r.agent("web").state, r.world.waits_for("web")) == ("starting", ("api",))
        r.machine.programs["api"] = Program()
        await r.all_healthy()
        assert [start.reason for start in r.seen(AgentStarted, "web")] == ["first"]

    rehearse(tmp_path, agent("api") + agent("web", "api"), story, {"api": Program(missing=True)})


def test_after_an_orderly_stop_who_waits_for_what_it_depends_on_is_starting(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        await r.stop()
        assert {one.state for one in r.world.agents.values()} == {"stopped"}
        r.machine.programs["api"] = Program(missing=True)
        await r.boot()
        await r.wait(5.0)
        assert (r.agent("web").state, r.world.waits_for("web")) == ("starting", ("api",))
        r.machine.programs["api"] = Program()
        await r.all_healthy()

    rehearse(tmp_path, agent("api") + agent("web", "api"), story)


@pytest.mark.parametrize("code", [0, 3])
@pytest.mark.parametrize("policy", ["never", "on-failure", "always"])
def test_the_restart_policy_says_what_follows_an_end(tmp_path: Path, policy: str, code: int) -> None:
    restarted = policy == "always" or (policy == "on-failure" and code != 0)

    async def story(r: Rehearsal) -> None:
        await r.wait(10.0)
        starts = [start.reason for start in r.seen(AgentStarted, "job")]
        assert (len(starts) > 1) is restarted
        if not restarted:
            assert r.agent("job").state == ("stopped" if code == 0 else "unhealthy")
            assert len(r.incidents("job")) == (code != 0)
            await r.wait(300.0)
            assert len(r.seen(AgentStarted, "job")) == 1
            await r.daemon.control.start("job", "a person")
            assert [start.reason for start in r.seen(AgentStarted, "job")] == ["first", "person"]

    toml = agent("job", checked=False, more=f'restart = "{policy}"')
    rehearse(tmp_path, toml, story, {"job": Program(dies_after_s=2.0, exit_code=code)})


def test_a_death_that_shall_not_be_healed_is_told_to_a_person_once(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.machine.kill("job")
        await r.wait(600.0)
        assert len(r.seen(AgentStarted)) == 1
        assert [alert.resolved for alert in r.inbox.alerts] == [False]
        await r.daemon.control.start("job", "a person")
        await r.all_healthy()
        assert [alert.resolved for alert in r.inbox.alerts] == [False, True]

    rehearse(tmp_path, agent("job", more='restart = "never"'), story)
