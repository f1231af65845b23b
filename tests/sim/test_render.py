"""Are services at Render healed, and is nothing done where Render itself, or a person, is why?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import pytest

from selfheal.config.render import API_KEY, OWN_SERVICE
from selfheal.errors import ConfigInvalid, FixFailed
from selfheal.events import CheckBroke, FailurePredicted, FixEnded, FixStarted
from selfheal.rehearse.machine import Program, SimulatedMachine
from selfheal.render.api import RenderApi
from tests.real.render_estate import Estate, Service, Store
from tests.real.render_fake import KEY, Fault, Miniature, Unconnected
from tests.sim.rehearsal import Rehearsal, rehearse

WEB = """
[agents.web]
kind = "render"
service = "srv-web"
"""
# What the user's own check sees of it, as `http` would.
SEEN = 'checks = [{ sim = "it answers", interval = 5, timeout = 2, fall = 3, rise = 2 }]\n'

Story = Callable[[Rehearsal, Miniature], Awaitable[None]]


def at_render(tmp_path: Path, toml: str, story: Story, environment: dict[str, str] | None = None) -> Miniature:
    """Tell a story of services at Render; nothing that its API does not know was asked for in it."""
    known: list[Miniature] = []

    def prepare(machine: SimulatedMachine) -> None:
        estate = Estate(machine.clock)
        estate.add(Service("srv-web"), "aaa", "bbb")
        known.append(Miniature(estate))
        machine.calls.render = RenderApi(Unconnected(known[0]), machine.clock, Random(1))
        machine.calls.environment = {API_KEY: KEY, **(environment or {})}

    async def tell(r: Rehearsal) -> None:
        await story(r, known[0])

    rehearse(tmp_path, toml, tell, {"web": Program(remote=True)}, prepare=prepare)
    assert known[0].wrong == []
    return known[0]


def follow(r: Rehearsal, service: Service) -> asyncio.Task[None]:
    """Let the user's own check see what the service does."""

    async def look() -> None:
        while True:
            if service.serves:
                r.machine.outages.pop("web", None)
            else:
                r.machine.outages["web"] = "status 502"
            await r.wait(0.5)

    return r.tasks.create_task(look())


def did(mini: Miniature) -> list[str]:
    """What was done at Render, in short."""
    return [one.removeprefix("POST /v1/services/") for one in mini.heard if one.startswith("POST ")]


def looks(mini: Miniature) -> list[str]:
    """What was asked but for the metrics, which are asked for once a minute whatever happens."""
    return [one for one in mini.heard if "/metrics/" not in one]


def tried(r: Rehearsal) -> list[str]:
    return [one.fix for one in r.seen(FixStarted, "web")]


def test_a_service_that_crashes_again_and_again_is_started_anew(tmp_path: Path) -> None:
    async def story(r: Rehearsal, mini: Miniature) -> None:
        await r.all_healthy()
        mini.estate.services["srv-web"].crashes = True
        incident = await r.healed("web", 900.0)
        assert [(one.fix, one.outcome) for one in incident.attempts] == [("restart_service", "succeeded")]
        assert incident.cause == "crashed"
        (end,) = r.seen(FixEnded)
        assert "1 of its instances are new; the call took 0.1 s, Render took " in end.output
        assert did(mini) == ["srv-web/restart"]
        assert r.daemon.vitals.signals("web")["instances"] == 1.0

    at_render(tmp_path, WEB, story)


def test_a_bad_deploy_is_rolled_back_where_a_restart_does_not_help(tmp_path: Path) -> None:
    async def story(r: Rehearsal, mini: Miniature) -> None:
        await r.all_healthy()
        service = mini.estate.services["srv-web"]
        good = service.deploys[0].id
        service.bad.add("ccc")
        following = follow(r, service)
        mini.estate.push(service, "ccc")
        incident = await r.healed("web", 3600.0)
        following.cancel()
        assert [one.fix for one in incident.attempts] == ["restart_service", "roll_back_deploy"]
        assert incident.attempts[-1].outcome == "succeeded"
        assert incident.cause == "bad_deploy"
        (evidence, *_) = incident.causes[0].evidence
        assert "(commit ccc) became live" in evidence
        assert "the next push undoes that" in r.seen(FixEnded)[-1].output
        assert did(mini) == ["srv-web/restart", "srv-web/rollback"]
        assert {"deployId": good} in mini.bodies

    at_render(tmp_path, WEB + SEEN, story)


def test_a_deploy_that_is_in_progress_is_no_incident(tmp_path: Path) -> None:
    async def story(r: Rehearsal, mini: Miniature) -> None:
        await r.all_healthy()
        service = mini.estate.services["srv-web"]
        mini.estate.build_s = 900.0
        service.vanishes_while_deployed = True
        mini.estate.push(service, "ccc")
        await r.wait(300.0)
        record = r.daemon.vitals.check("web", "render")
        assert record.last is not None
        assert record.last.result == "inconclusive"
        assert "is in progress (build_in_progress)" in record.last.reason
        await r.wait(900.0)
        assert r.incidents("web") == []
        await r.all_healthy()

    mini = at_render(tmp_path, WEB, story)
    assert did(mini) == []
    # 20 minutes of asking: each quarter of a minute in doubt, each minute else.
    assert len(looks(mini)) < 4 * (4 * 20 + 10)


