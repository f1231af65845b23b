from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from selfheal.telemetry.sharing import Shared


@dataclass
class Workshop:
    """Makes numbered pieces; each is complete when its gate is opened."""

    shared: Shared = field(default_factory=Shared)
    gates: list[asyncio.Event] = field(default_factory=list)

    async def make(self) -> bytes:
        gate = asyncio.Event()
        self.gates.append(gate)
        number = len(self.gates)
        await gate.wait()
        return b"%d" % number

    async def get(self, key: str = "page") -> bytes:
        return await self.shared.get(key, self.make)


async def turns() -> None:
    """Let everything that can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)


def shared_by(story: Callable[[Workshop, asyncio.TaskGroup], Awaitable[None]]) -> Workshop:
    workshop = Workshop()

    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            await story(workshop, group)

    asyncio.run(run())
    assert not workshop.shared._made  # nothing is kept once nobody asks
    return workshop


def test_who_asks_at_the_same_time_gets_the_same_piece() -> None:
    async def story(workshop: Workshop, group: asyncio.TaskGroup) -> None:
        asking = [group.create_task(workshop.get()) for _ in range(5)]
        await turns()
        workshop.gates[0].set()
        assert await asyncio.gather(*asking) == [b"1"] * 5

    assert len(shared_by(story).gates) == 1


def test_who_asks_later_gets_another_piece() -> None:
    async def story(workshop: Workshop, group: asyncio.TaskGroup) -> None:
        for number in (1, 2):
            asking = group.create_task(workshop.get())
            await turns()
            workshop.gates[-1].set()
            assert await asking == b"%d" % number

    shared_by(story)


def test_who_asks_for_something_else_does_not_get_this() -> None:
    async def story(workshop: Workshop, group: asyncio.TaskGroup) -> None:
        page, other = group.create_task(workshop.get()), group.create_task(workshop.get("other"))
        await turns()
        workshop.gates[0].set()
        await turns()
        workshop.gates[1].set()
        assert (await page, await other) == (b"1", b"2")

    shared_by(story)


def test_where_the_maker_is_cancelled_the_next_one_makes_it() -> None:
    async def story(workshop: Workshop, group: asyncio.TaskGroup) -> None:
        first, second, third = (group.create_task(workshop.get()) for _ in range(3))
        await turns()
        first.cancel()
        await turns()
        workshop.gates[1].set()
        assert (await second, await third) == (b"2", b"2")

    shared_by(story)


def test_where_everybody_is_cancelled_nothing_is_left() -> None:
    async def story(workshop: Workshop, group: asyncio.TaskGroup) -> None:
        asking = [group.create_task(workshop.get()) for _ in range(3)]
        await turns()
        for one in asking:
            one.cancel()
        await turns()
        assert all(one.cancelled() for one in asking)

    shared_by(story)
