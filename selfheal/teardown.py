"""How does what was started come to an end? By name, in reverse order, each within its time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from selfheal.loops import describe


@dataclass(frozen=True, slots=True)
class _Stage:
    name: str
    stop: Callable[[], Awaitable[None]]
    limit_s: float


class Teardown:
    """Collects what is to be stopped as it comes into being."""

    def __init__(self, report: Callable[[str, str], object]) -> None:
        self._report = report
        self._stages: list[_Stage] = []

    def add(self, name: str, stop: Callable[[], Awaitable[None]], limit_s: float) -> None:
        """Stop this before everything that was added earlier, and give it at most `limit_s`."""
        self._stages.append(_Stage(name, stop, limit_s))

    async def run(self) -> None:
        """Stop everything. One stage that fails or hangs is reported and keeps none of the others from its turn."""
        while self._stages:
            stage = self._stages.pop()
            try:
                async with asyncio.timeout(stage.limit_s):
                    await stage.stop()
            except TimeoutError:
                self._report(stage.name, f"did not end within {stage.limit_s:g} s")
            except Exception as why:  # noqa: BLE001 - the others must be stopped all the same
                self._report(stage.name, describe(why))
