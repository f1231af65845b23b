"""Who stands in the door that an agent wants, and may it be shown out?

Only an earlier run of that very agent may, or where it was said so what the same user has started with the same
command. Whoever else listens there, another agent of the fleet among them, is left alone and named.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from selfheal.compose.fleet import AgentPlan
from selfheal.errors import FixFailed
from selfheal.kinds import Run
from selfheal.ports import Ports
from selfheal.supervise.listeners import Listener
from selfheal.supervise.supervisor import Supervisor
from selfheal.supervise.tree import kill_leftovers

# What is asked to end gets so long before it is killed: it is to make room, not to finish its work.
PATIENCE_S = 5.0


class Door:
    """The ports of this machine, as the fleet's agents want them."""

    def __init__(self, ports: Ports, supervisor: Supervisor, plans: Mapping[str, AgentPlan]) -> None:
        self._ports = ports
        self._supervisor = supervisor
        self._plans = plans

    async def clear(self, agent: str, port: int, *, copies: bool) -> str:
        """End what holds `port`; returns what that was. Raises FixFailed where it is nobody, or none of the agent's."""
        found = await self._ports.run_in_thread(lambda: self._ports.listeners(port))
        if not found:
            raise FixFailed(f"cannot free port {port}: no process that can be seen listens there; root sees all")
        strangers = [one for one in found if not self._may_end(one, agent, copies)]
        if strangers:
            named = ", ".join(f"process {one.pid} ({_words(one)})" for one in strangers)
            raise FixFailed(
                f"port {port} is held by {named}, which is no earlier run of {agent}: stop it, or give one of them "
                f"another port"
            )
        pids = {one.pid for one in found}

        async def left() -> list[Run]:
            still = await self._ports.run_in_thread(lambda: self._ports.listeners(port))
            return [_run(one) for one in still if one.pid in pids]

        await kill_leftovers(left, timeout_s=PATIENCE_S, clock=self._ports.clock)
        if await left():
            raise FixFailed(f"port {port} is still held by {', '.join(map(str, sorted(pids)))}, which does not end")
        return f"port {port} is free: {', '.join(f'process {one.pid} ({_words(one)})' for one in found)} was ended"

    def _may_end(self, listener: Listener, agent: str, copies: bool) -> bool:
        owner = self._ports.launcher.owner(listener.pid)
        if owner is not None:
            return owner[0] == agent and not self._is_current(agent, listener.pid)
        launch = self._plans[agent].launch if agent in self._plans else None
        same_user = listener.user == os.getuid() and listener.pid != os.getpid()
        return copies and launch is not None and same_user and _same_command(listener.command, launch.argv)

    def _is_current(self, agent: str, pid: int) -> bool:
        run = self._supervisor.run_of(agent)
        return run is not None and run.pid == pid


def _same_command(seen: tuple[str, ...], argv: tuple[str, ...]) -> bool:
    """Whether a process was started as an agent is; how its program was found does not matter."""
    if not seen or not argv or seen[1:] != argv[1:]:
        return False
    return os.path.basename(seen[0]) == os.path.basename(argv[0])  # noqa: PTH119 - words, not places


def _words(listener: Listener) -> str:
    return " ".join(listener.command)[:80] or "it has no command"


def _run(listener: Listener) -> Run:
    return Run(listener.pid, 0, 0.0, listener.start_ticks, listener.boot_id)