def test_while_a_deploy_builds_the_version_before_is_what_is_looked_at(tmp_path: Path) -> None:
    async def story(r: Rehearsal, mini: Miniature) -> None:
        await r.all_healthy()
        mini.estate.build_s = 900.0
        mini.estate.push(mini.estate.services["srv-web"], "ccc")
        await r.wait(600.0)
        assert r.agent("web").state == "healthy"
        assert r.seen(CheckBroke) == []

    at_render(tmp_path, WEB, story)


@pytest.mark.parametrize(
    "fault",
    [Fault(refused=True), Fault(503), Fault(429, {"ratelimit-reset": "60"}), Fault(401), Fault(slow_s=60.0)],
    ids=["refused", "503", "429", "401", "silent"],
)
def test_an_outage_of_the_api_is_no_failure_of_the_service(tmp_path: Path, fault: Fault) -> None:
    async def story(r: Rehearsal, mini: Miniature) -> None:
        await r.all_healthy()
        heard = len(looks(mini))
        mini.faults = [fault] * 10_000
        await r.wait(900.0)
        assert r.incidents("web") == []
        assert r.seen(FixStarted) == []
        assert len(r.seen(CheckBroke, "web")) == 1
        assert len(looks(mini)) - heard < 900 / 15 * 3 + 10
        mini.faults = []
        await r.all_healthy()

    at_render(tmp_path, WEB, story)


def test_what_a_person_has_suspended_is_nobodys_trouble(tmp_path: Path) -> None:
    async def story(r: Rehearsal, mini: Miniature) -> None:
        await r.all_healthy()
        mini.estate.services["srv-web"].suspenders = ["user"]
        await r.wait(600.0)
        assert r.incidents("web") == []

    assert did(at_render(tmp_path, WEB, story)) == []


def test_what_is_suspended_and_missed_is_resumed_after_a_yes_alone(tmp_path: Path) -> None:
    async def story(r: Rehearsal, mini: Miniature) -> None:
        await r.all_healthy()
        service = mini.estate.services["srv-web"]
        following = follow(r, service)
        service.suspenders = ["user"]
        await r.until(lambda: any(one.asking for one in r.incidents("web")), 300.0)
        incident = r.incident("web")
        assert incident.cause == "suspended"
        assert incident.approval is not None
        assert incident.approval.fix == "resume_service"
        assert did(mini) == []
        await r.daemon.control.approve(incident.id, "somebody")
        await r.healed("web", 600.0)
        following.cancel()
        assert did(mini) == ["srv-web/resume"]

    at_render(tmp_path, WEB + SEEN, story)


def test_what_render_suspended_since_it_crashed_is_a_crash_loop_and_a_person_resumes_it(tmp_path: Path) -> None:
    async def story(r: Rehearsal, mini: Miniature) -> None:
        await r.all_healthy()
        mini.estate.services["srv-web"].suspenders = ["stuck_crashlooping"]
        await r.until(lambda: any(one.asking for one in r.incidents("web")), 300.0)
        incident = r.incident("web")
        assert [one.slug for one in incident.causes][:2] == ["suspended", "crashed"]
        assert did(mini) == []
        await r.daemon.control.approve(incident.id, "somebody")
        await r.healed("web", 900.0)
        assert did(mini) == ["srv-web/resume"]

    at_render(tmp_path, WEB, story)


def test_a_deploy_that_is_stuck_is_canceled(tmp_path: Path) -> None:
    async def story(r: Rehearsal, mini: Miniature) -> None:
        await r.all_healthy()
        mini.estate.build_s = 10 * 3600.0
        deploy = mini.estate.push(mini.estate.services["srv-web"], "ccc")
        incident = await r.healed("web", 2 * 3600.0)
        assert (incident.cause, tried(r)) == ("deploy_stuck", ["cancel_deploy"])
        assert deploy.status == "canceled"

    at_render(tmp_path, WEB, story)


def test_what_crashes_without_a_deploy_before_is_deployed_again_and_not_rolled_back(tmp_path: Path) -> None:
    async def story(r: Rehearsal, mini: Miniature) -> None:
        await r.all_healthy()
        service = mini.estate.services["srv-web"]
        following = follow(r, service)
        service.bad.add("bbb")  # as where something outside has changed
        await r.until(lambda: "redeploy" in tried(r), 3600.0)
        service.bad.clear()
        await r.healed("web", 3600.0)
        following.cancel()
        assert (tried(r)[0], tried(r)[-1]) == ("restart_service", "redeploy")
        assert "roll_back_deploy" not in tried(r)
        assert {"clearCache": "do_not_clear", "commitId": "bbb"} in mini.bodies

    at_render(tmp_path, WEB + SEEN, story)


