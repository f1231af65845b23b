"""What do the checks of a simulated machine see? They ask its programs, and look at its processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from selfheal.config.models import CheckConfig
from selfheal.errors import CheckFailed
from selfheal.kinds import CheckContext, CheckKind
from selfheal.observe.data import DATA
from selfheal.observe.process import ProcessCheckConfig
from selfheal.observe.render import RENDER
from selfheal.observe.wording import Unwell

if TYPE_CHECKING:
    from selfheal.rehearse.machine import SimulatedMachine

# What whoever asks a program hears that is not there, or not ready yet.
REFUSED = "connection refused"
# An outage of this name: it answers, and later than it should.
SLOW = "slow"
# A program that hangs answers after so long, which is longer than any timeout.
HANGS_S = 3600.0


def checks_of(machine: SimulatedMachine) -> tuple[CheckKind, ...]:
    """The kinds of check: `sim = "agent"`, and the looks at the process and at data."""
    return (
        CheckKind("sim", SimCheckConfig, lambda config, context: _Answer(machine, config, context)),
        CheckKind("process", ProcessCheckConfig, lambda config, context: _Look(machine, config, context), local=True),
        DATA,
        RENDER,
    )


class SimCheckConfig(CheckConfig):
    """Asks the agent's program; the value is only a name. What takes longer than `slower_than` has failed."""

    sim: str
    slower_than: float | None = Field(None, gt=0)


@dataclass(frozen=True, slots=True)
class _Answer:
    machine: SimulatedMachine
    config: CheckConfig
    context: CheckContext

    async def run(self) -> Mapping[str, float]:
        if self.context.agent in self.machine.raising:
            raise ZeroDivisionError("the check itself is broken")
        why = self.machine.answers(self.context.agent)
        if why == "hung":
            await self.machine.clock.sleep(HANGS_S)
        if why is not None:
            raise CheckFailed(why, cause={REFUSED: "unreachable", SLOW: "slow"}.get(why, "wrong_answer"))
        took_s = self.machine.took_s(self.context.agent)
        if self.machine.own_s:  # else it is too short to be waited for
            await self.machine.clock.sleep(took_s)
        most_s = self.config.slower_than if isinstance(self.config, SimCheckConfig) else None
        if most_s is not None and took_s > most_s:
            raise Unwell(f"it took {took_s:.2f} s, and {most_s:g} s is the most", {"latency": took_s}, "slow")
        return {"latency": took_s}


@dataclass(frozen=True, slots=True)
class _Look:
    machine: SimulatedMachine
    config: CheckConfig
    context: CheckContext

    async def run(self) -> Mapping[str, float]:
        agent = self.context.agent
        process = self.machine.process_of(agent)
        if self.context.run() is None or process is None:
            raise CheckFailed("no process")
        if process.stopped:
            raise CheckFailed("the process is stopped (SIGSTOP)", cause="hung")
        rss = self.machine.rss(agent)
        limit = self.config.max_rss if isinstance(self.config, ProcessCheckConfig) else None
        if limit is not None and rss > limit:
            raise Unwell(f"rss {rss / 1e6:.0f} MB is over {limit / 1e6:.0f} MB", {"rss": rss}, "out_of_memory")
        return {"rss": rss, "cpu": self.machine.used_cores(agent)}
