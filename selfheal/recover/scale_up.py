"""The fix `scale_up`: one more instance takes its share of the load, up to what a person allows."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from selfheal.config.healing import FixSettings
from selfheal.config.models import MAX_INSTANCES, Section, process_of
from selfheal.config.units import Count
from selfheal.kinds import Act, Fix, Hands, Target


class ScaleUpSettings(FixSettings):
    """How many instances there may be."""

    most: Annotated[Count, Field(ge=2, le=MAX_INSTANCES)] = Field(description="Instances at most.")

    def check(self, agent: Section) -> None:
        process = process_of(agent)
        if process is None:
            raise ValueError("only a process of this daemon has instances, and this agent is none; take it out")
        if self.most <= process.instances:
            raise ValueError("most is not above instances; write more than that, or take it out")


async def _more(hands: Hands, target: Target) -> str:
    settings = target.settings
    assert isinstance(settings, ScaleUpSettings)
    return await hands.scale_up(target.agent, settings.most, target.incident)


async def _fewer(hands: Hands, target: Target) -> str:
    return await hands.scale_back(target.agent, target.incident)


# Where the processor is what is short, one more on the same machine makes it shorter.
SCALE_UP = Fix(
    name="scale_up",
    layer="application",
    causes=frozenset({"slow", "traffic_surge", "queue_backlog"}),
    cost_s=5.0,
    risk_s=5.0,
    timeout_s=300.0,
    acts=(Act("start one more", _more),),
    tier=2,
    only_its_causes=True,
    undo=Act("go back to as many as before", _fewer),
    settings=ScaleUpSettings,
)
