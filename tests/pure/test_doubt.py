"""Are failures that are our own told as such, and those of the agents counted?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from selfheal.config.address import Endpoint
from selfheal.detect.health import BLIND_S, judge_check
from selfheal.errors import CheckFailed
from selfheal.events import CheckBroke, CheckMended
from selfheal.kinds import Observation
from selfheal.observe.scheduled import ScheduledCheck
from selfheal.observe.wording import Unwell
from selfheal.vitals import CheckRecord
from tests.pure.scheduler_bench import Bench, plan, play


@dataclass
class Failing:
    """A check that fails as it is told to, after a while, perhaps holding up the loop meanwhile."""

    bench: Bench
    failure: CheckFailed | None
    takes_s: float = 0.1
    held_up_s: float = 0.0
    asked: list[float] = field(default_factory=list)

    async def run(self) -> Mapping[str, float]:
        self.asked.append(self.bench.clock.monotonic())
        await self.bench.clock.sleep(self.takes_s / 2)
        self.bench.loop.stall(self.held_up_s)
        await self.bench.clock.sleep(self.takes_s / 2)
        if self.failure is not None:
            raise self.failure
        return {}


def to(target: Endpoint, check: Failing, name: str = "check") -> ScheduledCheck:
    return replace(plan(check, name), target=target)


SLOW = Unwell("took 0.9 s, expected at most 0.5 s", {"latency": 0.9}, "slow")
SILENT = CheckFailed("no route to the host", cause="unreachable", silent=True)
HERE, THERE, ELSEWHERE, FAR = ("192.0.2.1", 80), ("192.0.2.2", 80), ("192.0.2.3", 443), ("2001:db8::1", 443)


def test_what_came_too_late_because_the_loop_was_held_up_is_asked_again_at_once_and_not_counted() -> None:
    async def story(bench: Bench) -> None:
        check = Failing(bench, SLOW, held_up_s=0.8)
        bench.scheduler.watch("api", [plan(check)])
        await bench.clock.sleep(3.0)
        first = bench.seen[0]
        assert first.result == "inconclusive"
        assert first.reason == "took 0.9 s, expected at most 0.5 s, but selfheal itself was held up for 0.75 s"
        assert first.cause == ""
        check.held_up_s = 0.0
        again_s = check.asked[1] - check.asked[0] - first.took_s
        assert again_s == pytest.approx(0.1, abs=0.06)
        await bench.clock.sleep(2.0)
        assert bench.seen[-1].result == "failed"

    play(story)


def test_a_wrong_answer_is_wrong_however_late_we_were() -> None:
    async def story(bench: Bench) -> None:
        bench.scheduler.watch("api", [plan(Failing(bench, CheckFailed("status 500"), held_up_s=5.0), timeout_s=30.0)])
        (seen,) = await bench.scheduler.ask("api")
        assert seen.result == "failed"

    play(story)


def test_what_was_slow_while_the_machine_was_elsewhere_says_nothing() -> None:
    async def story(bench: Bench) -> None:
        bench.scheduler.watch("api", [plan(Failing(bench, SLOW))])
        await bench.scheduler.ask("api")
        await bench.clock.sleep(1.0)
        bench.stolen_s = 0.5
        (seen,) = await bench.scheduler.ask("api")
        assert seen.result == "inconclusive"
        assert seen.reason.startswith("took 0.9 s, expected at most 0.5 s, but ")
        assert seen.reason.endswith(" of this machine's time was taken from it")

    play(story)


async def others(bench: Bench, *targets: Endpoint) -> None:
    """Agents that are well, and known to be."""
    for number, target in enumerate(targets):
        bench.scheduler.watch(f"other{number}", [to(target, Failing(bench, None))])
        await bench.scheduler.ask(f"other{number}")


async def of_api(bench: Bench, failure: CheckFailed = SILENT, target: Endpoint = HERE) -> Observation:
    bench.scheduler.watch("api", [to(target, Failing(bench, failure))])
    (seen,) = await bench.scheduler.ask("api")
    return seen


def test_while_nothing_unrelated_answers_either_the_network_is_lost() -> None:
    async def story(bench: Bench) -> None:
        await others(bench, THERE, ELSEWHERE, FAR)
        bench.silent.add("*")
        seen = await of_api(bench)
        assert seen.result == "inconclusive"
        assert seen.reason == (
            "no route to the host, but the network seems lost: 192.0.2.2:80, 192.0.2.3:443, 2001:db8::1:443 "
            "do not answer either"
        )
        assert bench.probed == ["192.0.2.2:80", "192.0.2.3:443", "[2001:db8::1]:443"]

    play(story)


@pytest.mark.parametrize("failure", [SILENT, CheckFailed("no answer within 2 s", "timeout")])
def test_while_anything_unrelated_answers_silence_is_the_agents_own(failure: CheckFailed) -> None:
    async def story(bench: Bench) -> None:
        await others(bench, THERE, ELSEWHERE)
        bench.silent.add("192.0.2.2:80")
        assert (await of_api(bench, failure)).result == failure.result

    play(story)


def test_one_other_target_is_no_proof_and_neither_is_another_port_of_the_same_host() -> None:
    async def story(bench: Bench) -> None:
        await others(bench, THERE, ("192.0.2.1", 443), ("192.0.2.2", 443))
        bench.silent.add("*")
        assert (await of_api(bench)).result == "failed"
        assert bench.probed == []

    play(story)


LOCAL = pytest.mark.parametrize("target", [("127.0.0.1", 80), ("::1", 80), ("localhost", 80)])


@LOCAL
def test_no_network_comes_between_us_and_this_very_machine(target: Endpoint) -> None:
    async def story(bench: Bench) -> None:
        await others(bench, THERE, ELSEWHERE)
        bench.silent |= {"192.0.2.2:80", "192.0.2.3:443"}
        assert (await of_api(bench, target=target)).result == "failed"
        assert bench.probed == ["127.0.0.1:8787"]

    play(story)


@LOCAL
def test_a_machine_that_does_not_even_answer_itself_says_nothing_of_the_agent(target: Endpoint) -> None:
    async def story(bench: Bench) -> None:
        bench.silent.add("127.0.0.1:8787")
        seen = await of_api(bench, target=target)
        assert (seen.result, seen.reason) == (
            "inconclusive",
            "no route to the host, but selfheal cannot even reach its own door at 127.0.0.1:8787",
        )

    play(story)


def test_who_refuses_or_answers_wrongly_was_reached() -> None:
    async def story(bench: Bench) -> None:
        await others(bench, THERE, ELSEWHERE)
        bench.silent.add("*")
        assert (await of_api(bench, CheckFailed("connection refused", cause="unreachable"))).result == "failed"
        assert bench.probed == []

    play(story)


def test_many_that_fall_silent_together_are_one_question() -> None:
    async def story(bench: Bench) -> None:
        await others(bench, THERE, ELSEWHERE)
        bench.silent.add("*")
        for number in range(50):
            bench.scheduler.watch(f"quiet{number}", [to((f"198.51.100.{number}", 80), Failing(bench, SILENT))])
        await bench.clock.sleep(1.5)
        quiet = [seen for seen in bench.seen if seen.agent.startswith("quiet")]
        assert {seen.result for seen in quiet} == {"inconclusive"}
        assert len({seen.agent for seen in quiet}) == 50
        assert len(bench.probed) == 2

    play(story)


def test_however_long_the_network_is_lost_it_is_no_agents_failure() -> None:
    async def story(bench: Bench) -> None:
        checks = [Failing(bench, None) for _ in range(6)]
        for number, check in enumerate(checks):
            bench.scheduler.watch(f"agent{number}", [to((f"192.0.2.{number}", 80), check)])
        await bench.clock.sleep(30.0)
        bench.silent.add("*")
        for check in checks:
            check.failure = SILENT
        await bench.clock.sleep(300.0)
        assert {seen.result for seen in bench.seen} == {"ok", "inconclusive"}
        bench.silent.clear()
        for check in checks[1:]:
            check.failure = None
        await bench.clock.sleep(10.0)
        assert {seen.agent for seen in bench.seen if seen.result == "failed"} == {"agent0"}, "it stayed away"

    play(story)


def test_an_agent_that_is_taken_away_while_others_are_asked_is_not_heard_of() -> None:
    async def story(bench: Bench) -> None:
        await others(bench, THERE, ELSEWHERE)
        bench.silent.add("*")
        bench.scheduler.watch("api", [to(HERE, Failing(bench, SILENT))])
        bench.scheduler.sweep(["api"])
        await bench.clock.sleep(0.5)
        bench.scheduler.forget("api")
        await bench.clock.sleep(5.0)
        assert not [seen for seen in bench.seen if seen.agent == "api"]

    play(story)


def test_who_is_unsure_for_a_minute_is_told_to_be_blind_and_mended_by_a_sure_answer() -> None:
    record, told = CheckRecord("http"), list[object]()
    for second in range(int(BLIND_S) + 5):
        unsure = Observation("api", "http", 100.0 + second, 0.1, "inconclusive", "who knows")
        record, event = judge_check(record, unsure, 3, broken=bool(told))
        told += [event] if event is not None else []
    assert told == [CheckBroke(100.0 + BLIND_S, "api", "http", "who knows", unsure=True)]
    record, mended = judge_check(record, Observation("api", "http", 200.0, 0.1, "failed", "no"), 3, broken=True)
    assert mended == CheckMended(200.0, "api", "http")
    assert record.unsure_since == 0.0
