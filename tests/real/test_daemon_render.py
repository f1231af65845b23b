"""Does a real daemon ask a real server for what Render says, heal by it, and keep its key to itself?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from selfheal.clock import RealClock
from tests.real.daemon_process import house
from tests.real.render_estate import Estate, Service
from tests.real.render_fake import KEY, Miniature, served

WEB = """
[guard]
verify = "1s"
cooldown = "0s"

[agents.web]
kind = "render"
service = "srv-web"
interval = "1s"
"""


@contextmanager
def render() -> Iterator[tuple[Miniature, str]]:
    """A miniature on a port of this machine, in a thread; its address is given."""
    mini = Miniature(Estate(RealClock(), restart_s=0.5, build_s=0.5, update_s=0.5))
    mini.estate.add(Service("srv-web"), "aaa", "bbb")
    urls: list[str] = []
    opened = Event()

    async def serve(loop_is: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]) -> None:
        over = asyncio.Event()
        loop_is.append((asyncio.get_running_loop(), over))
        async with served(mini) as url:
            urls.append(url)
            opened.set()
            await over.wait()

    known: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    thread = Thread(target=lambda: asyncio.run(serve(known)), daemon=True)
    thread.start()
    assert opened.wait(10.0)
    try:
        yield mini, urls[0]
    finally:
        loop, over = known[0]
        loop.call_soon_threadsafe(over.set)
        thread.join(10.0)


def test_a_service_at_render_is_watched_and_healed_by_its_api() -> None:
    with render() as (mini, url), house(WEB, RENDER_API_KEY=KEY, RENDER_API_URL=url) as home:
        home.until_state("healthy", "web")
        service = mini.estate.services["srv-web"]
        service.crash_s, service.crashed_at, service.crashes = 0.2, RealClock().now(), True
        incident = home.healed("web", limit_s=40.0)
        assert [one.text("fix") for one in incident.parts("attempts")] == ["restart_service"]
        assert mini.wrong == []
        assert mini.heard.count("POST /v1/services/srv-web/restart") == 1
        assert [path for path in home.folder.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()] == []
