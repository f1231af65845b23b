"""What may a fix do to the fleet?"""

from __future__ import annotations

import signal as signals
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from selfheal.compose.custody import Custody
from selfheal.compose.door import Door
from selfheal.compose.estate import Estate
from selfheal.compose.fleet import AgentPlan
from selfheal.compose.goods import Goods
from selfheal.compose.limits import Limits
from selfheal.compose.neighbours import Neighbours
from selfheal.compose.writers import Writers
from selfheal.errors import DataFailed, FixFailed, SpawnFailed
from selfheal.kinds import HttpCall
from selfheal.ports import Ports
from selfheal.supervise.supervisor import Supervisor
from selfheal.vitals import Vitals
from selfheal.vocabulary import Limit, ServiceAct, StartReason

# Of what a command has written and of what a URL has answered, so many characters are kept.
WRITTEN, ANSWERED = 2000, 500


_T = TypeVar("_T")


class FleetHands:
    """The hands of every fix: restarts by the supervisor, commands in the agent's own environment, jobs on data."""

    def __init__(
        self,
        ports: Ports,
        supervisor: Supervisor,
        plans: Mapping[str, AgentPlan],
        writers: Writers,
        custody: Custody,
        limits: Limits,
        vitals: Vitals,
        door: Door,
        goods: Goods,
        neighbours: Neighbours,
        estate: Estate,
        state_dir: Path,
        redact: Callable[[str], str],
    ) -> None:
        self._supervisor = supervisor
        self._plans = plans
        self._ports = ports
        self._writers = writers
        self._custody = custody
        self._limits = limits
        self._vitals = vitals
        self._redact = redact
        self._door = door
        self._goods = goods
        self._neighbours = neighbours
        self._estate = estate
        self._state_dir = state_dir

    async def restart(self, agent: str, reason: StartReason, *, hung: bool = False) -> str:
        return await self._supervisor.restart(agent, reason, hung=hung)

    async def run_command(self, argv: tuple[str, ...], agent: str, timeout_s: float) -> str:
        plan = self._plans.get(agent)
        if plan is None:
            raise FixFailed(f"cannot run {argv[0]} for {agent}: that is no longer in the configuration")
        try:
            done = await self._ports.run_fix(
                argv, directory=plan.directory, environment=plan.environment, timeout_s=timeout_s
            )
        except SpawnFailed as why:
            raise FixFailed(str(why)) from why
        written = self._redact(done.output.strip())[-WRITTEN:]  # half a secret would not be known for one
        if done.code != 0:
            raise FixFailed(f"{argv[0]} ended with {done.code}: {written}")
        return written

    async def call_http(self, call: HttpCall) -> str:
        answer = await self._ports.call_http(call)
        said = self._redact(answer.text.strip())[:ANSWERED]
        told = f"answered with status {answer.status}" + (f": {said}" if said else "")
        if not 200 <= answer.status < 300:
            raise FixFailed(told)
        return told

    async def signal(self, agent: str, signal: str) -> str:
        process = self._supervisor.process_of(agent)
        if process is None:
            raise FixFailed(f"cannot send SIG{signal} to {agent}: it does not run")
        why = process.signal_main(getattr(signals, f"SIG{signal}"))
        if why:
            raise FixFailed(f"cannot send SIG{signal} to {agent}: {why}")
        return f"process {process.run.pid}"

    async def replace(self, agent: str, *, ahead: bool = False) -> str:
        standing = self._vitals.standby(agent)
        if ahead:
            await self._supervisor.restart(agent, "maintenance")
            run = self._supervisor.run_of(agent)
            taken = standing is not None and run is not None and run.pid == standing.pid
            return f"process {run.pid}, which stood by, took over" if run is not None and taken else "it began anew"
        if standing is None or not standing.ready:
            why = standing.why if standing is not None and standing.why else "it is not ready yet"
            raise FixFailed(f"cannot replace {agent} by what stands by for it: {why}")
        stack = await self._supervisor.restart(agent, "fix", hung=True)
        run = self._supervisor.run_of(agent)
        taken = run is not None and run.pid == standing.pid
        told = f"process {standing.pid}, which stood by, took over" if taken else "what stood by ended: it began anew"
        return told + (f"; before that it wrote where it hung:\n{stack}" if stack else "")

    async def raise_limit(self, agent: str, limit: Limit, most: int, incident: str) -> str:
        return await self._limits.more(agent, limit, most, incident)

    async def lower_limits(self, agent: str, incident: str) -> str:
        return await self._limits.take_back(agent, incident)

    @property
    def state_dir(self) -> Path:
        return self._state_dir

    def now(self) -> float:
        return self._ports.clock.now()

    def is_well(self, agent: str) -> bool:
        run = self._supervisor.run_of(agent)
        return run is not None and not any(one.settled is False for one in self._vitals.checks(agent).values())

    async def work(self, work: Callable[[], _T]) -> _T:
        return await self._ports.run_in_thread(work)

    async def stop(self, agent: str) -> None:
        await self._supervisor.stop(agent)

    async def roll_back(self, agent: str, incident: str) -> str:
        return await self._goods.roll_back(agent, incident)

    async def roll_forward(self, agent: str, incident: str) -> str:
        return await self._goods.roll_forward(agent, incident)

    async def scale_up(self, agent: str, most: int, incident: str) -> str:
        return await self._neighbours.scale_up(agent, most, incident)

    async def scale_back(self, agent: str, incident: str) -> str:
        return await self._neighbours.scale_back(agent, incident)

    async def hold(self, agent: str, names: Sequence[str]) -> str:
        return await self._neighbours.hold(agent, names)

    async def quarantine(self, agent: str, cause: str) -> str:
        return await self._neighbours.quarantine(agent, cause)

    async def start_again(self, agent: str) -> str:
        return await self._neighbours.start_again(agent)

    async def start_stand_in(self, agent: str, to: str) -> str:
        return await self._neighbours.start_stand_in(agent, to)

    async def stand_in(self, agent: str, to: str) -> str:
        return await self._neighbours.stand_in(agent, to)

    async def take_back(self, agent: str, to: str) -> str:
        return await self._neighbours.take_back(agent, to)

    async def end_listeners(self, agent: str, port: int, *, copies: bool) -> str:
        return await self._door.clear(agent, port, copies=copies)

    async def back_up(self, data: str) -> str:
        made = await _done(self._custody.back_up(data))
        return f"backup {made.id} of {data} was made and proved"

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

    async def render(self, agent: str, act: ServiceAct, *, most: int = 0) -> str:
        return await self._estate.do(agent, act, most)


async def _done(work: Awaitable[_T]) -> _T:
    """What a job on data gave; of a fix that is what did not work."""
    try:
        return await work
    except DataFailed as why:
        raise FixFailed(str(why)) from why
