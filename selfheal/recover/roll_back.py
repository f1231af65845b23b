"""The fix `roll_back`: the files of an agent's configuration are put back to what they were when it was last well."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from selfheal.config.healing import FixSettings
from selfheal.config.units import Duration, Place
from selfheal.kinds import Act, Fix, Hands, Target
from selfheal.world import Agent, World


class RollBackSettings(FixSettings):
    """Which files make an agent work or fail."""

    files: Annotated[tuple[Place, ...], Field(min_length=1, max_length=50)] = Field(
        description="Files of its configuration. What they were when it was last well is kept."
    )
    after: Annotated[Duration, Field(gt=0)] = Field(
        60.0, description="They are good when the agent has been well with them for so long."
    )


def told_of(settings: object) -> RollBackSettings | None:
    """The table of this fix; None where it is none."""
    return settings if isinstance(settings, RollBackSettings) else None


async def _roll_back(hands: Hands, target: Target) -> str:
    return await hands.roll_back(target.agent, target.incident)


async def _roll_forward(hands: Hands, target: Target) -> str:
    told = await hands.roll_forward(target.agent, target.incident)
    await hands.restart(target.agent, "fix")
    return f"{told}; {target.agent} was started again"


async def _restart(hands: Hands, target: Target) -> str:
    await hands.restart(target.agent, "fix")
    return f"{target.agent} was started with them"


def _unchanged(_: World, agent: Agent) -> str:
    return "" if agent.changed else "its files are what they were when it was last well"


# Whoever changed them meant to: the more sure one has to be that this is why.
ROLL_BACK = Fix(
    name="roll_back",
    layer="application",
    causes=frozenset({"bad_configuration", "missing_variable", "crashed", "exited", "wrong_answer", "unreachable"}),
    cost_s=5.0,
    risk_s=10.0,
    timeout_s=300.0,
    acts=(Act("put the last good files in place", _roll_back), Act("start it again", _restart)),
    tier=2,
    undo=Act("put the changed files back", _roll_forward),
    settings=RollBackSettings,
    unfit=_unchanged,
)