def test_a_database_is_restarted_and_never_deployed(tmp_path: Path) -> None:
    async def story(r: Rehearsal, mini: Miniature) -> None:
        await r.all_healthy()
        mini.estate.stores["dpg-1"].status = "unavailable"
        incident = await r.healed("ledger", 900.0)
        assert [one.fix for one in incident.attempts] == ["restart_database"]

    def prepare(machine: SimulatedMachine) -> None:
        mini = Miniature(Estate(machine.clock))
        mini.estate.stores["dpg-1"] = Store("dpg-1")
        machine.calls.render = RenderApi(Unconnected(mini), machine.clock, Random(1))
        machine.calls.environment = {API_KEY: KEY}
        known.append(mini)

    known: list[Miniature] = []

    async def tell(r: Rehearsal) -> None:
        await story(r, known[0])

    toml = '[agents.ledger]\nkind = "render"\nservice = "dpg-1"\n'
    rehearse(tmp_path, toml, tell, {"ledger": Program(remote=True)}, prepare=prepare)
    assert [one for one in known[0].heard if one.startswith("POST")] == ["POST /v1/postgres/dpg-1/restart"]


# --- never on itself ---


def test_a_daemon_does_not_start_where_it_would_heal_its_own_service(tmp_path: Path) -> None:
    async def story(r: Rehearsal, mini: Miniature) -> None:
        raise AssertionError("it must not have started")

    with pytest.raises(BaseExceptionGroup) as refused:
        at_render(tmp_path, WEB, story, {OWN_SERVICE: "srv-web"})
    assert refused.group_contains(ConfigInvalid, match="'srv-web' is the service that this daemon is itself")


def test_no_act_is_done_to_the_daemons_own_service_whatever_the_configuration_says(tmp_path: Path) -> None:
    async def story(r: Rehearsal, mini: Miniature) -> None:
        await r.all_healthy()
        r.daemon.estate.own = "srv-web"  # as where the configuration were not looked at
        for act in ("restart", "roll_back", "redeploy", "resume"):
            with pytest.raises(FixFailed, match="the very service that this daemon is"):
                await r.daemon.hands.render("web", act)

    assert did(at_render(tmp_path, WEB, story)) == []


def test_what_a_service_uses_at_render_is_a_signal_and_what_its_plan_gives_is_its_limit(tmp_path: Path) -> None:
    async def story(r: Rehearsal, mini: Miniature) -> None:
        mini.estate.metrics["cpu", "srv-web"] = [({}, 250.0, "mCPU")]
        mini.estate.metrics["http-requests", "srv-web"] = [
            ({"statusCode": "200"}, 90.0, ""),
            ({"statusCode": "500"}, 30.0, ""),
        ]
        await r.all_healthy()
        for minute in range(40):  # it has 512 MB, and takes 5 more each minute
            mini.estate.metrics["memory", "srv-web"] = [({}, 200.0 + 5.0 * minute, "MB")]
            await r.wait(60.0)
        signals = r.daemon.vitals.signals("web")
        assert (signals["cpu"], signals["requests"], signals["error_rate"]) == (0.25, 2.0, 0.25)
        assert signals["rss"] == pytest.approx(395e6, rel=0.02)
        (first, *_) = r.seen(FailurePredicted, "web")
        assert (first.mode, first.limit) == ("out_of_memory", 512e6)

    at_render(tmp_path, WEB + 'memory = "512MB"\n', story)


def test_that_render_has_no_metrics_for_us_is_no_trouble_of_a_service(tmp_path: Path) -> None:
    async def story(r: Rehearsal, mini: Miniature) -> None:
        await r.all_healthy()
        mini.faults += [Fault(500)] * 60
        await r.wait(200.0)
        assert r.daemon.ledger.world.incidents == {}
        assert not r.daemon.runner.stats["render"].failures

    at_render(tmp_path, WEB, story)


def test_what_a_service_wrote_last_tells_why_it_failed(tmp_path: Path) -> None:
    async def story(r: Rehearsal, mini: Miniature) -> None:
        await r.all_healthy()
        now = mini.estate.clock.wall()
        mini.estate.logs["srv-web"] = [
            (now, "Traceback (most recent call last):"),
            (now + 1.0, "ModuleNotFoundError: No module named 'shop'"),
            (now + 9000.0, "what is written much later says nothing of it: No space left on device"),
        ]
        mini.estate.services["srv-web"].crashes = True
        await r.until(lambda: any(one.causes for one in r.incidents("web")), 900.0)
        incident = r.incidents("web")[0]
        assert (incident.cause, incident.causes[0].channels) == ("missing_module", ("log",))

    at_render(tmp_path, WEB, story)
