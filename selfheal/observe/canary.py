"""Does anything answer at all?

What fell silent is no proof against itself while others, that have nothing to do with it, are silent too. All who fall
silent together are one question, and its answer is believed for a moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence

from selfheal.clock import Clock
from selfheal.config.address import Endpoint
from selfheal.errors import CheckFailed

CANARY_S = 1.0
BELIEVED_S = 2.0

Tell = Callable[[str], None]
"""Gets why nothing answers; empty where something does, or nobody could be asked."""


class Canary:
    """Asks some targets for a connection; where so many as `least` were asked and none answers, `words` say so."""

    def __init__(
        self,
        clock: Clock,
        probe_tcp: Callable[[str, float], Awaitable[None]],
        spawn: Callable[[str, Coroutine[object, object, None]], object],
        least: int,
        words: str,
    ) -> None:
        self._clock = clock
        self._probe_tcp = probe_tcp
        self._spawn = spawn
        self._least = least
        self._words = words
        self._asked_at = float("-inf")
        self._silence = ""
        self._waiting: list[Tell] = []

    def ask(self, choose: Callable[[], Sequence[Endpoint]], tell: Tell) -> None:
        """Tell it now where that is known, else once they have been asked."""
        if self._clock.monotonic() - self._asked_at < BELIEVED_S:
            tell(self._silence)
            return
        if not self._waiting:
            targets = choose()
            if len(targets) < self._least:  # there is nobody to ask
                tell("")
                return
            self._spawn("canary", self._look(targets))
        self._waiting.append(tell)

    async def _look(self, targets: Sequence[Endpoint]) -> None:
        silence = ""
        try:
            if not any(await asyncio.gather(*(self._answers(target) for target in targets))):
                silence = self._words.format(", ".join(f"{host}:{port}" for host, port in targets))
        finally:
            self._silence, self._asked_at = silence, self._clock.monotonic()
            waiting, self._waiting = self._waiting, []
            for tell in waiting:
                tell(silence)

    async def _answers(self, target: Endpoint) -> bool:
        host, port = target
        try:
            await self._probe_tcp(f"[{host}]:{port}" if ":" in host else f"{host}:{port}", CANARY_S)
        except CheckFailed as why:
            return not why.silent  # a refusal is an answer
        except OSError:  # it is this very machine that cannot
            return False
        return True
