"""How do the services at Render do by Render's own metrics, as signals like all others?

One question a minute for each metric, about all of them at once. What cannot be had is left out: it is no failure of
a service, and the check of it says what is wrong with the API.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from selfheal.clock import Clock
from selfheal.compose.fleet import AgentPlan
from selfheal.config.render import render_of
from selfheal.errors import RenderFailed
from selfheal.loops import Loop
from selfheal.render.api import RenderApi
from selfheal.render.metrics import LOOK_BACK_S, METRICS, REQUESTS, RESOLUTION_S, Metric, TimeSeries, signals_of

EVERY_S = 60.0
# Of so many services one address of the API can speak.
AT_ONCE = 50

Sink = Callable[[str, float, Mapping[str, float]], None]
"""Takes the signals of an agent as they were at a wall time."""


class Meters:
    """Reads the metrics of all agents at Render."""

    def __init__(self, api: RenderApi | None, clock: Clock, plans: Mapping[str, AgentPlan], sink: Sink) -> None:
        self._api = api
        self._clock = clock
        self._plans = plans
        self._sink = sink
        self.loop = Loop("render", self.read, every_s=EVERY_S, idle=self._has_nobody)

    async def read(self) -> None:
        """Ask for every metric of every service, and hand on what is known."""
        agents = dict(self._services())
        services = sorted(set(agents.values()))
        for some in (services[at : at + AT_ONCE] for at in range(0, len(services), AT_ONCE)):
            answers = {one.path: await self._ask(one, some) for one in (*METRICS, REQUESTS)}
            found, now = signals_of(answers, some), self._clock.wall()
            for agent, service in agents.items():
                if service in found:
                    self._sink(agent, now, found[service])

    async def _ask(self, metric: Metric, services: Sequence[str]) -> tuple[TimeSeries, ...]:
        if self._api is None:
            return ()
        since = datetime.fromtimestamp(self._clock.wall() - LOOK_BACK_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        query = {**metric.query, "startTime": since, "resolutionSeconds": str(RESOLUTION_S)}
        try:
            return await self._api.metric(metric.path, services, query)
        except RenderFailed:
            return ()

    def _services(self) -> Iterator[tuple[str, str]]:
        for name, plan in self._plans.items():
            service = render_of(plan.config)
            if service is not None:
                yield name, service.service

    def _has_nobody(self) -> bool:
        return self._api is None or next(self._services(), None) is None
