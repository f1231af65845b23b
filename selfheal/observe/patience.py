"""How is a file system asked that may never answer?

A dead network mount lets even stat() wait for ever, and with it the thread that asks. Such a thread must not be one of
those that save the journal, and must neither keep the daemon from its end nor get company at each interval.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

from selfheal.errors import CheckFailed

_T = TypeVar("_T")


class Patience:
    """Lets one look at a time happen in a thread of its own, and asks for no other while that one hangs."""

    def __init__(self) -> None:
        self._over: Callable[[], bool] = lambda: True

    async def of(self, look: Callable[[], _T], what: str) -> _T:
        """Return what `look` returns, or raise what it raises; the caller bounds the time. A look that is given up goes
        on by itself; until it has ended this raises CheckFailed about `what`.
        """
        if not self._over():
            raise CheckFailed(
                f"{what} has not answered since an earlier check: it hangs, or is slow", cause="unreachable"
            )
        promise: Future[_T] = Future()
        promise.set_running_or_notify_cancel()  # from here on nobody can cancel it: it has begun
        Thread(target=_fulfil, args=(promise, look), name="look", daemon=True).start()
        self._over = promise.done
        return await asyncio.wrap_future(promise)


def _fulfil(promise: Future[_T], look: Callable[[], _T]) -> None:
    try:
        promise.set_result(look())
    except BaseException as why:  # noqa: BLE001 - who waits for it gets it
        promise.set_exception(why)
