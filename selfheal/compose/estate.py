"""How are the agents that Render runs, what was deployed of them lately, and what may be done to them there?

Whatever is asked or done, it is about another service than the one that this daemon is itself: that is said by the
configuration already, and looked at again right before each act.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from selfheal.clock import Clock
from selfheal.compose.fleet import AgentPlan
from selfheal.compose.meters import Meters, Sink
from selfheal.config.render import API_KEY, OWN_SERVICE, RenderConfig, render_of
from selfheal.errors import FixFailed, RenderFailed
from selfheal.kinds import Condition
from selfheal.plans import Sign
from selfheal.render.acts import Acts
from selfheal.render.api import PAGE, RenderApi
from selfheal.render.reading import LOOK_BACK_S, Deploy, LogEntry, Service, Store, by_whom, judge, judge_store
from selfheal.serve.ports import Tail
from selfheal.vocabulary import ServiceAct

# What cannot be told is asked for again every second: Render is asked for it as often as it can have changed.
UNSURE_S = 15.0
# A deploy that became live so long before an agent began to fail may be why.
LATELY_S = 1800.0
# Every other incident waits while one is diagnosed.
SIGNS_S = 5.0
# So many lines of its log say why it failed, if any do.
WORDS = 40
TAIL_S = 5.0


@dataclass(frozen=True, slots=True)
class _Unsure:
    """What could not be told, and until when it is not asked for again (monotonic)."""

    until: float
    said: Condition | RenderFailed


class Estate:
    """The agents at Render. Without an `api` none is in the configuration."""

    def __init__(
        self,
        api: RenderApi | None,
        clock: Clock,
        plans: Mapping[str, AgentPlan],
        environment: Mapping[str, str],
        sink: Sink,
    ) -> None:
        self._api = api
        self._acts = Acts(api, clock) if api is not None else None
        self._clock = clock
        self._plans = plans
        self.own = environment.get(OWN_SERVICE, "")
        self._unsure: dict[str, _Unsure] = {}
        self._tailed: dict[str, float] = {}
        self.loop = Meters(api, clock, plans, sink).loop

    async def look(self, agent: str, within_s: float) -> Condition:
        """How the service of an agent is. Raises RenderFailed, also where Render does not say so within that time."""
        known = self._unsure.get(agent)
        if known is not None and self._clock.monotonic() < known.until:
            if isinstance(known.said, Condition):
                return known.said
            raise RenderFailed(str(known.said), known.said.status, known.said.request_id)
        self._unsure.pop(agent, None)
        try:
            try:
                async with asyncio.timeout(within_s):
                    condition = await self._ask(agent)
            except TimeoutError:
                why = f"cannot tell how {agent} is: Render's API did not say so within {within_s:g} s; nothing is done"
                raise RenderFailed(why) from None
        except RenderFailed as why:
            self._unsure[agent] = _Unsure(self._clock.monotonic() + UNSURE_S, why)
            raise
        if condition.state == "deploying":
            self._unsure[agent] = _Unsure(self._clock.monotonic() + UNSURE_S, condition)
        return condition

    async def do(self, agent: str, act: ServiceAct, most: int) -> str:
        """Do something to the service of an agent. Raises FixFailed."""
        service = self._service(agent)
        if service is None or self._acts is None:
            raise FixFailed(f"cannot do anything to {agent} at Render: it is no service there, or {API_KEY} is not set")
        if service.service == self.own:
            raise FixFailed(f"cannot touch {agent}: it is the very service that this daemon is ({OWN_SERVICE})")
        try:
            return await self._acts.do(service.service, act, most)
        except RenderFailed as why:
            raise FixFailed(str(why)) from why
        finally:
            self._unsure.pop(agent, None)

    async def signs(self, agent: str, onset: float) -> tuple[Sign, ...]:
        """What Render tells that may explain why an agent has failed: who suspended it, what was deployed before."""
        service = self._service(agent)
        if service is None or self._api is None:
            return ()
        try:
            async with asyncio.timeout(SIGNS_S):
                if service.is_store:
                    return tuple(_suspended(await self._api.store(service.service)))
                found = await self._api.service(service.service)
                deploys = await self._api.deploys(service.service)
        except (RenderFailed, TimeoutError):
            return ()  # then there is nothing to be seen there
        return (*_suspended(found), *_deployed(deploys, onset))

    async def last_words(self, agent: str, onset: float) -> tuple[str, ...]:
        """What an agent has written at Render around the onset of its trouble; nothing where that is not to be had."""
        try:
            async with asyncio.timeout(SIGNS_S):
                return _lines(await self._log(agent, onset + UNSURE_S, WORDS))[-WORDS:]
        except (RenderFailed, TimeoutError):
            return ()

    async def tail(self, agent: str, count: int, cursor: str) -> Tail:
        """The end of the log of an agent at Render, or what was written since `cursor`. Raises RenderFailed.

        Who follows it asks again and again: Render is asked every few seconds, and nothing is said in between.
        """
        if self._service(agent) is None:
            return Tail(())
        now = self._clock.monotonic()
        if cursor and now < self._tailed.get(agent, 0.0) + TAIL_S:
            return Tail((), cursor)
        self._tailed[agent] = now
        since = float(cursor) if cursor else 0.0
        entries = [one for one in await self._log(agent, self._clock.wall(), count) if one.at > since]
        return Tail(_lines(entries)[-count:], repr(max((one.at for one in entries), default=since)))

    async def _log(self, agent: str, until: float, count: int) -> tuple[LogEntry, ...]:
        """The entries before a wall time, newest first."""
        service = self._service(agent)
        if service is None or self._api is None:
            return ()
        name, api = service.service, self._api
        found = await api.store(name) if service.is_store else await api.service(name)
        return await api.log(found.owner_id, name, _rfc3339(until), min(count, PAGE))

    async def _ask(self, agent: str) -> Condition:
        service = self._service(agent)
        if service is None or self._api is None:
            raise RenderFailed(f"cannot ask Render for {agent}: it is no service there, or {API_KEY} is not set", 401)
        name, api, now = service.service, self._api, self._clock.wall()
        if service.is_store:
            return judge_store(await api.store(name))
        found = await api.service(name)
        if found.is_suspended:
            return judge(found, (), (), now)
        instances = await api.instances(name) if found.has_instances else ()
        return judge(
            found, await api.deploys(name), instances, now, await api.happenings(name, _rfc3339(now - LOOK_BACK_S))
        )

    def _service(self, agent: str) -> RenderConfig | None:
        plan = self._plans.get(agent)
        return render_of(plan.config) if plan is not None else None


def _lines(newest_first: Sequence[LogEntry]) -> tuple[str, ...]:
    return tuple(line for one in reversed(newest_first) for line in one.message.splitlines())


def _rfc3339(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _suspended(found: Service | Store) -> Iterator[Sign]:
    if found.is_suspended:
        yield Sign("suspended", f"it was suspended at Render by {by_whom(found.suspenders)}", decisive=True)


def _deployed(deploys: Sequence[Deploy], onset: float) -> Iterator[Sign]:
    """The deploy that is live where that was lately; and one that is under way or has failed, which may have to do
    with it. A rollback is the cure and not the trouble.
    """
    for one in deploys:
        at = one.ended_at or one.began_at
        if one.trigger == "rollback" or not onset - LATELY_S <= at <= onset + UNSURE_S or one.status == "deactivated":
            continue
        what = "became live" if one.status == "live" else f"ended as {one.status}" if one.ended_at else "began"
        words = f"deploy {one.words} {what} {max(0.0, onset - at):.0f} s before it began to fail"
        yield Sign("bad_deploy", words, decisive=one.status == "live")
