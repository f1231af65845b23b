"""Does the client of Render's API do as it must, over HTTP and without a connection alike?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from random import Random

import pytest
from pydantic import SecretStr

from selfheal.clock import Clock, RealClock
from selfheal.errors import RenderFailed
from selfheal.rehearse.virtual import VirtualClock, VirtualLoop, in_virtual_time
from selfheal.render.api import RenderApi
from selfheal.render.wire import HttpTransport
from tests.real.daemon_process import free_port
from tests.real.render_estate import Estate, Service, Store
from tests.real.render_fake import KEY, Fault, Miniature, Unconnected, served


@dataclass
class World:
    """The miniature, and a client of it."""

    mini: Miniature
    api: RenderApi
    clock: Clock

    @property
    def estate(self) -> Estate:
        return self.mini.estate

    def asked(self, method: str) -> int:
        """How many calls of a method were heard."""
        return sum(one.startswith(f"{method} ") for one in self.mini.heard)


def _estate(clock: Clock) -> Estate:
    estate = Estate(clock, restart_s=0.1, build_s=0.1, update_s=0.1)
    estate.add(Service("srv-web"), "aaa", "bbb")
    estate.stores["dpg-1"] = Store("dpg-1")
    return estate


@asynccontextmanager
async def over_http(key: str = KEY) -> AsyncIterator[World]:
    clock = RealClock()
    mini = Miniature(_estate(clock))
    async with served(mini) as url:
        api = RenderApi(HttpTransport(url, SecretStr(key)), clock, Random(1))
        try:
            yield World(mini, api, clock)
        finally:
            await api.close()


@asynccontextmanager
async def unconnected(loop: VirtualLoop) -> AsyncIterator[World]:
    clock = VirtualClock(loop)
    mini = Miniature(_estate(clock))
    yield World(mini, RenderApi(Unconnected(mini), clock, Random(1)), clock)


Story = Callable[[World], Awaitable[None]]
Play = Callable[[Story], None]


@pytest.fixture(params=["http", "unconnected"])
def play(request: pytest.FixtureRequest) -> Play:
    """Tells a story in either world; nothing that the API does not know was asked for in it."""

    async def tell(story: Story, opened: AbstractAsyncContextManager[World]) -> None:
        async with opened as world:
            await story(world)
            assert world.mini.wrong == []

    def play(story: Story) -> None:
        if request.param == "http":
            asyncio.run(tell(story, over_http()))
        else:
            loop = VirtualLoop()
            in_virtual_time(tell(story, unconnected(loop)), loop)

    return play


# --- what is read and done ---


def test_a_service_is_read_with_its_deploys_instances_and_what_happened(play: Play) -> None:
    async def story(world: World) -> None:
        service = await world.api.service("srv-web")
        assert (service.type, service.suspended, service.service_details.num_instances) == (
            "web_service",
            "not_suspended",
            1,
        )
        assert service.service_details.url == "https://srv-web.onrender.com"
        live, before = await world.api.deploys("srv-web")
        assert [one.commit.id for one in (live, before) if one.commit is not None] == ["bbb", "aaa"]
        assert (live.status, before.status, live.in_progress) == ("live", "deactivated", False)
        assert live.ended_at == pytest.approx(live.began_at + 60.0)
        assert len(await world.api.instances("srv-web")) == 1
        assert await world.api.happenings("srv-web", "2020-01-01T00:00:00Z") == ()
        assert (await world.api.store("dpg-1")).status == "available"

    play(story)


def test_a_list_is_read_page_by_page_to_a_short_one(play: Play) -> None:
    async def story(world: World) -> None:
        world.estate.add(Service("srv-old"), *(f"c{number}" for number in range(250)))
        found = await world.api.deploys("srv-old", all_of_them=True)
        assert [one.commit.id for one in found if one.commit] == [f"c{number}" for number in reversed(range(250))]
        assert world.asked("GET") == 3

    play(story)


def test_each_act_is_asked_for_as_render_has_it(play: Play) -> None:
    async def story(world: World) -> None:
        service = world.estate.services["srv-web"]
        await world.api.restart("srv-web")
        await world.api.scale("srv-web", 2)
        before = service.deploys[1].id
        assert (await world.api.roll_back("srv-web", before)).trigger == "rollback"
        await world.api.cancel("srv-web", service.deploys[0].id)
        deploy = await world.api.deploy("srv-web", clear=True, commit="bbb")
        assert deploy is not None
        assert deploy.in_progress
        world.mini.queue_deploys = True
        assert await world.api.deploy("srv-web", clear=False, commit="") is None
        await world.api.restart("dpg-1")
        assert world.mini.bodies == [
            None, {"numInstances": 2}, {"deployId": before}, None, {"clearCache": "clear", "commitId": "bbb"},
            {"clearCache": "do_not_clear"}, None,
        ]  # fmt: skip

    play(story)


# --- what is refused ---


@pytest.mark.parametrize(
    ("status", "cure"),
    [(401, "RENDER_API_KEY"), (403, "access"), (404, "its id"), (409, "has ended"), (410, "message")],
)
def test_a_refusal_is_told_with_its_status_its_request_and_what_to_do(play: Play, status: int, cure: str) -> None:
    async def story(world: World) -> None:
        world.mini.faults = [Fault(status)]
        with pytest.raises(
            RenderFailed, match=rf"^cannot POST /services/srv-web/restart.* status {status}, .*{cure}"
        ) as failed:
            await world.api.restart("srv-web")
        assert (failed.value.status, failed.value.request_id) == (status, "req-of-a-fault")
        assert "Render-Request-Id req-of-a-fault" in str(failed.value)
        assert KEY not in str(failed.value)
        assert world.asked("POST") == 1

    play(story)


# --- what is tried again ---


@pytest.mark.parametrize("fault", [Fault(500), Fault(503), Fault(cut=True), Fault(429, {"ratelimit-reset": "1"})])
def test_a_question_is_asked_again_up_to_three_times(play: Play, fault: Fault) -> None:
    async def story(world: World) -> None:
        world.mini.faults = [fault, fault]
        assert (await world.api.service("srv-web")).id == "srv-web"
        assert world.asked("GET") == 3
        world.mini.faults = [fault] * 3
        with pytest.raises(RenderFailed, match=r"^cannot GET /services/srv-web"):
            await world.api.service("srv-web")
        assert world.asked("GET") == 6

    play(story)


@pytest.mark.parametrize("fault", [Fault(500), Fault(502), Fault(cut=True)])
def test_an_act_that_may_have_been_done_is_not_asked_for_again(play: Play, fault: Fault) -> None:
    async def story(world: World) -> None:
        world.mini.faults = [fault]
        with pytest.raises(RenderFailed) as failed:
            await world.api.restart("srv-web")
        assert world.asked("POST") == 1
        assert failed.value.may_be_done is fault.cut

    play(story)


def test_an_act_after_which_nothing_is_heard_is_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfheal.render.api.ANSWER_S", 0.3)

    async def story() -> None:
        async with over_http() as world:
            world.mini.faults = [Fault(slow_s=30.0)]
            with pytest.raises(RenderFailed, match=r"no answer within 0\.3 s; it may have been done"):
                await world.api.restart("srv-web")
            assert world.asked("POST") == 1

    asyncio.run(story())


def test_an_act_that_met_a_limit_is_asked_for_again(play: Play) -> None:
    async def story(world: World) -> None:
        world.mini.faults = [Fault(429, {"ratelimit-reset": "1"})]
        await world.api.restart("srv-web")
        assert world.asked("POST") == 2

    play(story)


def test_an_act_for_which_no_connection_came_about_is_asked_for_again() -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with unconnected(loop) as world:
            world.mini.faults = [Fault(refused=True), Fault(refused=True)]
            await world.api.restart("srv-web")
            assert world.asked("POST") == 1

    in_virtual_time(story(), loop)


def test_where_nobody_listens_that_is_said_without_the_key() -> None:
    async def story() -> None:
        api = RenderApi(HttpTransport(f"http://127.0.0.1:{free_port()}/v1", SecretStr(KEY)), RealClock(), Random(1))
        with pytest.raises(RenderFailed, match="no connection; look whether RENDER_API_URL") as failed:
            await api.restart("srv-web")
        assert KEY not in repr(failed.value)
        assert not failed.value.may_be_done
        await api.close()

    asyncio.run(story())


def test_a_wrong_key_is_said_to_be_one() -> None:
    async def story() -> None:
        async with over_http("rnd_wrong") as world:
            with pytest.raises(RenderFailed, match="set RENDER_API_KEY") as failed:
                await world.api.service("srv-web")
            assert (failed.value.status, world.asked("GET")) == (401, 1)

    asyncio.run(story())


# --- limits ---


def _reset(clock: Clock, in_s: float, *, epoch: bool) -> str:
    return f"{clock.wall() + in_s:.0f}" if epoch else f"{in_s:.0f}"


@pytest.mark.parametrize("epoch", [False, True], ids=["seconds", "epoch"])
@pytest.mark.parametrize("status", [429, 200], ids=["reached", "used up"])
def test_nothing_is_asked_before_a_limit_is_reset(status: int, epoch: bool) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with unconnected(loop) as world:
            reset = _reset(world.clock, 8.0, epoch=epoch)
            body = Fault(status, {"ratelimit-remaining": "0", "ratelimit-reset": reset})
            world.mini.faults = [body]
            began = world.clock.monotonic()
            if status == 200:  # a good answer that says that it was the last one for now
                with pytest.raises(RenderFailed, match="cannot read"):
                    await world.api.service("srv-web")
            await world.api.service("srv-web")
            assert 8.0 <= world.clock.monotonic() - began < 10.5
            assert world.asked("GET") == 2

    in_virtual_time(story(), loop)


def test_a_limit_that_lasts_longer_than_one_waits_is_told_without_asking() -> None:
    loop = VirtualLoop()

    async def story() -> None:
        async with unconnected(loop) as world:
            world.mini.faults = [Fault(429, {"ratelimit-reset": "3400"})]
            for _ in range(5):
                with pytest.raises(RenderFailed, match="limit of requests") as failed:
                    await world.api.service("srv-web")
                assert failed.value.status == 429
            assert world.asked("GET") == 1
            await world.api.restart("srv-web")  # another limit

    in_virtual_time(story(), loop)
