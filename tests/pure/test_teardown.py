"""Does everything come to an end, whatever its parts do?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from selfheal.rehearse.virtual import VirtualLoop, in_virtual_time
from selfheal.teardown import Teardown


class Stages:
    def __init__(self) -> None:
        self.ended: list[str] = []
        self.troubles: list[tuple[str, str]] = []
        self.teardown = Teardown(lambda stage, why: self.troubles.append((stage, why)))

    def add(self, name: str, limit_s: float = 1.0, body: Callable[[], Awaitable[None]] | None = None) -> None:
        async def stop() -> None:
            if body is not None:
                await body()
            self.ended.append(name)

        self.teardown.add(name, stop, limit_s)


async def hang() -> None:
    await asyncio.Event().wait()


async def fail() -> None:
    raise OSError("no such socket")


def test_what_was_started_last_is_stopped_first() -> None:
    stages = Stages()
    for name in ("journal", "server", "fleet"):
        stages.add(name)
    in_virtual_time(stages.teardown.run(), VirtualLoop())
    assert stages.ended == ["fleet", "server", "journal"]
    assert stages.troubles == []


def test_a_stage_that_fails_or_hangs_is_reported_and_the_others_have_their_turn() -> None:
    stages, loop = Stages(), VirtualLoop()
    stages.add("journal")
    stages.add("server", body=fail)
    stages.add("fleet", limit_s=7.0, body=hang)
    stages.add("loops")
    in_virtual_time(stages.teardown.run(), loop)
    assert stages.ended == ["loops", "journal"]
    assert stages.troubles == [("fleet", "did not end within 7 s"), ("server", "OSError: no such socket")]
    assert loop.time() == pytest.approx(7.0)


def test_what_is_added_while_it_stops_is_stopped_too_and_nothing_twice() -> None:
    stages = Stages()

    async def more() -> None:
        stages.add("late")

    stages.add("journal")
    stages.add("server", body=more)

    async def story() -> None:
        await stages.teardown.run()
        await stages.teardown.run()

    in_virtual_time(story(), VirtualLoop())
    assert stages.ended == ["server", "late", "journal"]


def test_a_cancellation_is_not_taken_for_a_failure_of_a_stage() -> None:
    stages = Stages()
    stages.add("journal")
    stages.add("fleet", limit_s=60.0, body=hang)

    async def story() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                await stages.teardown.run()

    in_virtual_time(story(), VirtualLoop())
    assert stages.troubles == []
