"""How does a coroutine wait for what is told by a callback?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from selfheal.net.poller import Poller

_T = TypeVar("_T")


class Answer(Generic[_T]):
    """One answer: `tell` is the callback, `wait` what a coroutine awaits. `drop` gets what nobody waits for any more.

    Whoever asked gives up in any case in the end; between a cancellation and that moment an answer may still come.
    """

    def __init__(self, drop: Callable[[_T], object] | None = None) -> None:
        self._future: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._drop = drop

    def tell(self, value: _T | None, failure: Exception | None) -> None:
        """Take the value, or why there is none."""
        if self._future.done():
            self._unheard(value)
        elif failure is not None:
            self._future.set_exception(failure)
        else:
            assert value is not None
            self._future.set_result(value)

    async def wait(self) -> _T:
        """Return what is told, or raise why there is nothing."""
        try:
            return await self._future
        except asyncio.CancelledError:
            told = self._future.done() and not self._future.cancelled()
            if told and self._future.exception() is None:
                self._unheard(self._future.result())
            raise

    def _unheard(self, value: _T | None) -> None:
        if value is not None and self._drop is not None:
            self._drop(value)


async def ready(poller: Poller, fd: int, events: int) -> None:
    """Return when a descriptor that nobody watches is ready for `events`: never before a next turn of the loop.

    So a sender that is faster than its reader keeps nobody else from having their turn.
    """
    answer: Answer[bool] = Answer()
    poller.watch(fd, events, lambda: answer.tell(True, None))
    try:
        await answer.wait()
    finally:
        poller.release(fd)
