"""What do the URLs answer that fixes call on a simulated machine?"""

from __future__ import annotations

from selfheal.clock import Clock
from selfheal.errors import FixFailed
from selfheal.kinds import HttpAnswer, HttpCall
from selfheal.ports import Learner, ModelAccess
from selfheal.render.api import RenderApi

# How long an answer takes.
CALL_S = 0.5


class SimulatedCalls:
    """`answers` are by URL: an answer, or None where nobody listens; any other URL answers 200 with nothing.

    What is in `silent` never answers. `made` are the calls that somebody has heard. `render` is the API of
    what runs at Render, `model` the way to language models, `learner` grows forests, and `environment` is that of the
    daemon, with its keys.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.answers: dict[str, HttpAnswer | None] = {}
        self.silent: set[str] = set()
        self.made: list[HttpCall] = []
        self.render: RenderApi | None = None
        self.model: ModelAccess | None = None
        self.learner: Learner | None = None
        self.environment: dict[str, str] = {}

    async def call_http(self, call: HttpCall) -> HttpAnswer:
        """Call a URL, as `kinds.CallHttp` says."""
        answer = self.answers.get(call.url, HttpAnswer(200, ""))
        if answer is None:
            raise FixFailed("cannot call it: no connection")
        self.made.append(call)
        if call.url in self.silent or call.timeout_s < CALL_S:
            await self._clock.sleep(call.timeout_s)
            raise FixFailed(f"cannot call it: no answer within {call.timeout_s:g} s")
        await self._clock.sleep(CALL_S)
        return answer
