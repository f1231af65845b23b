"""Is what is done to a service at Render done to the right one, once, and is its end waited for?"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from random import Random

import pytest

from selfheal.errors import FixFailed, RenderFailed
from selfheal.rehearse.virtual import VirtualClock, VirtualLoop, in_virtual_time
from selfheal.render.acts import Acts
from selfheal.render.api import RenderApi
from selfheal.vocabulary import ServiceAct
from tests.real.render_estate import Deploy, Estate, Service, Store
from tests.real.render_fake import Fault, Miniature, Unconnected

Story = Callable[[Miniature, Acts], Coroutine[object, object, None]]


def told(story: Story) -> Miniature:
    """Tell a story in virtual time; nothing that the API does not know was asked for in it."""
    loop = VirtualLoop()
    clock = VirtualClock(loop)
    mini = Miniature(Estate(clock))
    mini.estate.add(Service("srv-web"), "aaa", "bbb")
    mini.estate.stores["dpg-1"] = Store("dpg-1")
    mini.estate.stores["red-1"] = Store("red-1")
    in_virtual_time(story(mini, Acts(RenderApi(Unconnected(mini), clock, Random(1)), clock)), loop)
    assert mini.wrong == []
    return mini


def did(mini: Miniature) -> list[str]:
    return [one for one in mini.heard if one.startswith("POST ")]


@pytest.mark.parametrize(
    ("act", "words"),
    [
        ("restart", "was restarted: 1 of its instances are new; the call took 0.1 s, Render took "),
        ("redeploy", "was deployed again (dep-0004 (commit bbb)); the call took 0.1 s, Render took "),
        ("redeploy_clear_cache", "was built anew and deployed (dep-0004 (commit bbb)); the call took "),
        (
            "roll_back",
            "was rolled back from deploy dep-0002 (commit bbb) to dep-0001 (commit aaa); the next push ",
        ),
        ("scale", "has 2 instances instead of 1; the call took 0.1 s, Render took "),
    ],
)
def test_an_act_ends_when_render_says_that_it_is_done(act: ServiceAct, words: str) -> None:
    async def story(mini: Miniature, acts: Acts) -> None:
        assert words in await acts.do("srv-web", act, 3)
        assert mini.estate.services["srv-web"].serves

    assert len(did(told(story))) == 1


def test_a_deploy_that_is_queued_is_waited_for_all_the_same() -> None:
    async def story(mini: Miniature, acts: Acts) -> None:
        mini.queue_deploys = True
        assert "(commit bbb)" in await acts.do("srv-web", "redeploy", 0)
        assert mini.estate.services["srv-web"].deploys[0].status == "live"

    told(story)


def test_a_deploy_that_fails_is_a_fix_that_failed() -> None:
    async def story(mini: Miniature, acts: Acts) -> None:
        push = mini.estate.push

        def failing(service: Service, commit: str, trigger: str = "", fails: str = "") -> Deploy:
            return push(service, commit, trigger, "build_failed")

        mini.estate.push = failing  # type: ignore[method-assign]
        with pytest.raises(FixFailed, match=r"ended as build_failed after \d+ s; its log at Render says why"):
            await acts.do("srv-web", "redeploy", 0)

    told(story)


def test_what_render_takes_and_never_does_is_given_up_in_the_end() -> None:
    async def story(mini: Miniature, acts: Acts) -> None:
        mini.estate.restart_s = 1e9
        with pytest.raises(FixFailed, match="Render took the call, and srv-web to start again was waited for in vain"):
            await acts.do("srv-web", "restart", 0)

    mini = told(story)
    assert len(mini.heard) < 100


def test_an_outage_of_the_api_while_an_act_is_waited_for_is_waited_out_and_nothing_is_done_twice() -> None:
    async def story(mini: Miniature, acts: Acts) -> None:
        mini.faults = [Fault(), Fault(), Fault(), Fault(), *[Fault(503)] * 20, *[Fault(refused=True)] * 20]
        assert "was restarted" in await acts.do("srv-web", "restart", 0)
        mini.faults = [Fault(), Fault(), Fault(), Fault(), *[Fault(503)] * 1000]
        with pytest.raises(
            FixFailed, match=r"waited for in vain for 6\d\d s; at last .* status 503, .*status\.render\.com"
        ):
            await acts.do("srv-web", "restart", 0)

    assert did(told(story)) == ["POST /v1/services/srv-web/restart"] * 2


def test_a_restart_in_the_midst_of_a_deploy_is_left_to_the_deploy() -> None:
    async def story(mini: Miniature, acts: Acts) -> None:
        deploy = mini.estate.push(mini.estate.services["srv-web"], "ccc")
        assert f"nothing was restarted: deploy {deploy.id} (commit ccc)" in await acts.do("srv-web", "restart", 0)
        assert deploy.status == "live"

    assert did(told(story)) == []


def test_a_restart_comes_after_a_deploy_that_failed() -> None:
    async def story(mini: Miniature, acts: Acts) -> None:
        mini.estate.push(mini.estate.services["srv-web"], "ccc", fails="update_failed")
        assert "was restarted" in await acts.do("srv-web", "restart", 0)

    assert did(told(story)) == ["POST /v1/services/srv-web/restart"]


def test_a_key_that_is_taken_away_while_an_act_is_waited_for_is_told_at_once() -> None:
    async def story(mini: Miniature, acts: Acts) -> None:
        mini.faults = [Fault(), Fault(), Fault(), Fault(), Fault(401)]
        with pytest.raises(RenderFailed, match="status 401"):
            await acts.do("srv-web", "restart", 0)

    told(story)


def test_the_deploy_that_is_in_progress_is_canceled() -> None:
    async def story(mini: Miniature, acts: Acts) -> None:
        with pytest.raises(FixFailed, match="none is in progress"):
            await acts.do("srv-web", "cancel_deploy", 0)
        deploy = mini.estate.push(mini.estate.services["srv-web"], "ccc")
        assert f"deploy {deploy.id} (commit ccc)" in await acts.do("srv-web", "cancel_deploy", 0)
        assert deploy.status == "canceled"

    told(story)


def test_what_was_rolled_back_is_not_rolled_back_to_where_it_came_from() -> None:
    async def story(mini: Miniature, acts: Acts) -> None:
        await acts.do("srv-web", "roll_back", 0)
        with pytest.raises(FixFailed, match="is a rollback already"):
            await acts.do("srv-web", "roll_back", 0)

    assert len(did(told(story))) == 1


@pytest.mark.parametrize("act", ["restart", "redeploy", "roll_back", "scale"])
def test_what_is_suspended_is_resumed_before_anything_else(act: ServiceAct) -> None:
    async def story(mini: Miniature, acts: Acts) -> None:
        service = mini.estate.services["srv-web"]
        with pytest.raises(FixFailed, match="it is not suspended"):
            await acts.do("srv-web", "resume", 0)
        service.suspenders = ["user"]
        with pytest.raises(FixFailed, match="suspended by a person; resume it first"):
            await acts.do("srv-web", act, 3)
        assert "was resumed" in await acts.do("srv-web", "resume", 0)

    assert did(told(story)) == ["POST /v1/services/srv-web/resume"]


def test_a_number_of_instances_that_is_not_ours_to_choose_is_left_alone() -> None:
    async def story(mini: Miniature, acts: Acts) -> None:
        service = mini.estate.services["srv-web"]
        service.autoscaling = True
        with pytest.raises(FixFailed, match="autoscaling"):
            await acts.do("srv-web", "scale", 3)
        service.autoscaling, service.disk = False, True
        with pytest.raises(FixFailed, match="a disk belongs to one instance"):
            await acts.do("srv-web", "scale", 3)
        service.disk, service.count = False, 3
        with pytest.raises(FixFailed, match="3 is the most"):
            await acts.do("srv-web", "scale", 3)

    assert did(told(story)) == []


def test_a_database_is_restarted_and_failed_over_where_it_has_a_standby() -> None:
    async def story(mini: Miniature, acts: Acts) -> None:
        assert "dpg-1 was restarted; the call took" in await acts.do("dpg-1", "restart", 0)
        with pytest.raises(FixFailed, match="no standby"):
            await acts.do("dpg-1", "fail_over", 0)
        mini.estate.stores["dpg-1"].standby = True
        assert "failed over to its standby" in await acts.do("dpg-1", "fail_over", 0)
        for act in ("restart", "fail_over", "redeploy"):
            with pytest.raises(FixFailed, match="other kinds"):
                await acts.do("red-1", act, 0)

    assert did(told(story)) == ["POST /v1/postgres/dpg-1/restart", "POST /v1/postgres/dpg-1/failover"]


def test_a_key_value_is_resumed_and_nothing_else() -> None:
    async def story(mini: Miniature, acts: Acts) -> None:
        with pytest.raises(FixFailed, match="it is not suspended"):
            await acts.do("red-1", "resume", 0)
        mini.estate.stores["red-1"].suspenders = ["user"]
        assert "red-1 was resumed" in await acts.do("red-1", "resume", 0)

    assert did(told(story)) == ["POST /v1/key-value/red-1/resume"]


def test_a_cron_job_is_not_restarted() -> None:
    async def story(mini: Miniature, acts: Acts) -> None:
        mini.estate.add(Service("crn-1", kind="cron_job"), "aaa")
        with pytest.raises(FixFailed, match="a cron_job has no instances"):
            await acts.do("crn-1", "restart", 0)

    assert did(told(story)) == []
