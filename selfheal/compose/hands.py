"""What may a fix do to the fleet?"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping

from selfheal.compose.custody import Custody
from selfheal.compose.door import Door
from selfheal.compose.fleet import AgentPlan
from selfheal.compose.writers import Writers
from selfheal.errors import DataFailed, FixFailed, SpawnFailed
from selfheal.kinds import RunCommand
from selfheal.supervise.supervisor import Supervisor
from selfheal.vocabulary import StartReason


class FleetHands:
    """The hands of every fix: restarts by the supervisor, commands in the agent's own environment, jobs on data."""

    def __init__(
        self,
        supervisor: Supervisor,
        plans: Mapping[str, AgentPlan],
        run_command: RunCommand,
        writers: Writers,
        custody: Custody,
        door: Door,
    ) -> None:
        self._supervisor = supervisor
        self._plans = plans
        self._run_command = run_command
        self._writers = writers
        self._custody = custody
        self._door = door

    async def restart(self, agent: str, reason: StartReason, *, hung: bool = False) -> str:
        return await self._supervisor.restart(agent, reason, hung=hung)

    async def run_command(self, argv: tuple[str, ...], agent: str, timeout_s: float) -> str:
        plan = self._plans.get(agent)
        if plan is None:
            raise FixFailed(f"cannot run {argv[0]} for {agent}: that is no longer in the configuration")
        try:
            done = await self._run_command(
                argv, directory=plan.directory, environment=plan.environment, timeout_s=timeout_s
            )
        except SpawnFailed as why:
            raise FixFailed(str(why)) from why
        if done.code != 0:
            raise FixFailed(f"{argv[0]} ended with {done.code}: {done.output.strip()[-2000:]}")
        return done.output.strip()[-2000:]

    async def end_listeners(self, agent: str, port: int, *, copies: bool) -> str:
        return await self._door.clear(agent, port, copies=copies)

    async def hold_writers(self, data: str) -> str:
        return await self._writers.hold(data)

    async def release_writers(self, data: str) -> str:
        return await self._writers.release(data)

    async def mend_data(self, data: str, how: str) -> str:
        return await _done(self._custody.mend(data, how))

    async def prepare_data(self, data: str, source: str, ticket: str) -> str:
        return await _done(self._custody.prepare(data, source, ticket))

    async def swap_data(self, data: str, ticket: str, by: str) -> str:
        return await _done(self._custody.swap(data, ticket, by))


async def _done(work: Awaitable[str]) -> str:
    """What a job on data gave; of a fix that is what did not work."""
    try:
        return await work
    except DataFailed as why:
        raise FixFailed(str(why)) from why
