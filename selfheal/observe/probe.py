"""How does a coroutine ask a check that is driven by callbacks?"""

from __future__ import annotations

from collections.abc import Mapping

from selfheal.kinds import Probe
from selfheal.net.awaiting import Answer


async def ask_once(probe: Probe) -> Mapping[str, float]:
    """Ask, and leave nothing open. Returns the signals, or raises, as `Check.run` does."""
    answer: Answer[Mapping[str, float]] = Answer()
    try:
        probe.ask(answer.tell)
        return await answer.wait()
    finally:
        probe.give_up()
