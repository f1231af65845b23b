"""When is a run of an agent ready for work? As its configuration says, else when its checks are good.

A check that cannot run never will be good: what is known to be broken is not waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container, Mapping, Sequence

from selfheal.compose.fleet import AgentPlan
from selfheal.compose.notices import Notices
from selfheal.config.models import process_of
from selfheal.events import Run
from selfheal.observe.scheduler import Scheduler
from selfheal.ports import Ports
from selfheal.supervise.getting_ready import ALIVE_S
from selfheal.supervise.logs import cursor_at, page
from selfheal.supervise.readiness import ReadLog, wait_ready

# Asked quickly at first, for most programs are ready soon, and less and less often after.
ASK_FIRST_S, ASK_LAST_S = 0.01, 1.0
LINES_AT_ONCE = 1000


class Readiness:
    """The `Ready` port of the supervisor."""

    def __init__(
        self,
        plans: Mapping[str, AgentPlan],
        ports: Ports,
        scheduler: Scheduler,
        notices: Notices,
        broken: Callable[[str], Container[str]],
        log_begin: Callable[[str], int],
    ) -> None:
        self._log_begin = log_begin
        self._broken = broken
        self._plans = plans
        self._ports = ports
        self._scheduler = scheduler
        self._notices = notices

    async def __call__(self, agent: str, run: Run | None) -> None:
        plan = self._plans[agent]
        process = process_of(plan.config)
        if run is not None and process is not None and process.ends:
            await self._ports.clock.sleep(ALIVE_S)
        elif run is not None and process is not None and process.ready is not None and process.ready.notify:
            await self._notified(agent, run, process.ready.timeout)
        elif run is not None and process is not None and process.ready is not None:
            await wait_ready(
                process.ready,
                started_at=run.started_at,
                clock=self._ports.clock,
                run_command=self._ports.run_command,
                probe_http=self._ports.probe_http,
                probe_tcp=self._ports.probe_tcp,
                directory=plan.directory,
                environment=plan.environment,
                read_log=self._log_of(plan),
            )
        elif plan.config.checks or (plan.launch is None and plan.checks):
            await self._checks_good(agent)
        elif run is not None:
            await self._ports.clock.sleep(ALIVE_S)

    def _log_of(self, plan: AgentPlan) -> ReadLog:
        """What the run that an agent has now wrote since it was asked last, and before that since its start."""
        cursor = ""

        async def read() -> Sequence[str]:
            nonlocal cursor
            if plan.launch is None:
                return ()
            log, begin = plan.launch.log, self._log_begin(plan.name)
            if not cursor:
                cursor = await self._ports.run_in_thread(lambda: cursor_at(log, begin))
            lines, cursor = await self._ports.run_in_thread(lambda: page(log, LINES_AT_ONCE, cursor))
            return lines

        return read

    async def _notified(self, agent: str, run: Run, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await self._notices.until_ready(agent, run.generation)
        except TimeoutError:
            raise TimeoutError(
                f"cannot call it ready: it has not sent READY=1 to $NOTIFY_SOCKET, still after {timeout_s:g} s; "
                f"see its log, or raise 'ready.timeout'"
            ) from None

    async def _checks_good(self, agent: str) -> None:
        wait_s = ASK_FIRST_S
        names = {check.name for check in self._plans[agent].checks}
        while not all(
            seen.ok or seen.check in self._broken(agent)
            for seen in await self._scheduler.ask(agent)
            if seen.check in names
        ):
            await self._ports.clock.sleep(wait_s)
            wait_s = min(2 * wait_s, ASK_LAST_S)
