"""What goes on while a page of metrics is written?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from selfheal.events import AgentRemoved
from selfheal.kinds import Observation
from tests.real.metering import Bench, StoppedClock, up

AGENTS = [f"agent-{number:02}" for number in range(30)]


class _Hurrying(StoppedClock):
    """A clock by which every slice is over as soon as it is looked at; `then` is done in each pause."""

    def __init__(self) -> None:
        self.at = 0.0
        self.pauses = 0
        self.then: Callable[[int], None] = lambda pause: None

    def monotonic(self) -> float:
        self.at += 1.0
        return self.at

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        self.pauses += 1
        self.then(self.pauses)


def _fleet() -> tuple[Bench, _Hurrying]:
    clock = _Hurrying()
    bench = Bench(clock)
    for name in AGENTS:
        bench.tell(*up(name))
        _look(bench, name, 1.0)
    return bench, clock


def _look(bench: Bench, agent: str, value: float) -> None:
    bench.vitals.put_signals(agent, {"rss": value})
    bench.metrics.on_observation(Observation(agent, "http", 1.0, 0.02, "ok"))


def _cancel(task: asyncio.Task[tuple[bytes, str]]) -> None:
    task.cancel()


def _run(work: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await work()

    asyncio.run(run())


def test_the_loop_has_its_turn_between_agents() -> None:
    bench, clock = _fleet()
    bench.page()
    assert clock.pauses >= len(AGENTS)


def test_an_agent_that_is_removed_meanwhile_is_left_out_and_not_kept() -> None:
    bench, clock = _fleet()
    clock.then = lambda pause: bench.tell(AgentRemoved(9.0, AGENTS[20])) if pause == 10 else None
    page = bench.page()
    assert f'"{AGENTS[19]}"' in page
    assert f'"{AGENTS[20]}"' not in page
    assert AGENTS[20] not in bench.metrics._fleet._blocks


def test_a_check_that_ends_after_its_agent_was_removed_leaves_no_series() -> None:
    bench, _ = _fleet()
    bench.tell(AgentRemoved(9.0, AGENTS[0]))
    _look(bench, AGENTS[0], 2.0)
    assert f'"{AGENTS[0]}"' not in bench.page()
    bench.tell(*up(AGENTS[0]))
    assert f'selfheal_checks_total{{agent="{AGENTS[0]}"' not in bench.page()


def test_all_of_one_agent_is_of_one_moment() -> None:
    """Two numbers that always change together never differ on a page, although they change while it is written."""
    bench, clock = _fleet()

    def everybody(pause: int) -> None:
        for name in AGENTS:
            _look(bench, name, 1.0 + pause)

    clock.then = everybody
    bench.page()
    samples = bench.samples()
    seen = {
        name: (
            samples["selfheal_signal", frozenset({("agent", name), ("signal", "rss")})],
            samples["selfheal_checks_total", frozenset({("agent", name), ("check", "http"), ("result", "ok")})],
        )
        for name in AGENTS
    }
    assert len({value for value, _ in seen.values()}) > 1
    assert all(value == checks for value, checks in seen.values())


def test_scrapes_at_the_same_time_are_written_once() -> None:
    bench, clock = _fleet()
    bench.page()
    alone, clock.pauses = clock.pauses, 0

    async def work() -> None:
        pages = await asyncio.gather(*(bench.metrics.render("") for _ in range(8)))
        assert len({id(text) for text, _ in pages}) == 1

    _run(work)
    assert clock.pauses == alone


@pytest.mark.parametrize("pause", [1, 15, 31])
def test_a_scrape_that_is_cancelled_leaves_nothing_behind(pause: int) -> None:
    bench, clock = _fleet()

    async def work() -> None:
        async with asyncio.TaskGroup() as group:
            scrape = group.create_task(bench.metrics.render(""))
            clock.then = lambda at: None if at != pause else _cancel(scrape)
            await asyncio.wait({scrape})
            assert scrape.cancelled()
        clock.then = lambda at: None
        text, _ = await bench.metrics.render("")
        assert all(f'selfheal_agent_up{{agent="{name}"}} 1.0\n'.encode() in text for name in AGENTS)

    _run(work)
    assert not bench.metrics._scrapes._made
