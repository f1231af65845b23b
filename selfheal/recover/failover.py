"""The fix `failover`: another agent stands in for one that cannot be mended, until a person takes that back."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from selfheal.config.healing import FixSettings
from selfheal.config.models import Section, process_of
from selfheal.config.units import Command
from selfheal.kinds import Act, Fix, Hands, Target

COMMAND_S = 60.0


class FailoverSettings(FixSettings):
    """Who stands in, and how the traffic is led there."""

    names_agents: ClassVar[tuple[str, ...]] = ("to",)

    to: str = Field(description="The agent that stands in, a process of this daemon; autostart = false keeps it ready.")
    command: Command | None = Field(None, description="Run once it is ready, to lead the traffic there.")
    back: Command | None = Field(None, description="Run where that did not help, to lead it back; perhaps twice.")

    def check(self, agent: Section) -> None:
        if process_of(agent) is None:
            raise ValueError("what is no process of this daemon cannot be stopped for another; take it out")


def _told(target: Target) -> FailoverSettings:
    assert isinstance(target.settings, FailoverSettings)
    return target.settings


async def _stand_by(hands: Hands, target: Target) -> str:
    return await hands.start_stand_in(target.agent, _told(target).to)


async def _lead(hands: Hands, target: Target) -> str:
    command = _told(target).command
    if command is None:
        return "there is no command to lead the traffic there"
    return await hands.run_command(_words(command, target), target.agent, COMMAND_S)


async def _stop(hands: Hands, target: Target) -> str:
    return await hands.stand_in(target.agent, _told(target).to)


async def _back(hands: Hands, target: Target) -> str:
    settings = _told(target)
    if settings.back is not None:
        await hands.run_command(_words(settings.back, target), target.agent, COMMAND_S)
    return await hands.take_back(target.agent, settings.to)


def _words(command: tuple[str, ...], target: Target) -> tuple[str, ...]:
    said = {"{agent}": target.agent, "{cause}": target.cause, "{incident}": target.incident}
    words = list(command)
    for mark, text in said.items():
        words = [word.replace(mark, text) for word in words]
    return tuple(words)


FAILOVER = Fix(
    name="failover",
    layer="application",
    causes=frozenset(
        {"hung", "crashed", "exited", "unreachable", "wrong_answer", "slow", "missing_program", "bad_configuration"}
    ),
    cost_s=15.0,
    risk_s=60.0,
    timeout_s=600.0,
    acts=(
        Act("start the stand-in", _stand_by),
        Act("lead the traffic there", _lead, repeatable=False, stoppable=True),
        Act("stop what it stands in for", _stop),
    ),
    tier=3,
    undo=Act("take it back", _back),
    settings=FailoverSettings,
)
