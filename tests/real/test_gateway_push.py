"""Does a daemon get through to its gateway what it knows, whatever becomes of single pushes on the way?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import TypeVar

import pytest

from selfheal.clock import RealClock
from selfheal.compose import push as pushing
from selfheal.compose.push import Pushes
from selfheal.events import AlertRaised
from selfheal.gateway import wire
from selfheal.gateway.app import Gateway
from selfheal.gateway.orders import Orders
from selfheal.gateway.post import GatewaySilent, Reply
from selfheal.kinds import Observation
from selfheal.serve.problems import Refusal
from selfheal.vitals import CheckRecord
from tests.real.serving import T0, Daemon, declared, story_of_a_day

T = TypeVar("T")


class Log:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str]] = []

    def debug(self, event: str, /, **facts: object) -> None:
        raise AssertionError(event)

    def info(self, event: str, /, **facts: object) -> None:
        self.told.append(("info", event, str(facts.get("why", ""))))

    def warning(self, event: str, /, **facts: object) -> None:
        self.told.append(("warning", event, str(facts.get("why", ""))))

    def error(self, event: str, /, **facts: object) -> None:
        self.told.append(("error", event, str(facts.get("why", ""))))


class Ends:
    """A daemon and its gateway, and the way between them, in which things happen."""

    def __init__(self) -> None:
        self.daemon = Daemon()
        self.log = Log()
        self.largest = 1_000_000
        self.lost_answers = 0
        self.lost_requests = 0
        self.status = 0
        self.hangs = False
        self.breaks_at = 0
        self.requests: list[int] = []
        self.taken = asyncio.Event()
        self.restart()
        self.pushes = Pushes(
            self.daemon.sources,
            self.daemon.ledger,
            self.daemon.orders,
            self._post,
            lambda world: wire.Terms(wait_s=7.0),
            in_loop,
            Random(1),
            self.log,
        )

    def restart(self) -> None:
        self.orders = Orders(Random(2), limit_s=5.0)
        self.gateway = Gateway(RealClock(), self.orders)
        self.replica = self.gateway._replica

    async def push(self) -> tuple[float, float]:
        return await self.pushes._push()

    async def _post(self, body: bytes) -> Reply:
        self.requests.append(len(body))
        if self.breaks_at and len(body) > self.breaks_at:
            raise GatewaySilent("no connection (ReadError)")
        if self.hangs:
            self.taken.set()
            await asyncio.Event().wait()
        if self.status:
            return Reply(self.status, b"no")
        if self.lost_requests:
            self.lost_requests -= 1
            raise GatewaySilent("no answer within 10 s")
        if len(body) > self.largest:
            return Reply(413, b"")
        try:
            answer = await self.gateway.take(body)
        except Refusal as why:
            return Reply(why.status, b"")
        if self.lost_answers:
            self.lost_answers -= 1
            raise GatewaySilent("no answer within 10 s")
        self.taken.set()
        return Reply(202, b"") if answer is None else Reply(200, wire.write_answer(answer))


async def in_loop(work: Callable[[], T], /) -> T:
    return work()


def run(story: Callable[[Ends], Awaitable[None]]) -> None:
    async def told() -> None:
        await story(Ends())

    asyncio.run(told())


def test_first_everything_goes_then_what_has_changed() -> None:
    async def story(ends: Ends) -> None:
        ends.daemon.ledger.record(*story_of_a_day())
        assert await ends.push() == (pushing.LEAST_S, pushing.EVERY_S)
        assert (ends.replica.world, ends.replica.seq) == (ends.daemon.ledger.world, ends.daemon.ledger.seq)
        assert (ends.replica.terms.wait_s, ends.replica.ready) == (7.0, True)
        assert ends.replica.metrics is not None
        first = ends.replica.forgotten
        ends.daemon.ledger.record(declared("more"))
        ends.daemon.vitals.put("more", CheckRecord("http", last=Observation("more", "http", T0, 0.1, "ok")))
        await ends.push()
        assert ends.replica.world == ends.daemon.ledger.world
        assert ends.replica.vitals.check("more", "http").last_at == T0
        assert ends.replica.forgotten == first, "not everything again"
        assert ends.requests[-1] < ends.requests[0]

    run(story)


def test_pushes_that_are_too_large_come_in_smaller_pieces_from_then_on() -> None:
    async def story(ends: Ends) -> None:
        ends.largest = 15_000
        ends.daemon.ledger.record(*story_of_a_day(), *(declared(Random(n).randbytes(40).hex()) for n in range(900)))
        assert await ends.push() == (pushing.LEAST_S, pushing.EVERY_S)
        assert ends.replica.world == ends.daemon.ledger.world
        assert max(ends.requests[-3:]) <= ends.largest
        before = len(ends.requests)
        await ends.push()
        assert len(ends.requests) == before + 1
        ends.largest = 100
        for _ in range(3):
            least_s, most_s = await ends.push()
            assert least_s == most_s
        assert [one for one in ends.log.told if one[1] == "gateway.away"] == [
            ("error", "gateway.away", "it finds every push too large")
        ]

    run(story)


@pytest.mark.parametrize("what", ["lost_answers", "lost_requests"])
def test_whatever_was_lost_on_the_way_the_next_push_builds_on_what_is_there(what: str) -> None:
    async def story(ends: Ends) -> None:
        await ends.push()
        ends.daemon.ledger.record(declared("one"))
        setattr(ends, what, 1)
        await ends.push()
        ends.daemon.ledger.record(declared("two"))
        await ends.push()
        assert ends.replica.world == ends.daemon.ledger.world
        assert len(ends.requests) <= 4
        assert [event for _, event, _ in ends.log.told] == ["gateway.away", "gateway.back"]

    run(story)


def test_a_gateway_that_forgot_gets_everything_in_the_same_breath() -> None:
    async def story(ends: Ends) -> None:
        ends.daemon.ledger.record(*story_of_a_day())
        await ends.push()
        ends.restart()
        await ends.push()
        assert ends.replica.world == ends.daemon.ledger.world
        assert ends.log.told == []

    run(story)


def test_what_happened_while_it_was_away_is_kept_only_so_far() -> None:
    async def story(ends: Ends) -> None:
        await ends.push()
        ends.daemon.ledger.record(*(declared(f"a{number}") for number in range(pushing.EVENTS_KEPT + 1)))
        assert len(ends.pushes._events) == pushing.EVENTS_KEPT
        await ends.push()
        assert ends.replica.world == ends.daemon.ledger.world
        assert ends.replica.forgotten == ends.daemon.ledger.seq, "everything was sent"

    run(story)


def test_tries_grow_rarer_and_the_trouble_is_told_once() -> None:
    async def story(ends: Ends) -> None:
        ends.status = 503
        pauses = [(await ends.push())[0] for _ in range(12)]
        assert 0.5 <= pauses[0] <= 1.0
        assert all(15.0 <= pause <= pushing.BACKOFF_LAST_S for pause in pauses[-4:])
        ends.status = 401
        await ends.push()
        await ends.push()
        (_, _, first), (level, _, second) = ends.log.told
        assert "503" in first
        assert level == "error"
        assert "SELFHEAL_GATEWAY_TOKEN" in second

    run(story)


def test_an_order_is_carried_out_once_and_its_outcome_comes_back() -> None:
    async def story(ends: Ends) -> None:
        await ends.push()
        async with asyncio.TaskGroup() as group:
            good = group.create_task(ends.orders.approve("i1", "the page"))
            await asyncio.sleep(0)
            ends.lost_answers = 1
            await ends.push()
            assert ends.daemon.orders.given == []
            assert await ends.push() == (0.0, 0.0), "what became of it is told at once"
            ends.lost_requests = 1
            await ends.push()
            await ends.push()
            await good
        assert ends.daemon.orders.given == [("approve", "i1", "the page of the gateway")]
        assert list(ends.pushes._results) == []
        for order, known in ((ends.orders.reject, "i1"), (ends.orders.approve, "i9")):
            task = asyncio.ensure_future(order(known, "the API"))
            await asyncio.sleep(0)
            await ends.push()
            await ends.push()
            with pytest.raises(Exception, match=r"waits for nobody|no such incident"):
                await task

    run(story)


def test_who_waits_in_vain_is_told_whether_anything_may_have_been_done() -> None:
    async def story(ends: Ends) -> None:
        ends.orders._limit_s = 0.05
        with pytest.raises(Refusal, match="will not get this one") as away:
            await ends.orders.approve("i1", "the page")
        assert (away.value.status, away.value.code) == (504, "daemon_away")
        ends.orders._limit_s = 0.5
        task = asyncio.ensure_future(ends.orders.approve("i1", "the page"))
        await asyncio.sleep(0)
        assert len(ends.orders.hand_over()) == 1
        with pytest.raises(Refusal, match="only the first decision counts") as silent:
            await task
        assert (silent.value.status, silent.value.code) == (504, "daemon_silent")
        assert ends.orders.hand_over() == ()

    run(story)


def test_a_disk_that_refuses_keeps_nothing_back() -> None:
    async def story(ends: Ends) -> None:
        ends.daemon.journal.trouble = "No space left on device"
        ends.daemon.ledger.record(AlertRaised(T0, "k", "warning", "t", "x", "api", None))
        await ends.push()
        assert ends.replica.trouble == "No space left on device"
        assert ends.replica.world == ends.daemon.ledger.world

    run(story)


def test_what_breaks_off_when_it_is_large_is_sent_in_smaller_pieces() -> None:
    async def story(ends: Ends) -> None:
        ends.breaks_at = 100_000
        ends.daemon.ledger.record(*(declared(Random(n).randbytes(120).hex()) for n in range(2_000)))
        for _ in range(5):
            await ends.push()
        assert ends.replica.world == ends.daemon.ledger.world
        assert ends.requests[0] < 2 * wire.SAFE_PIECE_BYTES, "a no would have been heard"

    run(story)


def test_a_push_that_hangs_does_not_hold_up_the_end() -> None:
    async def story(ends: Ends) -> None:
        gone = asyncio.Event()
        ends.hangs = True
        async with asyncio.TaskGroup() as group, asyncio.timeout(5.0):
            loop = group.create_task(ends.pushes.run(gone))
            await ends.taken.wait()
            gone.set()
            await loop
        assert len(ends.requests) == 1

    run(story)


def test_it_pushes_at_once_when_something_happens_and_says_the_last_word() -> None:
    async def story(ends: Ends) -> None:
        gone = asyncio.Event()
        async with asyncio.TaskGroup() as group, asyncio.timeout(10.0):
            loop = group.create_task(ends.pushes.run(gone))
            await ends.taken.wait()
            ends.daemon.ledger.record(declared("last"))
            gone.set()
            await loop
        assert ends.replica.world == ends.daemon.ledger.world

    run(story)
