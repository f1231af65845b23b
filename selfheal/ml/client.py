"""How does the daemon have something learned? By its child, which it starts for an order and trusts in nothing.

A child that dies, hangs, babbles or speaks another version is killed and the order has failed; what comes is bounded
before it is read. One order at a time.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Literal, TypeVar

from selfheal.ml.wire import (
    HEAD,
    Fit,
    Fitted,
    Foretell,
    Foretold,
    Garbage,
    Hello,
    NotFitted,
    Order,
    Said,
    frame,
    length_of,
    said_in,
)

# What it needs of the daemon's environment: nothing secret, and no mark by which it would be taken for an agent.
_PASSED_ON = frozenset({"PATH", "LANG", "LC_ALL", "PYTHONPATH", "VIRTUAL_ENV", "HOME"})
# It gives way to everything: several threads of it would still take the caches from everybody.
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
# To begin, and to notice by itself that an order takes too long, on a machine that is busy.
_BEGIN_S, _GRACE_S = 20.0, 5.0
_REAP_S = 2.0

_Done = TypeVar("_Done", Fitted, Foretold)

Trouble = Literal["died", "hung", "garbage", "not_started"]


class ChildFailed(Exception):
    """An order was not answered. `slug` is the kind of trouble, the message says it in words."""

    def __init__(self, slug: Trouble, why: str) -> None:
        super().__init__(why)
        self.slug = slug


class Child:
    """The child, started anew for an order where there is none. It ends by itself when it is idle."""

    def __init__(self, environment: Mapping[str, str], more: Sequence[str] = (), argv: Sequence[str] = ()) -> None:
        passed = {name: value for name, value in environment.items() if name in _PASSED_ON}
        self._environment = {**passed, **_ONE_THREAD}
        program = (sys.executable, "-P", "-m", "selfheal.recorded", "--parent", str(os.getpid()))
        self._argv = (*(argv or program), *more)
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The child's, None where there is none."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def fit(self, order: Fit) -> Fitted | NotFitted:
        """Have a forest grown. Raises ChildFailed, and then there is no child any more; Garbage as `frame` does."""
        return await self._have_done(order, Fitted)

    async def foretell(self, order: Foretell) -> Foretold | NotFitted:
        """Have it learned what comes before each way to fail. Raises as `fit` does."""
        return await self._have_done(order, Foretold)

    async def _have_done(self, order: Order, kind: type[_Done]) -> _Done | NotFitted:
        answered = False
        try:
            process = await self._running()
            async with asyncio.timeout(order.limit_s + _GRACE_S):
                answer = await self._ask(process, order, kind)
            answered = True
        except TimeoutError as why:
            raise ChildFailed("hung", f"it did not answer within {order.limit_s:g} s") from why
        except Garbage as why:
            raise ChildFailed("garbage", f"it said what is no answer: {why}") from why
        except (EOFError, ConnectionError) as why:
            raise ChildFailed("died", await self._last_words()) from why
        finally:
            if not answered:
                await self.close()
        return answer

    async def close(self) -> None:
        """End the child, if there is one."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.kill()
        if process.stdin is not None:
            process.stdin.close()
        with suppress(TimeoutError):  # a device holds it: it is reaped when that lets go
            async with asyncio.timeout(_REAP_S):
                await process.wait()

    async def _running(self) -> asyncio.subprocess.Process:
        process = self._process
        if process is not None and process.returncode is None and not _ended(process):
            return process
        await self.close()
        process = self._process = await self._start()
        try:
            async with asyncio.timeout(_BEGIN_S):
                said = await _hear(process)
        except TimeoutError as why:
            raise ChildFailed("hung", f"it did not begin within {_BEGIN_S:g} s") from why
        if not isinstance(said, Hello):
            raise Garbage("its first word was no greeting")
        return process

    async def _start(self) -> asyncio.subprocess.Process:
        try:
            return await asyncio.create_subprocess_exec(
                *self._argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                cwd="/",
                env=self._environment,
                start_new_session=True,
            )
        except (OSError, ValueError) as why:
            raise ChildFailed("not_started", f"cannot start it: {why}") from why

    async def _ask(self, process: asyncio.subprocess.Process, order: Order, kind: type[_Done]) -> _Done | NotFitted:
        assert process.stdin is not None
        process.stdin.write(frame(order))
        await process.stdin.drain()
        said = await _hear(process)
        if not isinstance(said, kind | NotFitted) or said.job != order.job:
            raise Garbage("an answer to something else")
        return said

    async def _last_words(self) -> str:
        """How it ended."""
        process = self._process
        if process is None:
            return "it ended"
        with suppress(TimeoutError):
            async with asyncio.timeout(_REAP_S):
                await process.wait()
        code = process.returncode
        if code is not None and code < 0:
            late = ": the order took too long" if code == -signal.SIGALRM else ""
            return f"it was ended by {signal.Signals(-code).name}{late}"
        return f"it ended with {code}"


async def _hear(process: asyncio.subprocess.Process) -> Said:
    """The next thing it says. Raises Garbage, EOFError."""
    assert process.stdout is not None
    head = await process.stdout.readexactly(HEAD.size)
    return said_in(await process.stdout.readexactly(length_of(head)))


def _ended(process: asyncio.subprocess.Process) -> bool:
    """Whether it has closed its output, as one does that ends because it was idle."""
    return process.stdout is None or process.stdout.at_eof()
