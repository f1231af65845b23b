"""How does a decision of a person at the gateway reach the daemon, and its outcome the person?

Orders wait until a push asks for them, are handed over with every answer until one says what became of them, and are
carried out once: the daemon knows their ids. Who ordered waits for that, and is told what to do where it does not come.
Nothing else is taken here: an order to start or stop belongs where its outcome can be seen at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random
from typing import NoReturn

from selfheal.data.backup import Backup
from selfheal.errors import RefusedByPolicy, SelfhealError, UnknownName
from selfheal.events import DataRestored, Signature
from selfheal.gateway.wire import Order, OrderKind, Result
from selfheal.serve.ports import DataJob, Learnt, Reloaded, RestorePlan, Taught
from selfheal.serve.ports import Order as Word
from selfheal.serve.problems import Refusal

ANSWER_S = 15.0
"""Five pushes: whoever hears nothing by then is better told so."""
MOST = 100
"""Orders that wait at once; a person gives one."""


class _Waiting:
    """An order, and who waits for its outcome."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.handed_over = False
        self.result: Result | None = None
        self.news = asyncio.Event()


class Orders:
    """The orders that are open. Also the gateway's `Control`: what it takes, and what it does not."""

    def __init__(self, chance: Random, limit_s: float = ANSWER_S) -> None:
        self._chance = chance
        self._limit_s = limit_s
        self._open: dict[str, _Waiting] = {}

    # --- with the daemon ---

    def hand_over(self) -> tuple[Order, ...]:
        """What is open: goes into the answer to a push."""
        for one in self._open.values():
            one.handed_over = True
        return tuple(one.order for one in self._open.values())

    def take(self, results: Sequence[Result]) -> None:
        """Tell those who wait."""
        for result in results:
            waiting = self._open.get(result.id)
            if waiting is not None:
                waiting.result = result
                waiting.news.set()

    # --- with persons ---

    async def approve(self, incident: str, by: str) -> None:
        await self._give("approve", incident, by)

    async def reject(self, incident: str, by: str) -> None:
        await self._give("reject", incident, by)

    async def _give(self, kind: OrderKind, incident: str, by: str) -> None:
        if len(self._open) >= MOST:
            raise Refusal(503, "too_many_orders", f"cannot take the order: {MOST} others wait for the daemon")
        waiting = _Waiting(Order(f"{self._chance.getrandbits(64):016x}", kind, incident, f"{by} of the gateway"))
        self._open[waiting.order.id] = waiting
        try:
            async with asyncio.timeout(self._limit_s):
                await waiting.news.wait()
        except TimeoutError:
            _say_what_to_do(waiting, self._limit_s)
        finally:
            del self._open[waiting.order.id]
        assert waiting.result is not None
        _answer(waiting.result)

    # --- what belongs to the daemon itself ---

    async def start(self, agent: str, by: str) -> None:
        _not_here()

    async def stop(self, agent: str, by: str) -> None:
        _not_here()

    async def restart(self, agent: str, by: str) -> None:
        _not_here()

    async def order(self, order: Word, agents: Sequence[str], by: str) -> Sequence[str]:
        _not_here()

    async def scale(self, agent: str, instances: int, by: str) -> Reloaded:
        _not_here()

    async def label(self, incident: str, cause: str | None, agent: str, by: str) -> None:
        _not_here()

    async def pause(self, agent: str | None, by: str) -> None:
        _not_here()

    async def resume(self, agent: str | None, by: str) -> None:
        _not_here()

    async def mute(self, agent: str | None, seconds: float, by: str) -> None:
        _not_here()

    async def dismiss(self, anomaly: str, by: str) -> None:
        _not_here()

    async def restore(self, anomaly: str, by: str) -> None:
        _not_here()

    async def reload(self, by: str) -> Reloaded:
        _not_here()

    async def heartbeat(self, agent: str) -> None:
        _not_here()

    async def external_failure(self, agent: str, text: str) -> None:
        _not_here()


class NoData:
    """The gateway's `DataControl`: backups lie where the daemon is."""

    async def backups(self, agent: str | None) -> Sequence[Backup]:
        raise not_replicated("backups")

    async def jobs(self) -> Sequence[DataJob]:
        raise not_replicated("jobs on data")

    async def back_up(self, agent: str, by: str) -> Backup:
        _not_here()

    async def verify(self, agent: str, backup: str, by: str) -> Backup:
        _not_here()

    async def accept(self, agent: str, by: str) -> str:
        _not_here()

    async def plan_restore(self, agent: str, backup: str, until: float | None) -> RestorePlan:
        _not_here()

    async def restore(self, agent: str, backup: str, by: str) -> DataRestored:
        _not_here()


class NoTeaching:
    """The gateway's `KnowledgeControl`: what is known is the daemon's."""

    async def add(self, signature: Signature, by: str) -> None:
        _not_here()

    async def remove(self, signature: str, by: str) -> None:
        _not_here()

    async def restore(self, signature: str, by: str) -> None:
        _not_here()

    async def take_over(self, taught: Taught, by: str) -> Learnt:
        _not_here()


def not_replicated(what: str) -> Refusal:
    """Return the refusal of what the daemon does not push."""
    return Refusal(
        503,
        "not_at_gateway",
        f"cannot show {what} at the gateway: the daemon keeps them to itself; ask it on its own machine, "
        "with 'selfheal' in the shell of its service",
    )


def _not_here() -> NoReturn:
    raise Refusal(
        403,
        "not_at_gateway",
        "cannot take this order at the gateway, which passes on nothing but approve and reject; "
        "give it on the daemon's own machine, with 'selfheal' in the shell of its service",
    )


def _say_what_to_do(waiting: _Waiting, limit_s: float) -> NoReturn:
    kind, incident = waiting.order.kind, waiting.order.incident
    if waiting.handed_over:
        raise Refusal(
            504,
            "daemon_silent",
            f"cannot say what became of it: the daemon was given the order to {kind} {incident}, and said nothing "
            f"within {limit_s:g} s; look at the incident, or give the order again: only the first decision counts",
        ) from None
    raise Refusal(
        504,
        "daemon_away",
        f"cannot {kind} {incident}: the daemon has not asked for orders within {limit_s:g} s, and will not get "
        "this one; try again once it is heard of",
    ) from None


def _answer(result: Result) -> None:
    """Say no in the daemon's own words, where it did."""
    match result.outcome:
        case "done":
            return
        case "unknown_name":
            raise UnknownName(result.text)
        case "refused":
            raise RefusedByPolicy(result.text)
        case "not_saved":
            raise Refusal(507, "not_saved", result.text)
        case "failed":
            raise SelfhealError(result.text)
