"""What may a fix do to the fleet?"""

from __future__ import annotations

from collections.abc import Mapping

from selfheal.compose.fleet import AgentPlan
from selfheal.errors import FixFailed, SpawnFailed
from selfheal.kinds import RunCommand
from selfheal.supervise.supervisor import Supervisor
from selfheal.vocabulary import StartReason


class FleetHands:
    """The hands of every fix: restarts by the supervisor, commands in the agent's own environment."""

    def __init__(self, supervisor: Supervisor, plans: Mapping[str, AgentPlan], run_command: RunCommand) -> None:
        self._supervisor = supervisor
        self._plans = plans
        self._run_command = run_command

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
