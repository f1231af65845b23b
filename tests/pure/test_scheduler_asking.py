"""Who asks a check out of turn, and what becomes of those that are forgotten?"""

from __future__ import annotations

import asyncio

import pytest

from selfheal.observe.wheel import TICK_S
from selfheal.rehearse.virtual import EPOCH
from tests.pure.scheduler_bench import Bench, Scripted, plan, play


def test_asking_runs_every_check_now_and_waits_for_all() -> None:
    async def story(bench: Bench) -> None:
        slow = Scripted(bench.clock, takes_s=1.5)
        bench.scheduler.watch("api", [plan(Scripted(bench.clock), "quick"), plan(slow, "slow")])
        await bench.clock.sleep(5.0)
        bench.seen.clear()
        asked_at = bench.clock.now()
        seen = await bench.scheduler.ask("api")
        assert [(one.check, one.result, one.at) for one in seen] == [
            ("quick", "ok", asked_at),
            ("slow", "ok", asked_at),
        ]
        assert all(bench.seen.count(one) == 1 for one in seen)
        assert await bench.scheduler.ask("nobody") == ()

    play(story)


def test_an_answer_is_never_older_than_the_question() -> None:
    async def story(bench: Bench) -> None:
        check = Scripted(bench.clock, takes_s=1.0)
        bench.scheduler.watch("api", [plan(check)])
        bench.scheduler.sweep()
        await bench.clock.sleep(0.5)
        asked_at = bench.clock.now()
        first, second = await asyncio.gather(bench.scheduler.ask("api"), bench.scheduler.ask("api"))
        assert first == second
        assert first[0].at >= asked_at
        assert (check.runs, check.most_at_once, len(bench.seen)) == (2, 1, 2)

    play(story)


def test_who_asks_an_agent_that_is_forgotten_meanwhile_does_not_wait_for_ever() -> None:
    async def story(bench: Bench) -> None:
        bench.scheduler.watch("api", [plan(Scripted(bench.clock, takes_s=1.0))])
        bench.scheduler.sweep()
        await bench.clock.sleep(0.5)
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(bench.scheduler.ask("api"))
            await bench.clock.sleep(0.1)
            bench.scheduler.forget("api")
        assert asking.result() == ()

    play(story)


def test_of_a_forgotten_agent_nothing_is_heard_any_more() -> None:
    async def story(bench: Bench) -> None:
        check = Scripted(bench.clock, takes_s=1.0)
        bench.scheduler.watch("api", [plan(check)])
        bench.scheduler.sweep()
        await bench.clock.sleep(0.5)
        bench.scheduler.forget("api")
        bench.scheduler.forget("nobody")
        await bench.clock.sleep(60.0)
        assert (check.runs, bench.seen) == (1, [])

    play(story)


def test_a_check_that_replaces_another_waits_for_it_to_end() -> None:
    async def story(bench: Bench) -> None:
        old, new = Scripted(bench.clock, takes_s=1.0), Scripted(bench.clock, takes_s=1.0)
        bench.scheduler.watch("api", [plan(old)])
        bench.scheduler.sweep()
        await bench.clock.sleep(0.5)
        bench.scheduler.watch("api", [plan(new)])
        (seen,) = await bench.scheduler.ask("api")
        assert seen.at - EPOCH == pytest.approx(1.0)
        assert (old.runs, new.runs, len(bench.seen)) == (1, 1, 1)

    play(story)


def test_a_sweep_of_some_agents_leaves_the_others_alone() -> None:
    async def story(bench: Bench) -> None:
        for agent in ("a", "b", "c"):
            bench.scheduler.watch(agent, [plan(Scripted(bench.clock), interval_s=1000.0)])
        await bench.clock.sleep(2.0)
        bench.seen.clear()
        bench.scheduler.sweep(["a", "c", "nobody"])
        await bench.clock.sleep(1.0)
        assert [seen.agent for seen in bench.seen] == ["a", "c"]

    play(story)


def test_soon_brings_one_check_forward() -> None:
    async def story(bench: Bench) -> None:
        bench.scheduler.watch(
            "api",
            [plan(Scripted(bench.clock), name, interval_s=1000.0) for name in ("this", "that")],
        )
        await bench.clock.sleep(2.0)
        bench.seen.clear()
        bench.scheduler.soon("api", "this", 0.5)
        bench.scheduler.soon("api", "nothing", 0.5)
        bench.scheduler.soon("nobody", "this", 0.5)
        await bench.clock.sleep(1.0)
        assert bench.times("this") == [pytest.approx(2.5, abs=TICK_S)]
        assert bench.times("that") == []

    play(story)
