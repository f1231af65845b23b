"""How does a coroutine ask a check that is driven by callbacks?"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from selfheal.kinds import Probe


async def ask_once(probe: Probe) -> Mapping[str, float]:
    """Ask, and leave nothing open. Returns the signals, or raises, as `Check.run` does."""
    answer: asyncio.Future[Mapping[str, float]] = asyncio.get_running_loop().create_future()

    def tell(signals: Mapping[str, float], failure: Exception | None) -> None:
        if failure is not None:
            answer.set_exception(failure)
        else:
            answer.set_result(signals)

    try:
        probe.ask(tell)
        return await answer
    finally:
        probe.give_up()
