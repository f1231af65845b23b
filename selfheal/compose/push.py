"""How does what the daemon knows get to its gateway?

By pushes: soon after something happened, at most one a second, and every three seconds anyway. Each builds on what the
gateway has acknowledged; where that is too little, it holds everything. Nothing is kept for a gateway that is away but
the latest events, and nothing waits for it: what is large is packed in a thread, and tries grow rarer. What comes back
are the decisions of persons, which go through the same door as all others.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from random import Random

from selfheal.compose.reactions import Log
from selfheal.errors import JournalUnavailable, NotSaved, RefusedByPolicy, SelfhealError, UnknownName
from selfheal.events import Event, encode
from selfheal.gateway import wire
from selfheal.gateway.post import GatewaySilent, Reply
from selfheal.ledger import Ledger
from selfheal.loops import LoopStats
from selfheal.ports import RunInThread
from selfheal.serve.ports import Control, Sources
from selfheal.vitals import Vitals
from selfheal.world import World, codec

EVERY_S = 3.0  # with a second for the way, what the gateway shows is never older than 5 s
LEAST_S = 1.0
BACKOFF_FIRST_S, BACKOFF_LAST_S = 1.0, 30.0
EVENTS_KEPT = 2_000  # references; a gateway that missed more gets the whole world, which is hardly larger
RESULTS_KEPT = 256
ORDER_S = 10.0  # for one decision; it takes as long as the disk
LAST_S = 0.8  # for the last push, in which the daemon says that it stops, and for one that is under way then

Post = Callable[[bytes], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class _State:
    """What the gateway has, or will have once it has taken what is under way."""

    number: int
    seq: int
    vitals: Vitals
    terms: wire.Terms


class _Refused(Exception):
    """The gateway says no. `is_final` where another try cannot help before somebody mends it."""

    def __init__(self, why: str, *, is_final: bool = False) -> None:
        super().__init__(why)
        self.is_final = is_final


class Pushes:
    """Pushes to one gateway for as long as the daemon lives."""

    def __init__(
        self,
        sources: Sources,
        ledger: Ledger,
        control: Control,
        post: Post,
        terms: Callable[[World], wire.Terms],
        run_in_thread: RunInThread,
        chance: Random,
        log: Log,
    ) -> None:
        self._sources = sources
        self._ledger = ledger
        self._control = control
        self._post = post
        self._terms = terms
        self._run_in_thread = run_in_thread
        self._chance = chance
        self._log = log
        self._clock = sources.clock
        self._run = f"{chance.getrandbits(64):016x}"
        self._started_at = self._clock.now()
        self._number = 0
        self._known: _State | None = None
        self._sent: deque[_State] = deque(maxlen=2)
        """What the gateway may have besides, where its answer was lost."""
        self._events: deque[tuple[int, Event]] = deque(maxlen=EVENTS_KEPT)
        self._news = asyncio.Event()
        self._results: deque[wire.Result] = deque(maxlen=RESULTS_KEPT)
        self._told: deque[str] = deque(maxlen=RESULTS_KEPT)
        """The ids of orders that were carried out."""
        self._metrics_at = 0.0
        self._piece = wire.PIECE_BYTES
        self._failures = 0
        self._trouble = ""
        self._under_way: asyncio.Timeout | None = None
        ledger.subscribe(self._heed)

    async def run(self, gone: asyncio.Event) -> None:
        """Push until the daemon is `gone`, and then what it said last."""
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(self._wake_at(gone), name="end of the pushes")
            while not gone.is_set():
                least_s, most_s = await self._push_while_there()
                with suppress(TimeoutError):
                    async with asyncio.timeout(least_s):
                        await gone.wait()
                if not gone.is_set():
                    with suppress(TimeoutError):
                        async with asyncio.timeout(most_s - least_s):
                            await self._news.wait()
            watch.cancel()
        if not self._failures:
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_S):
                    await self._push()

    def _heed(self, seq: int, event: Event) -> None:
        self._events.append((seq, event))
        self._news.set()

    async def _wake_at(self, gone: asyncio.Event) -> None:
        await gone.wait()
        self._news.set()
        if self._under_way is not None:
            self._under_way.reschedule(asyncio.get_running_loop().time() + LAST_S)

    async def _push_while_there(self) -> tuple[float, float]:
        """Push once; not for long any more once the daemon is gone."""
        try:
            async with asyncio.timeout(None) as self._under_way:
                return await self._push()
        except TimeoutError:
            self._failures += 1
            return LEAST_S, LEAST_S
        finally:
            self._under_way = None

    # --- one push ---

    async def _push(self) -> tuple[float, float]:
        """Push once. Returns after how many seconds, at least and at most, the next one is due."""
        try:
            orders = await self._exchange()
        except (GatewaySilent, _Refused) as why:
            return self._failed(why)
        self._failures = 0
        if self._trouble:
            self._trouble = ""
            self._log.info("gateway.back")
        for order in orders:
            await self._carry_out(order)
        return (0.0, 0.0) if orders else (LEAST_S, EVERY_S)

    async def _exchange(self) -> Sequence[wire.Order]:
        """Tell the gateway what it does not know, everything where it lacks what that builds on; returns new orders."""
        for _ in range(2):
            push, state = await self._next()
            self._sent.append(state)
            answer = await self._deliver(push)
            self._known = self._acknowledged(answer)
            if self._known is state:
                if push.metrics is not None:
                    self._metrics_at = self._clock.monotonic()
                for result in push.results:
                    if result in self._results:
                        self._results.remove(result)
                return [one for one in answer.orders if one.id not in self._told]
        raise _Refused("it does not take a push that holds everything")

    def _acknowledged(self, answer: wire.Answer) -> _State | None:
        """The state that the gateway says it has, where it is one that we can build on."""
        if answer.run != self._run:
            return None
        states = (*self._sent, *((self._known,) if self._known is not None else ()))
        return next((one for one in states if one.number == answer.known), None)

    async def _next(self) -> tuple[wire.Push, _State]:
        """What to push now, and what the gateway will have then."""
        self._news.clear()
        page = await self._page()
        seq, world = self._ledger.seq, self._ledger.world
        with suppress(JournalUnavailable):  # while the disk refuses, what is known is shown
            await self._sources.shown()
        # From here on at one moment: the events that a push builds with must reach back to what it builds on.
        base = self._known if self._known is not None and self._reaches(self._known.seq) else None
        vitals, loops = self._sources.vitals.copy(), _copies(self._sources.loops())
        self._number += 1
        number, events, results = self._number, list(self._events), tuple(self._results)
        ready, trouble = self._sources.ready(), self._sources.trouble()

        def build() -> tuple[wire.Push, _State]:
            terms = self._terms(world)
            known = base.vitals if base is not None else Vitals()
            push = wire.Push(
                run=self._run,
                started_at=self._started_at,
                number=number,
                basis=base.number if base is not None else 0,
                seq=seq,
                world=list(codec.encode(world)) if base is None else [],
                events=[(one, encode(event)) for one, event in events if base is not None and base.seq < one <= seq],
                vitals={one: vitals.of(one) for one in vitals.agents() if vitals.of(one) != known.of(one)},
                gone=tuple(known.agents() - vitals.agents()),
                loops=loops,
                speakers=dict(vitals.speakers),
                ready=ready,
                trouble=trouble,
                terms=terms if base is None or base.terms != terms else None,
                metrics=page,
                results=results,
                sent_at=self._clock.now(),
            )
            return push, _State(number, seq, vitals, terms)

        return await self._run_in_thread(build)

    def _reaches(self, seq: int) -> bool:
        """Whether the kept events go back to the one after `seq`."""
        return seq == self._ledger.seq or (bool(self._events) and self._events[0][0] <= seq + 1)

    async def _page(self) -> wire.Page | None:
        """The page of metrics, no more often than it has to be: of all that is pushed it changes most."""
        if self._known is not None and self._clock.monotonic() - self._metrics_at < EVERY_S - LEAST_S / 2:
            return None
        return wire.Page(*await self._sources.metrics_text(""))

    async def _deliver(self, push: wire.Push) -> wire.Answer:
        """Send a push in as many requests as it takes; smaller ones where they are too large for the gateway."""
        packed = await self._run_in_thread(lambda: wire.pack(push))
        while True:
            reply = await self._send(push, packed)
            if reply.status != 413:
                return _read(reply)
            if self._piece // 2 < wire.LEAST_PIECE_BYTES:
                raise _Refused("it finds every push too large", is_final=True)
            self._piece //= 2

    async def _send(self, push: wire.Push, packed: bytes) -> Reply:
        reply = Reply(0, b"")
        first = wire.SAFE_PIECE_BYTES if self._failures or self._known is None else self._piece
        for request in wire.cut(push, packed, self._piece, first):
            try:
                reply = await self._post(request)
            except GatewaySilent:
                if len(request) > 2 * wire.SAFE_PIECE_BYTES:  # it may have been a no that nobody heard, or a slow line
                    self._piece = max(wire.SAFE_PIECE_BYTES, self._piece // 2)
                raise
            if reply.status != 202:
                break
        return reply

    # --- what comes back ---

    async def _carry_out(self, order: wire.Order) -> None:
        """Do what a person decided, once, and keep what became of it for the next push."""
        self._told.append(order.id)
        outcome, text = await self._outcome(order)
        self._results.append(wire.Result(order.id, outcome, text))
        self._log.info("gateway.order", order=order.kind, incident=order.incident, outcome=outcome)

    async def _outcome(self, order: wire.Order) -> tuple[wire.Outcome, str]:
        decide = self._control.approve if order.kind == "approve" else self._control.reject
        try:
            async with asyncio.timeout(ORDER_S):
                await decide(order.incident, order.by)
        except UnknownName as why:
            return "unknown_name", str(why)
        except RefusedByPolicy as why:
            return "refused", str(why)
        except NotSaved as why:
            return "not_saved", str(why)
        except SelfhealError as why:
            return "failed", str(why)
        except TimeoutError:
            return "failed", f"cannot say what became of it: it was not written down within {ORDER_S:g} s"
        return "done", ""

    def _failed(self, why: GatewaySilent | _Refused) -> tuple[float, float]:
        """Say so once, and try again the later the longer it lasts."""
        if str(why) != self._trouble:
            self._trouble = str(why)
            final = isinstance(why, _Refused) and why.is_final
            (self._log.error if final else self._log.warning)("gateway.away", why=str(why))
        self._failures += 1
        limit_s = min(BACKOFF_LAST_S, BACKOFF_FIRST_S * 2.0 ** min(self._failures - 1, 10))
        pause_s = limit_s * self._chance.uniform(0.5, 1.0)
        return pause_s, pause_s


def _read(reply: Reply) -> wire.Answer:
    if reply.status == 200:
        try:
            return wire.read_answer(reply.body)
        except ValueError:
            raise _Refused("what answers there is no gateway; look at SELFHEAL_GATEWAY_URL", is_final=True) from None
    if reply.status in (401, 403):
        cure = "give SELFHEAL_GATEWAY_TOKEN the same value at both ends"
        raise _Refused(f"it does not know our token (status {reply.status}); {cure}", is_final=True)
    if reply.status == 409:
        raise _Refused("another daemon that began later pushes there; give each a gateway of its own", is_final=True)
    if reply.status in (404, 405, 422):
        cure = "look at SELFHEAL_GATEWAY_URL, and run one version at both ends"
        raise _Refused(f"it does not take our push (status {reply.status}); {cure}", is_final=True)
    raise _Refused(f"it answered with status {reply.status}")


def _copies(loops: Mapping[str, LoopStats]) -> dict[str, LoopStats]:
    """As they are now: they go on while the push is made in a thread."""
    return {name: replace(stats) for name, stats in loops.items()}
